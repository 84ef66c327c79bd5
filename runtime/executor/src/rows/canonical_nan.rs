use arrow::array::{Array, ArrayData, ArrayRef, AsArray, make_array};
use arrow::datatypes::{DataType as ArrowType, Float32Type, Float64Type};
use arrow::error::ArrowError;

/// The column with the one canonical NaN in the place of every NaN, inside of
/// lists and structs, too, so that no bits of a NaN decide a value.
pub(crate) fn with_canonical_nan(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !holds_floats(array.data_type()) {
        return Ok(ArrayRef::clone(array));
    }
    match array.data_type() {
        ArrowType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            if floats.values().iter().all(|x| !x.is_nan() || x.to_bits() == f64::NAN.to_bits()) {
                return Ok(ArrayRef::clone(array));
            }
            let canonical = |x: f64| if x.is_nan() { f64::NAN } else { x };
            Ok(std::sync::Arc::new(floats.unary::<_, Float64Type>(canonical)))
        }
        ArrowType::Float32 => {
            let floats = array.as_primitive::<Float32Type>();
            if floats.values().iter().all(|x| !x.is_nan() || x.to_bits() == f32::NAN.to_bits()) {
                return Ok(ArrayRef::clone(array));
            }
            let canonical = |x: f32| if x.is_nan() { f32::NAN } else { x };
            Ok(std::sync::Arc::new(floats.unary::<_, Float32Type>(canonical)))
        }
        _ => {
            let data = array.to_data();
            let children = data.child_data().iter().map(|child| {
                with_canonical_nan(&make_array(child.clone())).map(|child| child.to_data())
            });
            let children = children.collect::<Result<Vec<ArrayData>, _>>()?;
            Ok(make_array(data.into_builder().child_data(children).build()?))
        }
    }
}

fn holds_floats(data_type: &ArrowType) -> bool {
    match data_type {
        ArrowType::Float32 | ArrowType::Float64 => true,
        ArrowType::List(item) | ArrowType::FixedSizeList(item, _) => holds_floats(item.data_type()),
        ArrowType::Struct(fields) => fields.iter().any(|field| holds_floats(field.data_type())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, ListArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn every_nan_gets_the_same_bits() {
        let other = f64::from_bits(0xfff8_0000_0000_0123);
        let floats: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(1.0), Some(other), None, Some(f64::NAN)]));
        let canonical = with_canonical_nan(&floats).unwrap();
        let canonical = canonical.as_primitive::<Float64Type>();
        assert_eq!(canonical.value(1).to_bits(), f64::NAN.to_bits());
        assert!(canonical.is_null(2) && canonical.value(0) == 1.0);

        let lists = ListArray::from_iter_primitive::<Float64Type, _, _>([
            Some(vec![Some(other), Some(2.0)]),
            None,
        ]);
        let lists: ArrayRef = Arc::new(lists);
        let canonical = with_canonical_nan(&lists).unwrap();
        let item = canonical.as_list::<i32>().value(0);
        assert_eq!(item.as_primitive::<Float64Type>().value(0).to_bits(), f64::NAN.to_bits());

        let whole: ArrayRef =
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])]));
        assert!(Arc::ptr_eq(&with_canonical_nan(&whole).unwrap(), &whole));
    }
}
