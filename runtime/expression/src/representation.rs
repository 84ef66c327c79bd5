//! How values are held while an expression is evaluated.
//!
//! Internal types are Arrow's, with one difference from a batch's: instants
//! are microseconds **without** a time zone, so that no function needs a
//! time-zone database and all of them reckon in UTC. Durations and intervals
//! exist inside of expressions only.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, ListArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType as ArrowType, Field as ArrowField, FieldRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use unskew_definition::{DataType, Name, StructField};

/// The type of instants.
pub(crate) const INSTANT: ArrowType = ArrowType::Timestamp(TimeUnit::Microsecond, None);

/// The internal type of columns of `data_type`.
pub(crate) fn internal_type(data_type: &DataType) -> ArrowType {
    without_zone(&data_type.to_arrow())
}

fn without_zone(data_type: &ArrowType) -> ArrowType {
    let of_field = |field: &FieldRef| {
        let inside = without_zone(field.data_type());
        Arc::new(ArrowField::new(field.name(), inside, field.is_nullable()))
    };
    match data_type {
        ArrowType::Timestamp(TimeUnit::Microsecond, Some(_)) => INSTANT,
        ArrowType::List(item) => ArrowType::List(of_field(item)),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(of_field).collect()),
        other => other.clone(),
    }
}

/// The type that a function's result is brought to where it is not internal:
/// views and large forms become plain ones, coarser and finer instants
/// microseconds.
pub(crate) fn normal_type(data_type: &ArrowType) -> ArrowType {
    match data_type {
        ArrowType::Utf8View | ArrowType::LargeUtf8 => ArrowType::Utf8,
        ArrowType::BinaryView | ArrowType::LargeBinary | ArrowType::FixedSizeBinary(_) => {
            ArrowType::Binary
        }
        ArrowType::Timestamp(_, _) => INSTANT,
        ArrowType::Date64 => ArrowType::Date32,
        ArrowType::LargeList(item) | ArrowType::List(item) => ArrowType::List(Arc::new(
            ArrowField::new("item", normal_type(item.data_type()), item.is_nullable()),
        )),
        other => other.clone(),
    }
}

/// The type of a column that holds values of an internal type; none if only
/// expressions have it.
pub(crate) fn external_type(data_type: &ArrowType) -> Option<DataType> {
    Some(match data_type {
        ArrowType::Boolean => DataType::Bool,
        ArrowType::Int8 => DataType::Int8,
        ArrowType::Int16 => DataType::Int16,
        ArrowType::Int32 => DataType::Int32,
        ArrowType::Int64 => DataType::Int64,
        ArrowType::UInt8 => DataType::UInt8,
        ArrowType::UInt16 => DataType::UInt16,
        ArrowType::UInt32 => DataType::UInt32,
        ArrowType::UInt64 => DataType::UInt64,
        ArrowType::Float32 => DataType::Float32,
        ArrowType::Float64 => DataType::Float64,
        ArrowType::Utf8 => DataType::Utf8,
        ArrowType::Binary => DataType::Binary,
        ArrowType::Date32 => DataType::Date32,
        ArrowType::Timestamp(TimeUnit::Microsecond, None) => DataType::Timestamp,
        ArrowType::Decimal128(precision, scale) => DataType::Decimal128 {
            precision: *precision,
            scale: u8::try_from(*scale).ok().filter(|scale| scale <= precision)?,
        },
        ArrowType::List(item) => {
            let inside = external_type(item.data_type()).filter(DataType::is_scalar)?;
            DataType::List { item: Box::new(inside), nullable: item.is_nullable() }
        }
        ArrowType::FixedSizeList(item, length)
            if *item.data_type() == ArrowType::Float32 && !item.is_nullable() =>
        {
            DataType::FixedSizeList { length: u32::try_from(*length).ok()? }
        }
        ArrowType::Struct(fields) => {
            let of_field = |field: &FieldRef| {
                Some(StructField {
                    name: Name::new(field.name().as_str()).ok()?,
                    data_type: external_type(field.data_type()).filter(DataType::is_scalar)?,
                    nullable: field.is_nullable(),
                })
            };
            DataType::Struct(fields.iter().map(of_field).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// The type's name in messages.
pub(crate) fn shown_type(data_type: &ArrowType) -> String {
    match (external_type(data_type), data_type) {
        (Some(external), _) => external.to_string(),
        (None, ArrowType::Null) => "null".to_owned(),
        (None, ArrowType::Duration(_)) => "a duration".to_owned(),
        (None, ArrowType::Interval(_)) => "an interval".to_owned(),
        (None, other) => other.to_string(),
    }
}

/// The same values as an array of exactly `to`, which differs from the array's
/// own type in time zones, names of items and what may be null alone, or is
/// its normal form.
pub(crate) fn represent(array: &ArrayRef, to: &ArrowType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    Ok(match (array.data_type(), to) {
        (
            ArrowType::Timestamp(TimeUnit::Microsecond, _),
            ArrowType::Timestamp(TimeUnit::Microsecond, zone),
        ) => {
            let instants = array.as_primitive::<TimestampMicrosecondType>().clone();
            Arc::new(instants.with_timezone_opt(zone.clone()))
        }
        (ArrowType::List(_), ArrowType::List(item)) => {
            let list = array.as_list::<i32>();
            let items = represent(list.values(), item.data_type())?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(Arc::clone(item), offsets, items, nulls)?)
        }
        (ArrowType::FixedSizeList(_, _), ArrowType::FixedSizeList(item, length)) => {
            let list = array.as_fixed_size_list();
            let items = represent(list.values(), item.data_type())?;
            let nulls = list.nulls().cloned();
            Arc::new(FixedSizeListArray::try_new(Arc::clone(item), *length, items, nulls)?)
        }
        (ArrowType::Struct(_), ArrowType::Struct(fields)) => {
            let values = array.as_struct();
            let columns = values.columns().iter().zip(fields);
            let columns = columns
                .map(|(column, field)| represent(column, field.data_type()))
                .collect::<Result<_, _>>()?;
            let nulls = values.nulls().cloned();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?)
        }
        _ => cast(array, to)?,
    })
}

/// A column of a batch as an expression holds it.
pub(crate) fn without_zones(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    represent(array, &without_zone(array.data_type()))
}
