use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use unskew_executor::rows::{Acceptance, AcceptedRows, FieldFault, SourceReader, SourceRows};
use unskew_plan::SourcePlan;
use unskew_registry::InputFile;

use crate::error::BatchError;
use crate::table_reader::TableReader;

/// The rows of a source's files with event times in this range, judged and put
/// in order. With `timeless` rows without a readable time are judged, too:
/// they are of no slice, and so of exactly one reading.
///
/// Judging a slice alone is sound where a source has no partition and offset:
/// then no row is late, and copies have one event time.
pub(crate) fn rows_of_slice(
    source: &Arc<SourcePlan>,
    files: &[(PathBuf, InputFile)],
    range: &Range<i64>,
    timeless: bool,
    cancelled: &dyn Fn() -> bool,
) -> Result<AcceptedRows, BatchError> {
    let columns: Vec<String> = source.fields.iter().map(|field| field.column.clone()).collect();
    let mut acceptance = Acceptance::new(Arc::clone(source));
    for (path, file) in files {
        let overlaps = match (file.first_event, file.last_event) {
            (Some(first), Some(last)) => first < range.end && last >= range.start,
            _ => false,
        };
        if !overlaps && !timeless {
            continue;
        }
        let in_file = |error| BatchError::Rows { path: path.clone(), source: error };
        let mut table = TableReader::open(path, None, Some(&columns), cancelled)?;
        let reader = SourceReader::new(source, table.schema()).map_err(in_file)?;
        let place: Arc<str> = path.display().to_string().into();
        while let Some((first_row, batch)) = table.next_batch()? {
            if cancelled() {
                return Err(BatchError::Cancelled);
            }
            let rows = reader.read(&batch).map_err(in_file)?;
            push_within(&mut acceptance, source, &rows, range, timeless, &place, first_row)
                .map_err(in_file)?;
        }
    }
    acceptance.finish().map_err(|error| BatchError::Rows {
        path: files.first().map(|(path, _)| path.clone()).unwrap_or_default(),
        source: error,
    })
}

/// Hands on the rows of the range, in runs that follow each other in the file.
fn push_within(
    acceptance: &mut Acceptance,
    source: &SourcePlan,
    rows: &SourceRows,
    range: &Range<i64>,
    timeless: bool,
    place: &Arc<str>,
    first_row: u64,
) -> Result<(), unskew_executor::rows::RowsError> {
    let times = rows.batch.column(source.event_timestamp);
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let is_wanted = |row: usize| match times.is_valid(row) {
        true => range.contains(&times.value(row)),
        false => timeless,
    };
    let mut row = 0;
    while row < times.len() {
        let start = row;
        let wanted = is_wanted(start);
        while row < times.len() && is_wanted(row) == wanted {
            row += 1;
        }
        if !wanted {
            continue;
        }
        let part = (start..row).map(|at| at as u32).collect::<Vec<u32>>();
        let faults = rows.faults.iter().filter(|fault| (start..row).contains(&fault.row));
        let part = SourceRows {
            batch: match part.len() == times.len() {
                true => rows.batch.clone(),
                false => take_record_batch(&rows.batch, &UInt32Array::from(part))?,
            },
            faults: faults
                .map(|fault| FieldFault { row: fault.row - start, ..fault.clone() })
                .collect(),
        };
        acceptance.push(&part, place, first_row + start as u64)?;
    }
    Ok(())
}
