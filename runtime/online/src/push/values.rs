//! Values of features that were computed elsewhere, as rows of a latest view's
//! table: each checked against its type, and against what its definition says
//! of nulls.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::DataType as ArrowType;
use unskew_definition::DataType;
use unskew_executor::service::ViewOperator;
use unskew_plan::WindowPlan;

use crate::engine::RawColumns;
use crate::error::OnlineError;

/// What Feast's client calls the times.
const EVENT: &str = "event_timestamp";
const CREATED: [&str; 2] = ["created_timestamp", "created"];

/// The table of the values that `columns` give.
pub(super) fn written_values(
    operator: &ViewOperator,
    columns: &RawColumns<'_>,
    now: i64,
) -> Result<RecordBatch, OnlineError> {
    let view = operator.view();
    let id = &view.id;
    if view.window != WindowPlan::Latest {
        return Err(OnlineError::Invalid(format!(
            "{id} aggregates rows, so a value of it cannot be written; push rows of {} instead (/push)",
            view.source.name
        )));
    }
    let rows = columns.rows()?;
    let schema = operator.table_schema();
    let mut arrays: Vec<Option<ArrayRef>> = vec![None; schema.fields().len()];
    for (at, key) in view.join_keys.iter().enumerate() {
        let name = key.name.as_str();
        let values = columns.read(name, "the join key", &key.data_type)?;
        let values = values.ok_or_else(|| {
            OnlineError::Invalid(format!("{id}: the join key {name:?} is missing"))
        })?;
        refuse_nulls(name, &values)?;
        arrays[at] = Some(values);
    }
    let keys = view.join_keys.len();
    let events = columns.read(EVENT, "the column", &DataType::Timestamp)?.ok_or_else(|| {
        OnlineError::Invalid(format!(
            "{id}: the column {EVENT:?} is missing: when the values hold from"
        ))
    })?;
    refuse_nulls(EVENT, &events)?;
    arrays[keys] = Some(events);
    if view.source.created_timestamp.is_some() || view.source.broker_timestamp.is_some() {
        arrays[keys + 1] = Some(created(columns, rows, now)?);
    }
    // A feature that is a column of the view's table can be written; any other is
    // made of those when it is read.
    let first = operator.first_table_value();
    for feature in &view.features {
        let column = &view.columns.get(feature.column);
        let place = column.and_then(|column| {
            let values = schema.fields().iter().enumerate().skip(first);
            let mut values = values.filter(|(_, field)| *field.name() == column.name.as_str());
            values.next().map(|(at, _)| at)
        });
        let name = feature.name.as_str();
        let given = columns.read(name, "the feature", &feature.data_type)?;
        match (given, place) {
            (None, _) => {}
            (Some(values), Some(place)) => {
                if !feature.nullable {
                    refuse_nulls(name, &values)?;
                }
                arrays[place] = Some(values);
            }
            (Some(_), None) => {
                return Err(OnlineError::Invalid(format!(
                    "{id}: {name:?} is computed from other columns of the view when it is read; write those"
                )));
            }
        }
    }
    let known = |name: &str| {
        name == EVENT
            || CREATED.contains(&name)
            || view.join_keys.iter().any(|key| key.name == *name)
            || view.feature(name).is_some()
    };
    if let Some(unknown) = columns.names().find(|name| !known(name)) {
        let features = view.features.iter().map(|feature| feature.name.as_str());
        let fix = unskew_definition::meant(unknown, features);
        return Err(OnlineError::Invalid(format!("{id} has no feature {unknown:?}; {fix}")));
    }
    let arrays = schema
        .fields()
        .iter()
        .zip(arrays)
        .map(|(field, array)| array.unwrap_or_else(|| new_null_array(field.data_type(), rows)));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&schema), arrays.collect(), &options)
        .map_err(|error| OnlineError::Internal(error.to_string()))
}

/// When the values were known: now, where the client does not say.
fn created(columns: &RawColumns<'_>, rows: usize, now: i64) -> Result<ArrayRef, OnlineError> {
    let now = || -> ArrayRef {
        let times = arrow::array::TimestampMicrosecondArray::from(vec![now; rows]);
        Arc::new(times.with_timezone("UTC"))
    };
    for name in CREATED {
        if let Some(values) = columns.read(name, "the column", &DataType::Timestamp)? {
            if values.null_count() == rows {
                return Ok(now());
            }
            refuse_nulls(name, &values)?;
            debug_assert!(matches!(values.data_type(), ArrowType::Timestamp(..)));
            return Ok(values);
        }
    }
    Ok(now())
}

fn refuse_nulls(name: &str, values: &ArrayRef) -> Result<(), OnlineError> {
    let null = (0..values.len()).find(|row| values.is_null(*row));
    null.map_or(Ok(()), |row| {
        Err(OnlineError::Invalid(format!("{name:?}, row {row}: it is null, which it must not be")))
    })
}
