use std::fmt::Write as _;

use arrow::array::temporal_conversions::timestamp_us_to_datetime;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, TimestampMicrosecondType};

/// The header line of the CSV form.
pub(crate) fn csv_header(batch_schema: &arrow::datatypes::Schema) -> String {
    let names: Vec<&str> = batch_schema.fields().iter().map(|f| f.name().as_str()).collect();
    names.join(",") + "\n"
}

/// Appends the rows as lines of CSV; a null is an empty field.
pub(crate) fn append_csv(lines: &mut String, batch: &RecordBatch) {
    for row in 0..batch.num_rows() {
        for (i, column) in batch.columns().iter().enumerate() {
            if i > 0 {
                lines.push(',');
            }
            if column.is_valid(row) {
                append_value(lines, column.as_ref(), row);
            }
        }
        lines.push('\n');
    }
}

/// Appends the rows as lines of JSON; a null is `null`.
pub(crate) fn append_json(lines: &mut String, batch: &RecordBatch) {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        for (i, (column, field)) in batch.columns().iter().zip(schema.fields()).enumerate() {
            let opening = if i == 0 { '{' } else { ',' };
            write!(lines, "{opening}\"{}\":", field.name()).expect("memory");
            let quoted = !field.data_type().is_numeric();
            match (column.is_valid(row), quoted) {
                (false, _) => lines.push_str("null"),
                (true, false) => append_value(lines, column.as_ref(), row),
                (true, true) => {
                    lines.push('"');
                    append_value(lines, column.as_ref(), row);
                    lines.push('"');
                }
            }
        }
        lines.push_str("}\n");
    }
}

/// Neither form needs an escape: ids and event types are ASCII letters and
/// digits. Floats are printed so that they are read back to the same bits.
fn append_value(text: &mut String, column: &dyn Array, row: usize) {
    match column.data_type() {
        DataType::Timestamp(..) => {
            append_time(text, column.as_primitive::<TimestampMicrosecondType>().value(row));
            Ok(())
        }
        DataType::Int32 => write!(text, "{}", column.as_primitive::<Int32Type>().value(row)),
        DataType::Float64 => write!(text, "{}", column.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => {
            text.push_str(column.as_string::<i32>().value(row));
            Ok(())
        }
        other => panic!("events have no column of type {other}"),
    }
    .expect("memory");
}

/// Appends `2026-01-31T23:59:59.999999Z`.
fn append_time(text: &mut String, micros: i64) {
    let time = timestamp_us_to_datetime(micros).expect("events lie within a century");
    write!(text, "{}", time.format("%Y-%m-%dT%H:%M:%S%.6fZ")).expect("memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_dates() {
        for (micros, expected) in [
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_709_251_199_999_999, "2024-02-29T23:59:59.999999Z"),
            (crate::START_MICROS, "2026-01-01T00:00:00.000000Z"),
        ] {
            let mut text = String::new();
            append_time(&mut text, micros);
            assert_eq!(text, expected);
        }
    }
}
