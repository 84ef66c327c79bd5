//! Values as Feast's feature server writes them: native JSON, times as whole
//! seconds, NaN and infinities as protobuf's JSON names them.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, DecimalType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::ser::CompactFormatter;

const SECONDS_OF_DAY: i64 = 86_400;

/// Appends the value at `row`.
pub(crate) fn write(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match array.data_type() {
        ArrowType::Boolean => {
            let value = array.as_boolean().value(row);
            out.extend_from_slice(if value { b"true" } else { b"false" });
        }
        ArrowType::Int8 => integer(array.as_primitive::<Int8Type>().value(row), out),
        ArrowType::Int16 => integer(array.as_primitive::<Int16Type>().value(row), out),
        ArrowType::Int32 => integer(array.as_primitive::<Int32Type>().value(row), out),
        ArrowType::Int64 => integer(array.as_primitive::<Int64Type>().value(row), out),
        ArrowType::UInt8 => integer(array.as_primitive::<UInt8Type>().value(row), out),
        ArrowType::UInt16 => integer(array.as_primitive::<UInt16Type>().value(row), out),
        ArrowType::UInt32 => integer(array.as_primitive::<UInt32Type>().value(row), out),
        ArrowType::UInt64 => integer(array.as_primitive::<UInt64Type>().value(row), out),
        // As the double that a float of protobuf is to Python.
        ArrowType::Float32 => float(array.as_primitive::<Float32Type>().value(row).into(), out),
        ArrowType::Float64 => float(array.as_primitive::<Float64Type>().value(row), out),
        ArrowType::Utf8 => text(array.as_string::<i32>().value(row), out),
        ArrowType::Binary => text(&BASE64.encode(array.as_binary::<i32>().value(row)), out),
        ArrowType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            integer(i64::from(days) * SECONDS_OF_DAY, out);
        }
        ArrowType::Timestamp(_, _) => {
            let us = array.as_primitive::<TimestampMicrosecondType>().value(row);
            integer(us.div_euclid(1_000_000), out);
        }
        ArrowType::Decimal128(precision, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            text(&Decimal128Type::format_decimal(value, *precision, *scale), out);
        }
        ArrowType::List(_) => list(&array.as_list::<i32>().value(row), out),
        ArrowType::FixedSizeList(_, _) => list(&array.as_fixed_size_list().value(row), out),
        ArrowType::Struct(fields) => {
            out.push(b'{');
            for (at, (field, column)) in fields.iter().zip(array.as_struct().columns()).enumerate()
            {
                if at > 0 {
                    out.push(b',');
                }
                text(field.name(), out);
                out.push(b':');
                write(column.as_ref(), row, out);
            }
            out.push(b'}');
        }
        // There is no feature of another type.
        _ => out.extend_from_slice(b"null"),
    }
}

fn list(items: &dyn Array, out: &mut Vec<u8>) {
    out.push(b'[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(b',');
        }
        write(items, item, out);
    }
    out.push(b']');
}

pub(crate) fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn float(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    } else {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    }
}

/// Appends a JSON string.
pub(crate) fn text(value: &str, out: &mut Vec<u8>) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if value.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
        return;
    }
    // Writing to memory does not fail.
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, CompactFormatter);
    let _ = serde::Serializer::serialize_str(&mut serializer, value);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, Decimal128Array, Float32Array, Float64Array, Int64Array,
        StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    fn written(array: ArrayRef) -> Vec<String> {
        let of = |row| {
            let mut out = Vec::new();
            write(array.as_ref(), row, &mut out);
            String::from_utf8(out).unwrap()
        };
        (0..array.len()).map(of).collect()
    }

    #[test]
    fn values_are_what_feast_writes() {
        let big = Int64Array::from(vec![Some(9_007_199_254_740_993), None]);
        assert_eq!(written(Arc::new(big)), ["9007199254740993", "null"]);
        let narrow = Float32Array::from(vec![0.1, f32::NAN, f32::NEG_INFINITY]);
        assert_eq!(written(Arc::new(narrow)), ["0.10000000149011612", "\"NaN\"", "\"-Infinity\""]);
        assert_eq!(written(Arc::new(Float64Array::from(vec![0.1, 2.0]))), ["0.1", "2.0"]);
        assert_eq!(written(Arc::new(StringArray::from(vec!["a\"\n"]))), ["\"a\\\"\\n\""]);
        assert_eq!(written(Arc::new(BinaryArray::from_vec(vec![b"\0\x01"]))), ["\"AAE=\""]);
        let times = TimestampMicrosecondArray::from(vec![-1, 1_500_000]);
        assert_eq!(written(Arc::new(times)), ["-1", "1"]);
        let decimals = Decimal128Array::from(vec![-1234]).with_precision_and_scale(6, 2).unwrap();
        assert_eq!(written(Arc::new(decimals)), ["\"-12.34\""]);
    }
}
