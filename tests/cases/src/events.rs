use std::sync::Arc;

use anyhow::{Context as _, bail};
use arrow::array::{
    ArrayRef, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use serde_json::{Map, Value};
use unskew_definition::parse_duration;
use unskew_plan::SourcePlan;

use crate::case::{Events, Generate};
use crate::values::{parse_time, spelled};

/// Events of a source as a table of texts, as a CSV file would have them;
/// generated times as times. Its columns are named as in the source's files.
pub fn event_batch(events: &Events, source: &SourcePlan) -> anyhow::Result<RecordBatch> {
    let columns: Vec<String> = source.fields.iter().map(|field| field.name.to_string()).collect();
    let (rows, arrays) = match events {
        Events::Rows(rows) => {
            for row in rows {
                if let Some(unknown) = row.keys().find(|name| !columns.contains(*name)) {
                    bail!("an event has a field {unknown:?}, which the source does not declare");
                }
            }
            let column = |name: &String| -> ArrayRef {
                Arc::new(StringArray::from_iter(rows.iter().map(|row| spelled(row.get(name)))))
            };
            (rows.len(), columns.iter().map(column).collect::<Vec<_>>())
        }
        Events::Generated { generate: Generate { rows, fields } } => {
            let column = |name: &String| match fields.get(name) {
                Some(Value::Object(formula)) => generated(formula, *rows),
                constant => {
                    let text = spelled(constant);
                    Ok(Arc::new(StringArray::from_iter((0..*rows).map(|_| text.as_deref()))) as _)
                }
            };
            let columns = columns.iter().map(|name| column(name).with_context(|| name.clone()));
            (*rows, columns.collect::<anyhow::Result<_>>()?)
        }
    };
    let fields = source.fields.iter().zip(&arrays);
    let fields =
        fields.map(|(field, array)| Field::new(&field.column, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}

fn generated(formula: &Map<String, Value>, rows: usize) -> anyhow::Result<ArrayRef> {
    let whole = |name: &str, otherwise: i64| match formula.get(name) {
        None => Ok(otherwise),
        Some(value) => value.as_i64().with_context(|| format!("{name} is no whole number")),
    };
    let (modulo, every) = (whole("modulo", i64::MAX)?, whole("every", 1)?);
    let counts = (0..rows as i64).map(|row| (row / every) % modulo);
    if let (Some(Value::String(first)), Some(Value::String(step))) =
        (formula.get("first"), formula.get("step"))
    {
        let (first, step) = (parse_time(first)?, parse_duration(step)?);
        let times: Vec<i64> = counts.map(|count| first + step * count).collect();
        return Ok(Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")));
    }
    let prefix = formula.get("prefix").and_then(Value::as_str).unwrap_or_default();
    let is_float =
        ["first", "step"].iter().any(|name| formula.get(*name).is_some_and(Value::is_f64));
    if is_float {
        let float = |name: &str, otherwise: f64| match formula.get(name) {
            None => Ok(otherwise),
            Some(value) => value.as_f64().with_context(|| format!("{name} is no number")),
        };
        let (first, step) = (float("first", 0.0)?, float("step", 1.0)?);
        let texts = counts.map(|count| format!("{prefix}{:?}", first + step * count as f64));
        return Ok(Arc::new(StringArray::from_iter_values(texts)));
    }
    let (first, step) = (whole("first", 0)?, whole("step", 1)?);
    let texts = counts.map(|count| format!("{prefix}{}", first + step * count));
    Ok(Arc::new(StringArray::from_iter_values(texts)))
}
