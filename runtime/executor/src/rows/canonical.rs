use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};

/// Appends the canonical bytes of rows: each column in turn, a presence byte
/// (0 for null) and then the value, big-endian; floats by their total-order
/// bits; text, binary and lists prefixed by their length in 4 bytes.
///
/// Equal rows have equal bytes, and no row's bytes are the beginning of
/// another's, so they name keys and break ties between rows.
pub struct CanonicalBytes {
    columns: Vec<ArrayRef>,
}

impl CanonicalBytes {
    /// Of rows of these columns, which are of types that
    /// [`unskew_definition::DataType::to_arrow`] gives.
    pub fn new(columns: Vec<ArrayRef>) -> Self {
        Self { columns }
    }

    /// The columns.
    pub(crate) fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// Appends the bytes of `row`.
    pub fn append(&self, row: usize, bytes: &mut Vec<u8>) {
        for column in &self.columns {
            append_value(column.as_ref(), row, bytes);
        }
    }

    /// The bytes of `row`.
    pub fn of(&self, row: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append(row, &mut bytes);
        bytes
    }

    /// Whether any of the columns is null at `row`.
    pub fn has_null(&self, row: usize) -> bool {
        self.columns.iter().any(|column| column.is_null(row))
    }
}

fn append_value(array: &dyn Array, row: usize, bytes: &mut Vec<u8>) {
    if array.is_null(row) {
        bytes.push(0);
        return;
    }
    bytes.push(1);
    match array.data_type() {
        ArrowType::Boolean => bytes.push(u8::from(array.as_boolean().value(row))),
        ArrowType::Int8 => bytes.extend(native::<Int8Type>(array, row).to_be_bytes()),
        ArrowType::Int16 => bytes.extend(native::<Int16Type>(array, row).to_be_bytes()),
        ArrowType::Int32 => bytes.extend(native::<Int32Type>(array, row).to_be_bytes()),
        ArrowType::Int64 => bytes.extend(native::<Int64Type>(array, row).to_be_bytes()),
        ArrowType::UInt8 => bytes.push(native::<UInt8Type>(array, row)),
        ArrowType::UInt16 => bytes.extend(native::<UInt16Type>(array, row).to_be_bytes()),
        ArrowType::UInt32 => bytes.extend(native::<UInt32Type>(array, row).to_be_bytes()),
        ArrowType::UInt64 => bytes.extend(native::<UInt64Type>(array, row).to_be_bytes()),
        ArrowType::Date32 => bytes.extend(native::<Date32Type>(array, row).to_be_bytes()),
        ArrowType::Timestamp(_, _) => {
            bytes.extend(native::<TimestampMicrosecondType>(array, row).to_be_bytes());
        }
        ArrowType::Decimal128(_, _) => {
            bytes.extend(native::<Decimal128Type>(array, row).to_be_bytes());
        }
        ArrowType::Float32 => {
            let bits = native::<Float32Type>(array, row).to_bits();
            bytes.extend(total_order(u64::from(bits) << 32).to_be_bytes().iter().take(4));
        }
        ArrowType::Float64 => {
            let bits = native::<Float64Type>(array, row).to_bits();
            bytes.extend(total_order(bits).to_be_bytes());
        }
        ArrowType::Utf8 => append_sized(array.as_string::<i32>().value(row).as_bytes(), bytes),
        ArrowType::Binary => append_sized(array.as_binary::<i32>().value(row), bytes),
        ArrowType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            append_length(items.len(), bytes);
            (0..items.len()).for_each(|item| append_value(items.as_ref(), item, bytes));
        }
        ArrowType::FixedSizeList(_, _) => {
            let items = array.as_fixed_size_list().value(row);
            append_length(items.len(), bytes);
            (0..items.len()).for_each(|item| append_value(items.as_ref(), item, bytes));
        }
        ArrowType::Struct(_) => {
            for field in array.as_struct().columns() {
                append_value(field.as_ref(), row, bytes);
            }
        }
        other => unreachable!("no field of a source is {other}"),
    }
}

fn native<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// The bits of a float so that their order as a number is the total order of
/// floats (IEEE 754-2019, 5.10).
fn total_order(bits: u64) -> u64 {
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn append_sized(value: &[u8], bytes: &mut Vec<u8>) {
    append_length(value.len(), bytes);
    bytes.extend_from_slice(value);
}

fn append_length(length: usize, bytes: &mut Vec<u8>) {
    // Arrow's offsets are 32 bits wide, so no value is longer.
    bytes.extend((length as u32).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, Float64Array, Int32Array, StringArray};

    use super::*;

    #[test]
    fn a_row_is_its_columns_in_turn() {
        let rows = CanonicalBytes::new(vec![
            Arc::new(Int32Array::from(vec![Some(-2), None])),
            Arc::new(StringArray::from(vec!["a\0", ""])),
        ]);
        assert_eq!(rows.of(0), [1, 0xff, 0xff, 0xff, 0xfe, 1, 0, 0, 0, 2, b'a', 0]);
        assert_eq!(rows.of(1), [0, 1, 0, 0, 0, 0]);
        assert!(rows.has_null(1) && !rows.has_null(0));
    }

    #[test]
    fn floats_stand_in_total_order() {
        let ascending =
            [f64::NEG_INFINITY, -1.5, -5e-324, -0.0, 0.0, 5e-324, 2.0, f64::INFINITY, f64::NAN];
        let wide = CanonicalBytes::new(vec![Arc::new(Float64Array::from(ascending.to_vec()))]);
        let narrow = ascending.map(|x| x as f32);
        let narrow = CanonicalBytes::new(vec![Arc::new(Float32Array::from(narrow.to_vec()))]);
        for row in 1..ascending.len() {
            assert!(wide.of(row - 1) < wide.of(row), "{row}");
            assert_eq!(narrow.of(row).len(), 5);
            assert!(narrow.of(row - 1) <= narrow.of(row), "{row}");
        }
    }
}
