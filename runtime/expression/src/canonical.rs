use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, Float64Array, ListArray,
    PrimitiveArray, StructArray,
};
use arrow::datatypes::{DataType as ArrowType, Float32Type, Float64Type};

/// The same values with every NaN as the one canonical NaN: positive, quiet,
/// without a payload.
pub(crate) fn canonical_nans(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        ArrowType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            match floats.values().iter().any(|v| v.is_nan() && v.to_bits() != NAN_64) {
                true => Arc::new(mapped_64(floats, |v| if v.is_nan() { f64::NAN } else { v })),
                false => Arc::clone(array),
            }
        }
        ArrowType::Float32 => {
            let floats = array.as_primitive::<Float32Type>();
            match floats.values().iter().any(|v| v.is_nan() && v.to_bits() != NAN_32) {
                true => Arc::new(mapped_32(floats, |v| if v.is_nan() { f32::NAN } else { v })),
                false => Arc::clone(array),
            }
        }
        ArrowType::List(item) if item.data_type().is_floating() => {
            let list = array.as_list::<i32>();
            let items = canonical_nans(list.values());
            if Arc::ptr_eq(&items, list.values()) {
                return Arc::clone(array);
            }
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::new(Arc::clone(item), offsets, items, nulls))
        }
        ArrowType::FixedSizeList(item, length) => {
            let list = array.as_fixed_size_list();
            let items = canonical_nans(list.values());
            if Arc::ptr_eq(&items, list.values()) {
                return Arc::clone(array);
            }
            let nulls = list.nulls().cloned();
            Arc::new(FixedSizeListArray::new(Arc::clone(item), *length, items, nulls))
        }
        ArrowType::Struct(fields) if fields.iter().any(|f| f.data_type().is_floating()) => {
            let values = array.as_struct();
            let columns = values.columns().iter().map(canonical_nans).collect();
            Arc::new(StructArray::new(fields.clone(), columns, values.nulls().cloned()))
        }
        _ => Arc::clone(array),
    }
}

/// The same values with -0 as +0, so that the total order by which Arrow
/// compares floats has one zero. NaNs are canonical already.
pub(crate) fn one_zero(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        ArrowType::Float64 => Arc::new(mapped_64(array.as_primitive(), |v| v + 0.0)),
        ArrowType::Float32 => Arc::new(mapped_32(array.as_primitive(), |v| v + 0.0)),
        _ => Arc::clone(array),
    }
}

const NAN_64: u64 = f64::NAN.to_bits();
const NAN_32: u32 = f32::NAN.to_bits();

fn mapped_64(floats: &PrimitiveArray<Float64Type>, map: impl Fn(f64) -> f64) -> Float64Array {
    floats.unary(map)
}

fn mapped_32(floats: &PrimitiveArray<Float32Type>, map: impl Fn(f32) -> f32) -> Float32Array {
    floats.unary(map)
}
