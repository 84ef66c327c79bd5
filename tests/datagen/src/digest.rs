use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, TimestampMicrosecondType};
use sha2::{Digest, Sha256};

/// The SHA-256 of the values of events, whatever file or batches hold them.
///
/// Row by row and column by column it takes a presence byte and the value:
/// numbers big-endian, floats by their bits, text behind its length of 4 bytes.
#[derive(Default)]
pub struct DataDigest {
    hasher: Sha256,
    row: Vec<u8>,
}

impl DataDigest {
    /// Takes in the rows of one batch. Panics on a type that events have not.
    pub fn update(&mut self, batch: &RecordBatch) {
        for row in 0..batch.num_rows() {
            self.row.clear();
            for column in batch.columns() {
                push_value(&mut self.row, column.as_ref(), row);
            }
            self.hasher.update(&self.row);
        }
    }

    /// The digest as 64 hexadecimal digits.
    pub fn finish(self) -> String {
        self.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn push_value(bytes: &mut Vec<u8>, column: &dyn Array, row: usize) {
    bytes.push(u8::from(column.is_valid(row)));
    if column.is_null(row) {
        return;
    }
    match column.data_type() {
        DataType::Timestamp(..) => {
            bytes.extend(column.as_primitive::<TimestampMicrosecondType>().value(row).to_be_bytes())
        }
        DataType::Int32 => {
            bytes.extend(column.as_primitive::<Int32Type>().value(row).to_be_bytes());
        }
        DataType::Float64 => {
            let bits = column.as_primitive::<Float64Type>().value(row).to_bits();
            bytes.extend(bits.to_be_bytes());
        }
        DataType::Utf8 => {
            let text = column.as_string::<i32>().value(row);
            bytes.extend((text.len() as u32).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        other => panic!("events have no column of type {other}"),
    }
}
