use serde::Serialize;
use unskew_definition::{BadRows, DataType, KafkaBinding, Name};

/// A source of events. Fields are named by their index in `fields`; times are
/// in microseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcePlan {
    /// Its name.
    pub name: Name,
    /// Its schema; the order decides the canonical bytes of a row.
    pub fields: Vec<SourceField>,
    /// When an event happened.
    pub event_timestamp: usize,
    /// When it was known.
    pub created_timestamp: Option<usize>,
    /// The time of its Kafka record.
    pub broker_timestamp: Option<usize>,
    /// Its partition; there with `offset` only.
    pub partition: Option<usize>,
    /// Its offset in the partition.
    pub offset: Option<usize>,
    /// By what copies of it are known.
    pub event_id: Option<usize>,
    /// How far behind the newest event the watermark stays.
    pub out_of_orderness_us: i64,
    /// How far ahead of the broker's time an event may move the watermark.
    pub max_future_skew_us: i64,
    /// How far behind the watermark an event still counts.
    pub allowed_lateness_us: i64,
    /// What becomes of rows without a readable time.
    pub bad_rows: BadRows,
    /// Paths, folders, globs and URLs, relative to the project.
    pub files: Vec<String>,
    /// Its Kafka topic.
    pub kafka: Option<KafkaBinding>,
    /// Whether events are taken by a push endpoint.
    pub push: bool,
}

impl SourcePlan {
    /// The index of the field called `name`.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == *name)
    }
}

/// The fields that arrive with an online request.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestSourcePlan {
    /// Its name.
    pub name: Name,
    /// Its fields.
    pub fields: Vec<SourceField>,
}

/// A field of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceField {
    /// Its name in definitions.
    pub name: Name,
    /// Its name in files and messages.
    pub column: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
}
