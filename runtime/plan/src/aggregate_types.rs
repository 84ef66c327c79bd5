//! What aggregates call the types of columns.

use unskew_aggregate::{OutputKind, ValueKind};
use unskew_definition::DataType;

/// The kind of value that a column of a scalar type holds; none of lists and
/// structs.
pub fn value_kind(data_type: &DataType) -> Option<ValueKind> {
    Some(match data_type {
        DataType::Bool => ValueKind::Bool,
        DataType::Int8 => ValueKind::Int8,
        DataType::Int16 => ValueKind::Int16,
        DataType::Int32 => ValueKind::Int32,
        DataType::Int64 => ValueKind::Int64,
        DataType::UInt8 => ValueKind::UInt8,
        DataType::UInt16 => ValueKind::UInt16,
        DataType::UInt32 => ValueKind::UInt32,
        DataType::UInt64 => ValueKind::UInt64,
        DataType::Float32 => ValueKind::Float32,
        DataType::Float64 => ValueKind::Float64,
        DataType::Utf8 => ValueKind::Utf8,
        DataType::Binary => ValueKind::Binary,
        DataType::Date32 => ValueKind::Date32,
        DataType::Timestamp => ValueKind::Timestamp,
        DataType::Decimal128 { precision, scale } => {
            ValueKind::Decimal128 { precision: *precision, scale: *scale }
        }
        DataType::List { .. } | DataType::FixedSizeList { .. } | DataType::Struct(_) => {
            return None;
        }
    })
}

/// The type of the column that an aggregate yields.
pub fn output_type(output: OutputKind) -> DataType {
    match output {
        OutputKind::Scalar(kind) => data_type(kind),
        OutputKind::List(kind) => {
            DataType::List { item: Box::new(data_type(kind)), nullable: false }
        }
    }
}

/// The type of a column of such values.
pub fn data_type(kind: ValueKind) -> DataType {
    match kind {
        ValueKind::Bool => DataType::Bool,
        ValueKind::Int8 => DataType::Int8,
        ValueKind::Int16 => DataType::Int16,
        ValueKind::Int32 => DataType::Int32,
        ValueKind::Int64 => DataType::Int64,
        ValueKind::UInt8 => DataType::UInt8,
        ValueKind::UInt16 => DataType::UInt16,
        ValueKind::UInt32 => DataType::UInt32,
        ValueKind::UInt64 => DataType::UInt64,
        ValueKind::Float32 => DataType::Float32,
        ValueKind::Float64 => DataType::Float64,
        ValueKind::Utf8 => DataType::Utf8,
        ValueKind::Binary => DataType::Binary,
        ValueKind::Date32 => DataType::Date32,
        ValueKind::Timestamp => DataType::Timestamp,
        ValueKind::Decimal128 { precision, scale } => DataType::Decimal128 { precision, scale },
    }
}
