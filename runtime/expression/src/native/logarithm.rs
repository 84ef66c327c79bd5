//! Exponentials, logarithms, roots and angles, all in float64 by the `libm`
//! crate: the same bits on every machine. Outside of their domain they yield
//! what IEEE 754 says: `sqrt(-1)` is NaN, `ln(0)` minus infinity.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::binary;
use arrow::datatypes::{DataType as ArrowType, Float64Type};
use arrow::error::ArrowError;
use datafusion_common::ScalarValue;

use super::{Native, Values, number};

type Resolved = Result<(Vec<ArrowType>, ArrowType), String>;

fn of_one(types: &[ArrowType], _: &[Option<&ScalarValue>]) -> Resolved {
    number(super::one(types)?)?;
    Ok((vec![ArrowType::Float64], ArrowType::Float64))
}

fn of_two(types: &[ArrowType], _: &[Option<&ScalarValue>]) -> Resolved {
    match types {
        [a, b] => {
            number(a)?;
            number(b)?;
            Ok((vec![ArrowType::Float64; 2], ArrowType::Float64))
        }
        other => Err(format!("it takes two numbers, and is given {} arguments", other.len())),
    }
}

fn map_one(values: &Values<'_>, map: fn(f64) -> f64) -> Result<ArrayRef, ArrowError> {
    let array = values.array(0)?;
    let mapped: Float64Array = array.as_primitive::<Float64Type>().unary(map);
    Ok(Arc::new(mapped))
}

fn map_two(values: &Values<'_>, map: fn(f64, f64) -> f64) -> Result<ArrayRef, ArrowError> {
    let (a, b) = (values.array(0)?, values.array(1)?);
    let mapped: Float64Array =
        binary(a.as_primitive::<Float64Type>(), b.as_primitive::<Float64Type>(), map)?;
    Ok(Arc::new(mapped))
}

macro_rules! of_one {
    ($name:literal, $map:expr) => {
        Native {
            name: $name,
            resolve: of_one,
            compute: |values| map_one(values, $map),
            makes_nulls: false,
            fallible: false,
        }
    };
}

macro_rules! of_two {
    ($name:literal, $map:expr) => {
        Native {
            name: $name,
            resolve: of_two,
            compute: |values| map_two(values, $map),
            makes_nulls: false,
            fallible: false,
        }
    };
}

pub(super) static FUNCTIONS: &[Native] = &[
    of_one!("acos", libm::acos),
    of_one!("acosh", libm::acosh),
    of_one!("asin", libm::asin),
    of_one!("asinh", libm::asinh),
    of_one!("atan", libm::atan),
    of_one!("atanh", libm::atanh),
    of_one!("cbrt", libm::cbrt),
    of_one!("cos", libm::cos),
    of_one!("cosh", libm::cosh),
    of_one!("degrees", |x| x * (180.0 / std::f64::consts::PI)),
    of_one!("exp", libm::exp),
    of_one!("expm1", libm::expm1),
    of_one!("ln", libm::log),
    of_one!("ln1p", libm::log1p),
    of_one!("log10", libm::log10),
    of_one!("log2", libm::log2),
    of_one!("radians", |x| x * (std::f64::consts::PI / 180.0)),
    of_one!("sin", libm::sin),
    of_one!("sinh", libm::sinh),
    of_one!("sqrt", libm::sqrt),
    of_one!("tan", libm::tan),
    of_one!("tanh", libm::tanh),
    of_two!("atan2", libm::atan2),
    of_two!("power", libm::pow),
    Native {
        name: "log",
        // log(x) is to the base 10, log(base, x) to any.
        resolve: |types, literals| match types {
            [_] => of_one(types, literals),
            _ => of_two(types, literals),
        },
        compute: |values| match values.len() {
            1 => map_one(values, libm::log10),
            _ => map_two(values, log),
        },
        makes_nulls: false,
        fallible: false,
    },
    Native {
        name: "pi",
        resolve: |types, _| match types {
            [] => Ok((Vec::new(), ArrowType::Float64)),
            _ => Err("it takes no argument".to_owned()),
        },
        compute: |values| Ok(Arc::new(Float64Array::from_value(std::f64::consts::PI, values.rows))),
        makes_nulls: false,
        fallible: false,
    },
];

fn log(base: f64, x: f64) -> f64 {
    // Exact powers of the two usual bases stay whole numbers.
    if base == 10.0 {
        libm::log10(x)
    } else if base == 2.0 {
        libm::log2(x)
    } else {
        libm::log(x) / libm::log(base)
    }
}
