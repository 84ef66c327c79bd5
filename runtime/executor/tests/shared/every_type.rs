//! Columns of every type of DESIGN section 4, full of edge values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeListArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray,
    StringArray, StructArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, Field};
use unskew_definition::DataType;

/// Every type there is, nested ones with each kind of item.
pub(crate) fn data_types() -> Vec<DataType> {
    [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float32",
        "float64",
        "utf8",
        "binary",
        "date32",
        "timestamp",
        "decimal128(38,10)",
        "decimal128(5,0)",
        "decimal128(4,4)",
        "list<int64?>",
        "list<float32>",
        "list<utf8?>",
        "list<binary>",
        "list<bool>",
        "list<decimal128(10,2)?>",
        "list<timestamp>",
        "fixed_size_list<float32,3>",
        "fixed_size_list<float32,1>",
        "struct<a:int64?,b:utf8>",
        "struct<c:float64,d:timestamp?,e:bool,f:decimal128(9,3)?,g:binary?,h:date32,i:uint64>",
    ]
    .map(|text| text.parse().unwrap())
    .into()
}

/// The ways in which nulls and slices fall.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    NoNulls,
    SomeNulls,
    AllNulls,
    Sliced,
    ZeroRows,
}

pub(crate) const SHAPES: [Shape; 5] =
    [Shape::NoNulls, Shape::SomeNulls, Shape::AllNulls, Shape::Sliced, Shape::ZeroRows];

/// A column of a type and shape.
pub(crate) fn column(data_type: &DataType, shape: Shape) -> ArrayRef {
    match shape {
        Shape::NoNulls => values(data_type, 40, &|_| true),
        Shape::SomeNulls => values(data_type, 41, &|row| row % 3 != 1),
        Shape::AllNulls => values(data_type, 9, &|_| false),
        Shape::Sliced => values(data_type, 60, &|row| row % 5 != 2).slice(13, 30),
        Shape::ZeroRows => values(data_type, 0, &|_| true),
    }
}

macro_rules! integers {
    ($array:ty, $native:ty, $rows:expr, $valid:expr) => {
        Arc::new(<$array>::from_iter((0..$rows).map(|row| {
            let edges = [
                0,
                1,
                <$native>::MIN,
                <$native>::MAX,
                <$native>::MIN / 2,
                <$native>::MAX / 3,
                <$native>::MAX - 1,
                (1_i128 << 53) as $native,
                ((1_i128 << 53) + 1) as $native,
                (-(1_i128 << 53) - 1) as $native,
                (row as $native).wrapping_mul(37),
            ];
            $valid(row).then_some(edges[row % edges.len()])
        })))
    };
}

macro_rules! floats {
    ($array:ty, $native:ident, $rows:expr, $valid:expr) => {
        Arc::new(<$array>::from_iter((0..$rows).map(|row| {
            let edges = [
                0.0,
                -0.0,
                1.0,
                0.1,
                1.0 / 3.0,
                $native::NAN,
                $native::INFINITY,
                $native::NEG_INFINITY,
                $native::MAX,
                $native::MIN,
                $native::MIN_POSITIVE,
                $native::from_bits(1),
                16_777_217.0,
                1e16,
                1e-7,
            ];
            $valid(row).then_some(edges[row % edges.len()])
        })))
    };
}

const TEXTS: [&str; 16] = [
    "",
    "a",
    " ",
    "with \"quotes\"",
    "comma, semicolon; tab\t",
    "two\nlines",
    "windows\r\nlines",
    "lone\rreturn",
    "é 漢字 🦀",
    "\\ back / slash",
    "null",
    "NaN",
    "\u{0}\u{1f}\u{7f}\u{2028}",
    "\"",
    "\u{feff}mark",
    "a text long enough to be no inline view of Arrow's",
];

fn values(data_type: &DataType, rows: usize, valid: &dyn Fn(usize) -> bool) -> ArrayRef {
    let validity = || {
        let valid: Vec<bool> = (0..rows).map(valid).collect();
        valid.contains(&false).then(|| NullBuffer::from(valid))
    };
    match data_type {
        DataType::Bool => {
            Arc::new(BooleanArray::from_iter((0..rows).map(|i| valid(i).then_some(i % 2 == 0))))
        }
        DataType::Int8 => integers!(Int8Array, i8, rows, valid),
        DataType::Int16 => integers!(Int16Array, i16, rows, valid),
        DataType::Int32 => integers!(Int32Array, i32, rows, valid),
        DataType::Int64 => integers!(Int64Array, i64, rows, valid),
        DataType::UInt8 => integers!(UInt8Array, u8, rows, valid),
        DataType::UInt16 => integers!(UInt16Array, u16, rows, valid),
        DataType::UInt32 => integers!(UInt32Array, u32, rows, valid),
        DataType::UInt64 => integers!(UInt64Array, u64, rows, valid),
        DataType::Float32 => floats!(Float32Array, f32, rows, valid),
        DataType::Float64 => floats!(Float64Array, f64, rows, valid),
        DataType::Utf8 => Arc::new(StringArray::from_iter(
            (0..rows).map(|i| valid(i).then_some(TEXTS[i % TEXTS.len()])),
        )),
        DataType::Binary => Arc::new(BinaryArray::from_iter((0..rows).map(|i| {
            let bytes: Vec<u8> = (0..i % 7).map(|k| (i * 41 + k * 97) as u8).collect();
            valid(i).then_some(bytes)
        }))),
        DataType::Date32 => Arc::new(Date32Array::from_iter((0..rows).map(|i| {
            let edges = [0, -1, 19_782, i32::MIN, i32::MAX, -719_528, 2_932_897];
            valid(i).then_some(edges[i % edges.len()])
        }))),
        DataType::Timestamp => {
            let edges =
                [0, -1, 1, i64::MIN, i64::MAX, 1_709_164_800_123_456, -62_167_219_200_000_001];
            let times = (0..rows).map(|i| valid(i).then_some(edges[i % edges.len()]));
            let times = TimestampMicrosecondArray::from_iter(times);
            Arc::new(times.with_data_type(data_type.to_arrow()))
        }
        DataType::Decimal128 { precision, scale } => {
            let greatest = 10_i128.pow((*precision).into()) - 1;
            let edges = [0, 1, -1, greatest, -greatest, greatest / 7];
            let units = (0..rows).map(|i| valid(i).then_some(edges[i % edges.len()]));
            let units = Decimal128Array::from_iter(units);
            Arc::new(units.with_precision_and_scale(*precision, *scale as i8).unwrap())
        }
        DataType::List { item, nullable } => {
            let lengths: Vec<usize> =
                (0..rows).map(|i| if valid(i) { [2, 0, 5, 1][i % 4] } else { 0 }).collect();
            let total = lengths.iter().sum();
            let items = values(item, total, &|i| !nullable || i % 4 != 3);
            Arc::new(ListArray::new(
                Arc::new(Field::new("item", item.to_arrow(), *nullable)),
                OffsetBuffer::from_lengths(lengths),
                items,
                validity(),
            ))
        }
        DataType::FixedSizeList { length } => {
            let items = values(&DataType::Float32, rows * *length as usize, &|_| true);
            let field = Arc::new(Field::new("item", ArrowType::Float32, false));
            Arc::new(FixedSizeListArray::new(field, *length as i32, items, validity()))
        }
        DataType::Struct(fields) => {
            let ArrowType::Struct(arrow_fields) = data_type.to_arrow() else { unreachable!() };
            let columns = fields
                .iter()
                .map(|field| {
                    values(&field.data_type, rows, &|i| {
                        valid(i) && (!field.nullable || i % 4 != 2) || !valid(i) && !field.nullable
                    })
                })
                .collect();
            Arc::new(StructArray::new(arrow_fields, columns, validity()))
        }
    }
}
