use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The sentences of the design that it guards.
    #[serde(deserialize_with = "one_or_many")]
    pub guards: Vec<String>,
    /// A document, or the name of a file that holds one.
    pub definition: Value,
    /// The events of each source.
    #[serde(default)]
    pub events: BTreeMap<String, Events>,
    /// What is asked.
    #[serde(default)]
    pub questions: Vec<Question>,
    /// The types that features have.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    /// What views emit when their windows close, by view.
    #[serde(default)]
    pub emitted: BTreeMap<String, Vec<Emitted>>,
    /// The rows that count for nothing, by source.
    #[serde(default)]
    pub dead_letters: BTreeMap<String, Vec<DeadLetter>>,
    /// What is warned of.
    #[serde(default)]
    pub warnings: Option<Warnings>,
    /// Parts of the message with which all of it is refused.
    #[serde(default, deserialize_with = "one_or_many")]
    pub error: Vec<String>,
    /// The types of columns of labels, where they are not those declared.
    #[serde(default)]
    pub label_types: BTreeMap<String, String>,
    /// Why `check.py` does not compute it.
    #[serde(default)]
    pub oracle: Option<Value>,
}

/// The events of a source, in the order of their log.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Events {
    /// Written out.
    Rows(Vec<Map<String, Value>>),
    /// By formulas of the row's number.
    Generated {
        /// the formulas
        generate: Generate,
    },
}

/// Rows 0, 1, 2, ... of which each field is a formula of the number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// How many.
    pub rows: usize,
    /// A value that all rows have, or a formula: `prefix`, `first`, `step`,
    /// `modulo`, `every`.
    pub fields: Map<String, Value>,
}

/// What a training set warns of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warnings {
    /// How many labels are at the very time of an event of their entity.
    pub labels_at_event_time: usize,
}

/// One question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// When.
    pub at: String,
    /// About whom: join keys.
    #[serde(default)]
    pub entity: Map<String, Value>,
    /// Fields of the request.
    #[serde(default)]
    pub request: Map<String, Value>,
    /// Which service; none where features are asked for by name.
    #[serde(default)]
    pub service: Option<String>,
    /// What is answered, by `view:feature` or `view:feature@vN`.
    #[serde(default)]
    pub expect: BTreeMap<String, Answer>,
}

/// What is answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// The true status.
    pub status: String,
    /// How far floats may be away, relatively; exact without it.
    #[serde(default)]
    pub tolerance: Option<f64>,
}

/// What a window emitted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emitted {
    /// Join keys.
    pub entity: Map<String, Value>,
    /// Its begin.
    pub window_start: String,
    /// Its end, which is none of it.
    pub window_end: String,
    /// The end.
    pub event_timestamp: String,
    /// From when on it is visible.
    pub created_timestamp: String,
    /// How many accepted events reached the window after its first emission.
    pub revision: u64,
    /// Whether it takes back what was emitted.
    pub tombstone: bool,
    /// The aggregates' values.
    pub values: Map<String, Value>,
}

/// A row that counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// Its number among the source's events.
    pub row: u64,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(reader)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    })
}

impl Case {
    /// Reads a case.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let mut case: Self = serde_yaml_ng::from_str(&text).context("the case's form")?;
        if let Value::String(file) = &case.definition {
            let shared = std::fs::read_to_string(crate::folder().join(file))?;
            case.definition = serde_yaml_ng::from_str(&shared).with_context(|| file.clone())?;
        }
        Ok(case)
    }
}
