//! What was served, for `unskew replay`: of a share of all entities the inputs,
//! the values and what computed them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use serde_json::{Map, Value};
use unskew_column::text::ColumnPrinter;

use crate::engine::{Answer, RawColumns};
use crate::error::OnlineError;
use crate::http::ended;
use crate::measure::Counter;

/// Rows that wait to be written, at most; more are left out and counted.
const MAX_WAITING: usize = 100_000;
/// How long rows wait.
const EVERY: Duration = Duration::from_secs(5);

/// Where served answers are kept.
#[async_trait]
pub trait ServedSink: Send + Sync {
    /// Appends rows of [`served_schema`].
    async fn append(&self, rows: RecordBatch) -> Result<(), OnlineError>;
}

/// The columns of the log: a row for each entity of a request.
pub fn served_schema() -> SchemaRef {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        // The moment of asking.
        Field::new("time", utc, false),
        // The service; empty where features were named.
        text("service"),
        // `view:feature@vN`, as a JSON list.
        text("features"),
        // Join keys and request fields, as a JSON object.
        text("inputs"),
        // By feature its value and true status, as JSON.
        text("answers"),
        // Modules and their digests, as JSON.
        text("modules"),
        text("evaluator"),
    ]))
}

/// An answer to one entity, as it was served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedAnswer {
    /// The moment of asking, in microseconds.
    pub time: i64,
    /// The service; empty where features were named.
    pub service: String,
    /// JSON, as [`served_schema`] says.
    pub features: String,
    /// JSON.
    pub inputs: String,
    /// JSON.
    pub answers: String,
    /// JSON.
    pub modules: String,
    /// What decided the values beside modules.
    pub evaluator: String,
}

/// Collects answers and hands them on.
pub(crate) struct ServedLog {
    /// Of 2^32 hashes those below are kept.
    below: u64,
    evaluator: String,
    waiting: Mutex<Vec<ServedAnswer>>,
    sink: Arc<dyn ServedSink>,
    pub(crate) lost: Counter,
}

impl ServedLog {
    pub(crate) fn new(share: f64, evaluator: String, sink: Arc<dyn ServedSink>) -> Self {
        let below = (share * (1_u64 << 32) as f64) as u64;
        let waiting = Mutex::default();
        Self { below, evaluator, waiting, sink, lost: Counter::default() }
    }

    /// Keeps the answers of those entities that belong to the share.
    pub(crate) fn note(&self, answer: &Answer, service: Option<&str>, columns: &RawColumns<'_>) {
        let kept: Vec<usize> = (0..answer.rows()).filter(|row| self.keeps(answer, *row)).collect();
        if kept.is_empty() {
            return;
        }
        let rows = served_answers(answer, service, columns, &self.evaluator, &kept);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_WAITING.saturating_sub(waiting.len());
        self.lost.add(rows.len().saturating_sub(room) as u64);
        waiting.extend(rows.into_iter().take(room));
    }

    /// By the entity's keys alone: an entity is in the log with all of its
    /// answers, or with none.
    fn keeps(&self, answer: &Answer, row: usize) -> bool {
        let mut key = Vec::new();
        for (name, values) in &answer.keys {
            key.extend_from_slice(name.as_bytes());
            key.push(0);
            if let Ok(printer) = ColumnPrinter::new(&values.slice(row, 1)) {
                printer.print_json(0, &mut key);
            }
            key.push(0);
        }
        let hash = blake3::hash(&key);
        let [a, b, c, d, ..] = *hash.as_bytes();
        u64::from(u32::from_le_bytes([a, b, c, d])) < self.below
    }

    /// Hands on what waits, now and then, until told to end.
    pub(crate) async fn run(&self, mut end: tokio::sync::watch::Receiver<bool>) {
        loop {
            let ends = tokio::time::timeout(EVERY, ended(&mut end)).await.is_ok();
            self.flush().await;
            if ends {
                return;
            }
        }
    }

    async fn flush(&self) {
        let rows = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        if rows.is_empty() {
            return;
        }
        let count = rows.len() as u64;
        let done = match served_batch(&rows) {
            Ok(batch) => self.sink.append(batch).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            self.lost.add(count);
            tracing::error!(%error, rows = count, "served answers could not be kept");
        }
    }
}

/// The answers at these rows as the log keeps them.
pub(crate) fn served_answers(
    answer: &Answer,
    service: Option<&str>,
    columns: &RawColumns<'_>,
    evaluator: &str,
    rows: &[usize],
) -> Vec<ServedAnswer> {
    let references: Vec<&str> =
        answer.outputs().map(|(output, _)| output.reference.as_str()).collect();
    let features = serde_json::to_string(&references).unwrap_or_default();
    let mut modules = Map::new();
    for (output, _) in answer.outputs() {
        for (name, digest) in &output.modules {
            modules.insert(name.to_string(), digest.as_str().into());
        }
    }
    let modules = Value::Object(modules).to_string();
    let printers: Vec<Option<ColumnPrinter>> =
        answer.features.iter().map(|f| ColumnPrinter::new(&f.values).ok()).collect();
    let of = |row: &usize| {
        let mut inputs = Map::new();
        for name in columns.names() {
            let value = columns.get(name).and_then(|values| values.get(*row));
            let value = value.and_then(|value| serde_json::from_str(value.get()).ok());
            inputs.insert(name.to_owned(), value.unwrap_or(Value::Null));
        }
        let mut answers = Map::new();
        for ((output, answered), printer) in answer.outputs().zip(&printers) {
            let mut text = Vec::new();
            match printer {
                Some(printer) => printer.print_json(*row, &mut text),
                None => text.extend_from_slice(b"null"),
            }
            // As text, so that its very digits are compared.
            let value = String::from_utf8_lossy(&text).into_owned();
            let status = answered.statuses[*row].as_str();
            let entry = serde_json::json!({ "value": value, "status": status });
            answers.insert(output.reference.clone(), entry);
        }
        ServedAnswer {
            time: answer.times[*row],
            service: service.unwrap_or_default().to_owned(),
            features: features.clone(),
            inputs: Value::Object(inputs).to_string(),
            answers: Value::Object(answers).to_string(),
            modules: modules.clone(),
            evaluator: evaluator.to_owned(),
        }
    };
    rows.iter().map(of).collect()
}

/// Served answers as rows of [`served_schema`].
pub fn served_batch(rows: &[ServedAnswer]) -> Result<RecordBatch, OnlineError> {
    let texts = |of: fn(&ServedAnswer) -> &str| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
    };
    let times = rows.iter().map(|row| row.time).collect::<Vec<_>>();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
        texts(|row| &row.service),
        texts(|row| &row.features),
        texts(|row| &row.inputs),
        texts(|row| &row.answers),
        texts(|row| &row.modules),
        texts(|row| &row.evaluator),
    ];
    RecordBatch::try_new(served_schema(), columns)
        .map_err(|error| OnlineError::Internal(error.to_string()))
}
