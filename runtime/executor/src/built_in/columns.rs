//! Arrow columns as the aggregates read them.

use std::ops::Range;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use unskew_aggregate::{Bitmap, Column, ColumnValues, Spans, ValueKind};

/// A column of this kind, which its type was checked to be.
pub(crate) fn column_of(array: &ArrayRef, kind: ValueKind) -> Column<'_> {
    let values = match kind {
        ValueKind::Bool => {
            let bits = array.as_boolean().values();
            ColumnValues::Bool(Bitmap { bytes: bits.values(), offset: bits.offset() })
        }
        ValueKind::Int8 => ColumnValues::Int8(array.as_primitive::<Int8Type>().values()),
        ValueKind::Int16 => ColumnValues::Int16(array.as_primitive::<Int16Type>().values()),
        ValueKind::Int32 => ColumnValues::Int32(array.as_primitive::<Int32Type>().values()),
        ValueKind::Int64 => ColumnValues::Int64(array.as_primitive::<Int64Type>().values()),
        ValueKind::UInt8 => ColumnValues::UInt8(array.as_primitive::<UInt8Type>().values()),
        ValueKind::UInt16 => ColumnValues::UInt16(array.as_primitive::<UInt16Type>().values()),
        ValueKind::UInt32 => ColumnValues::UInt32(array.as_primitive::<UInt32Type>().values()),
        ValueKind::UInt64 => ColumnValues::UInt64(array.as_primitive::<UInt64Type>().values()),
        ValueKind::Float32 => ColumnValues::Float32(array.as_primitive::<Float32Type>().values()),
        ValueKind::Float64 => ColumnValues::Float64(array.as_primitive::<Float64Type>().values()),
        ValueKind::Utf8 => {
            let text = array.as_string::<i32>();
            ColumnValues::Utf8(Spans { offsets: text.value_offsets(), bytes: text.value_data() })
        }
        ValueKind::Binary => {
            let binary = array.as_binary::<i32>();
            let (offsets, bytes) = (binary.value_offsets(), binary.value_data());
            ColumnValues::Binary(Spans { offsets, bytes })
        }
        ValueKind::Date32 => ColumnValues::Date32(array.as_primitive::<Date32Type>().values()),
        ValueKind::Timestamp => {
            ColumnValues::Timestamp(array.as_primitive::<TimestampMicrosecondType>().values())
        }
        ValueKind::Decimal128 { .. } => {
            ColumnValues::Decimal128(array.as_primitive::<Decimal128Type>().values())
        }
    };
    let validity = array
        .nulls()
        .filter(|nulls| nulls.null_count() > 0)
        .map(|nulls| Bitmap { bytes: nulls.validity(), offset: nulls.offset() });
    Column { values, validity }
}

/// Some of a column's rows, without a copy.
pub(crate) fn slice_of<'a>(column: &Column<'a>, rows: Range<usize>) -> Column<'a> {
    let moved = |bits: Bitmap<'a>, by: usize| Bitmap { offset: bits.offset + by, ..bits };
    let within = |spans: Spans<'a>, rows: &Range<usize>| Spans {
        offsets: &spans.offsets[rows.start..=rows.end],
        ..spans
    };
    macro_rules! sliced {
        ($($variant:ident),*) => {
            match column.values {
                ColumnValues::Bool(bits) => ColumnValues::Bool(moved(bits, rows.start)),
                ColumnValues::Utf8(spans) => ColumnValues::Utf8(within(spans, &rows)),
                ColumnValues::Binary(spans) => ColumnValues::Binary(within(spans, &rows)),
                $(ColumnValues::$variant(values) => ColumnValues::$variant(&values[rows.clone()]),)*
            }
        };
    }
    let values = sliced!(
        Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float32, Float64, Date32,
        Timestamp, Decimal128
    );
    Column { values, validity: column.validity.map(|bits| moved(bits, rows.start)) }
}
