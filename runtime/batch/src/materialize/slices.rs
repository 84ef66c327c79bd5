use std::collections::BTreeSet;
use std::ops::Range;

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use sha2::{Digest as _, Sha256};

use crate::error::BatchError;

pub(crate) const DAY_US: i64 = 86_400_000_000;

/// A day, as the number of days since 1970-01-01.
pub(crate) type Day = i64;

/// The day of a time in microseconds.
pub(crate) fn day_of(time: i64) -> Day {
    time.div_euclid(DAY_US)
}

/// The times of a day.
pub(crate) fn times_of(day: Day) -> Range<i64> {
    day.saturating_mul(DAY_US)..day.saturating_add(1).saturating_mul(DAY_US)
}

/// A day as `YYYY-MM-DD`.
pub(crate) fn date_of(day: Day) -> String {
    let date = i32::try_from(day).ok().and_then(arrow::temporal_conversions::date32_to_datetime);
    date.map_or_else(|| format!("day{day}"), |date| date.format("%Y-%m-%d").to_string())
}

/// The days that these times touch.
pub(crate) fn days_within(times: Range<i64>) -> Range<Day> {
    if times.is_empty() {
        return 0..0;
    }
    day_of(times.start)..day_of(times.end - 1) + 1
}

/// The days that any of these ranges, both ends included, touch.
pub(crate) fn days_touched(ranges: &[(i64, i64)]) -> BTreeSet<Day> {
    // Files may span centuries; a day is a slice only where a file has rows, so
    // callers cut this to what they materialize.
    ranges.iter().flat_map(|(first, last)| day_of(*first)..=day_of(*last)).collect()
}

/// The rows of a view's table that are materialized as of a time: of what
/// windows emit that before their end.
pub(crate) fn slice_times(table: &RecordBatch, at: usize, emits: bool) -> Vec<i64> {
    let times = table.column(at).as_primitive::<TimestampMicrosecondType>().values();
    times.iter().map(|time| if emits { time.saturating_sub(1) } else { *time }).collect()
}

/// The rows whose time is in the range.
pub(crate) fn rows_within(
    table: &RecordBatch,
    times: &[i64],
    range: &Range<i64>,
) -> Result<RecordBatch, BatchError> {
    let rows: Vec<u32> =
        (0_u32..).zip(times).filter(|(_, time)| range.contains(time)).map(|(row, _)| row).collect();
    if rows.len() == table.num_rows() {
        return Ok(table.clone());
    }
    take_record_batch(table, &UInt32Array::from(rows)).map_err(internal)
}

/// What a day holds once the rows of `range` are replaced.
pub(crate) fn replaced(
    before: Option<RecordBatch>,
    new: RecordBatch,
    range: &Range<i64>,
    times: impl Fn(&RecordBatch) -> Vec<i64>,
) -> Result<RecordBatch, BatchError> {
    let Some(before) = before else { return Ok(new) };
    let kept = times(&before);
    let first = rows_within(&before, &kept, &(i64::MIN..range.start))?;
    let last = rows_within(&before, &kept, &(range.end..i64::MAX))?;
    if first.num_rows() + last.num_rows() == 0 {
        return Ok(new);
    }
    concat_batches(&new.schema(), [&first, &new, &last]).map_err(internal)
}

/// A digest of a table's columns and values: SHA-256 of their names, types and
/// canonical bytes, so that it does not depend on how buffers lie.
pub(crate) fn digest_of(table: &RecordBatch) -> Result<String, BatchError> {
    let mut digest = Sha256::new();
    for (field, column) in table.schema().fields().iter().zip(table.columns()) {
        digest.update(field.name().as_bytes());
        digest.update(field.data_type().to_string().as_bytes());
        let rows = unskew_executor::rows::CanonicalBytes::new(vec![std::sync::Arc::clone(column)]);
        let mut bytes = Vec::new();
        for row in 0..column.len() {
            rows.append(row, &mut bytes);
            if bytes.len() > 1 << 16 {
                digest.update(&bytes);
                bytes.clear();
            }
        }
        digest.update(&bytes);
    }
    Ok(hex(&digest.finalize()))
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn internal(error: arrow::error::ArrowError) -> BatchError {
    BatchError::Internal { path: "materialize".into(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_before_and_after_1970() {
        assert_eq!(day_of(0), 0);
        assert_eq!(day_of(-1), -1);
        assert_eq!(date_of(-1), "1969-12-31");
        assert_eq!(date_of(20_454), "2026-01-01");
        assert_eq!(days_within(0..DAY_US), 0..1);
        assert_eq!(days_within(-1..DAY_US + 1), -1..2);
        assert!(days_within(5..5).is_empty());
        assert_eq!(times_of(-1), -DAY_US..0);
    }
}
