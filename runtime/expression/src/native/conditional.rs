use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType as ArrowType, Float64Type};
use std::sync::Arc;

use super::{Native, Values};
use crate::canonical::one_zero;

/// -0 as +0, as comparisons take floats.
pub(crate) static ONE_ZERO: Native = Native {
    name: "one_zero",
    resolve: |types, _| Ok((types.to_vec(), types[0].clone())),
    compute: |values| Ok(one_zero(&values.array(0)?)),
    makes_nulls: false,
    fallible: false,
};

/// The first argument, null where the second is true.
pub(crate) static NULL_IF: Native = Native {
    name: "nullif",
    resolve: |types, _| Ok((types.to_vec(), types[0].clone())),
    compute: |values| {
        let equal = values.array(1)?;
        nullif(&values.array(0)?, equal.as_boolean())
    },
    makes_nulls: true,
    fallible: false,
};

pub(super) static FUNCTIONS: &[Native] = &[
    Native {
        name: "isnan",
        resolve: |types, _| {
            super::number(super::one(types)?)?;
            Ok((vec![ArrowType::Float64], ArrowType::Boolean))
        },
        compute: is_nan,
        makes_nulls: false,
        fallible: false,
    },
    Native {
        name: "nanvl",
        resolve: |types, _| match types {
            [value, instead] => {
                super::number(value)?;
                super::number(instead)?;
                Ok((vec![ArrowType::Float64; 2], ArrowType::Float64))
            }
            _ => Err("write nanvl(value, instead_of_nan)".to_owned()),
        },
        compute: |values| {
            let (value, instead) = (values.array(0)?, values.array(1)?);
            let (value, instead) =
                (value.as_primitive::<Float64Type>(), instead.as_primitive::<Float64Type>());
            let chosen = |row: usize| {
                if value.is_null(row) {
                    return None;
                }
                let of = if value.value(row).is_nan() { instead } else { value };
                of.is_valid(row).then(|| of.value(row))
            };
            Ok(Arc::new((0..value.len()).map(chosen).collect::<arrow::array::Float64Array>()))
        },
        makes_nulls: false,
        fallible: false,
    },
];

fn is_nan(values: &Values<'_>) -> Result<ArrayRef, arrow::error::ArrowError> {
    let array = values.array(0)?;
    let floats = array.as_primitive::<Float64Type>();
    Ok(Arc::new(BooleanArray::from_unary(floats, f64::is_nan)))
}
