use arrow::array::{Array, AsArray, BinaryArray, BinaryBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Int64Type, UInt32Type};

use crate::evaluation_error::EvaluationError;
use crate::point_in_time::EventIndex;
use crate::rows::{AcceptedRows, CanonicalBytes};

/// What breaks ties between the rows `rows` of a source, as bytes in the order
/// of the keys: partition and offset, or the row's canonical bytes. Null for a
/// row whose entity has no other one with its times, unless `all` are wanted.
pub(crate) fn order_keys(
    source: &AcceptedRows,
    rows: &[u32],
    index: &EventIndex,
    all: bool,
) -> Result<BinaryArray, EvaluationError> {
    let mut is_tied = vec![all; rows.len()];
    if !all {
        let created = source.created_timestamps.as_deref();
        let times = |row: u32| {
            let at = rows[row as usize] as usize;
            (source.event_timestamps[at], created.map(|created| created[at]))
        };
        for entity in 0..index.entity_count() as u32 {
            for place in index.places(entity).skip(1) {
                let (before, row) = (index.row(place - 1), index.row(place));
                if times(before) == times(row) {
                    is_tied[before as usize] = true;
                    is_tied[row as usize] = true;
                }
            }
        }
    }
    let mut keys = BinaryBuilder::with_capacity(rows.len(), 0);
    let plan = &source.source;
    let log = match (plan.partition, plan.offset) {
        (Some(partition), Some(offset)) => Some((
            cast(source.batch.column(partition), &ArrowType::UInt32)?,
            cast(source.batch.column(offset), &ArrowType::Int64)?,
        )),
        _ => None,
    };
    let bytes = CanonicalBytes::new(source.batch.columns().to_vec());
    let mut key = Vec::new();
    for (row, is_tied) in rows.iter().zip(is_tied) {
        if !is_tied {
            keys.append_null();
            continue;
        }
        let at = *row as usize;
        key.clear();
        match &log {
            Some((partitions, offsets)) => {
                let offset = offsets.as_primitive::<Int64Type>().value(at);
                key.extend(partitions.as_primitive::<UInt32Type>().value(at).to_be_bytes());
                key.extend((offset ^ i64::MIN).to_be_bytes());
            }
            None => bytes.append(at, &mut key),
        }
        keys.append_value(&key);
    }
    Ok(keys.finish())
}

/// The same with empty bytes in the place of nulls: where there is no tie, they
/// decide nothing.
pub(crate) fn without_nulls(keys: &BinaryArray) -> BinaryArray {
    match keys.null_count() {
        0 => keys.clone(),
        _ => BinaryArray::from_iter_values(keys.iter().map(Option::unwrap_or_default)),
    }
}
