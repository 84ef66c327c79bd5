//! Served answers computed once more, and what became other.

use std::time::{Duration, Instant};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::engine::{Ask, AskedTime, Engine, RawColumns, RawRow, Wanted};
use crate::error::OnlineError;
use crate::served_log::{ServedAnswer, served_answers, served_schema};

/// How long one answer may take.
const WITHIN: Duration = Duration::from_secs(60);

/// A feature whose value or status is another than was served.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// `view:feature@vN`.
    pub feature: String,
    /// The moment of asking, in microseconds.
    pub time_us: i64,
    /// Join keys and request fields, as JSON.
    pub inputs: String,
    /// Value and status as they were served, as JSON.
    pub served: String,
    /// The same as they are computed now.
    pub now: String,
    /// Why, as far as can be told.
    pub why: String,
}

/// The answers in rows of the log.
pub fn served_rows(batch: &RecordBatch) -> Result<Vec<ServedAnswer>, OnlineError> {
    if batch.schema().fields() != served_schema().fields() {
        let what = "this is no log of served answers, or one of another version".to_owned();
        return Err(OnlineError::Invalid(what));
    }
    let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    let text =
        |column: usize, row: usize| batch.column(column).as_string::<i32>().value(row).to_owned();
    let of = |row: usize| ServedAnswer {
        time: times.value(row),
        service: text(1, row),
        features: text(2, row),
        inputs: text(3, row),
        answers: text(4, row),
        modules: text(5, row),
        evaluator: text(6, row),
    };
    Ok((0..times.len()).map(of).collect())
}

impl Engine {
    /// Computes a served answer once more, as of its time, and says what is
    /// other than it was.
    pub async fn replay(&self, served: &ServedAnswer) -> Result<Vec<Difference>, OnlineError> {
        let features: Vec<String> = serde_json::from_str(&served.features)
            .map_err(|error| OnlineError::Invalid(format!("features: {error}")))?;
        let row: RawRow<'_> = serde_json::from_str(&served.inputs)
            .map_err(|error| OnlineError::Invalid(format!("inputs: {error}")))?;
        let columns = RawColumns::of_rows(std::slice::from_ref(&row))?;
        let ask = Ask {
            wanted: Wanted::Features(&features),
            columns: &columns,
            time: AskedTime::At(served.time),
            max_entities: 1,
            until: Instant::now() + WITHIN,
        };
        let answer = self.answer(ask).await?;
        let errors: Map<String, Value> = answer
            .outputs()
            .filter_map(|(output, answered)| {
                let (_, why) = answered.errors.first()?;
                Some((output.reference.clone(), why.as_str().into()))
            })
            .collect();
        let evaluator = &self.project().evaluator;
        let service = Some(served.service.as_str());
        let now = served_answers(&answer, service, &columns, evaluator, &[0]);
        let Some(now) = now.into_iter().next() else {
            return Err(OnlineError::Internal("nothing was answered".to_owned()));
        };
        differences(served, &now, &errors)
    }
}

/// Value and status of each feature, as they were printed.
#[derive(Deserialize)]
struct Printed<'a>(#[serde(borrow)] std::collections::BTreeMap<String, &'a RawValue>);

fn differences(
    served: &ServedAnswer,
    now: &ServedAnswer,
    errors: &Map<String, Value>,
) -> Result<Vec<Difference>, OnlineError> {
    let wrong = |error: serde_json::Error| OnlineError::Invalid(format!("answers: {error}"));
    let Printed(then) = serde_json::from_str(&served.answers).map_err(wrong)?;
    let Printed(computed) = serde_json::from_str(&now.answers).map_err(wrong)?;
    let mut found = Vec::new();
    for (feature, value) in then {
        let again = computed.get(&feature).map_or("nothing", |value| value.get());
        if again == value.get() {
            continue;
        }
        found.push(Difference {
            why: why(served, now, errors.get(&feature).and_then(Value::as_str)),
            feature,
            time_us: served.time,
            inputs: served.inputs.clone(),
            served: value.get().to_owned(),
            now: again.to_owned(),
        });
    }
    Ok(found)
}

/// What may have made an answer another: code, host, or rows.
fn why(served: &ServedAnswer, now: &ServedAnswer, error: Option<&str>) -> String {
    if let Some(error) = error {
        return format!("it cannot be computed: {error}");
    }
    if served.evaluator != now.evaluator {
        return format!("the evaluator was {}, and is {}", served.evaluator, now.evaluator);
    }
    let modules = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
    let (then, today) = (modules(&served.modules), modules(&now.modules));
    let changed = then.iter().filter(|(name, digest)| today.get(*name) != Some(digest));
    let changed: Vec<&str> = changed.map(|(name, _)| name.as_str()).collect();
    if !changed.is_empty() {
        return format!("modules are others than they were: {}", changed.join(", "));
    }
    "the same code sees other rows: some came after the answer with times before it, or files were materialized again; or the store was not whole when it was served".to_owned()
}
