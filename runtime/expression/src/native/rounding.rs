//! Signs and whole numbers, in the type of the argument. Halves are rounded
//! away from zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, PrimitiveArray};
use arrow::compute::kernels::numeric::neg;
use arrow::datatypes::{
    DataType as ArrowType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use datafusion_common::ScalarValue;

use super::{Native, Values, number};

type Resolved = Result<(Vec<ArrowType>, ArrowType), String>;

fn same(types: &[ArrowType], _: &[Option<&ScalarValue>]) -> Resolved {
    let one = super::one(types)?;
    number(one)?;
    let one = if *one == ArrowType::Null { ArrowType::Float64 } else { one.clone() };
    Ok((vec![one.clone()], one))
}

/// A whole number where floats and decimals have digits behind the point.
#[derive(Clone, Copy)]
enum Whole {
    Ceil,
    Floor,
    Trunc,
    Round,
}

macro_rules! whole {
    ($name:literal, $whole:expr) => {
        Native {
            name: $name,
            resolve: same,
            compute: |values| whole(&values.array(0)?, $whole),
            makes_nulls: false,
            fallible: true,
        }
    };
}

pub(super) static FUNCTIONS: &[Native] = &[
    Native {
        name: "abs",
        resolve: same,
        compute: |values| abs(&values.array(0)?),
        makes_nulls: false,
        fallible: true,
    },
    Native {
        name: "negate",
        resolve: |types, _| match super::one(types)? {
            t if t.is_unsigned_integer() => {
                Err("an unsigned number has no negative; cast it: CAST(... AS BIGINT)".to_owned())
            }
            ArrowType::Interval(_) | ArrowType::Duration(_) => {
                Ok((types.to_vec(), types[0].clone()))
            }
            _ => same(types, &[]),
        },
        compute: |values| neg(&values.array(0)?),
        makes_nulls: false,
        fallible: true,
    },
    Native { name: "signum", resolve: same, compute: signum, makes_nulls: false, fallible: false },
    whole!("ceil", Whole::Ceil),
    whole!("floor", Whole::Floor),
    whole!("trunc", Whole::Trunc),
    Native {
        name: "round",
        resolve: |types, literals| match types {
            [_] => same(types, literals),
            [value, _] => {
                number(value)?;
                match literals[1] {
                    Some(ScalarValue::Int64(Some(0..=30))) => {}
                    _ => {
                        return Err(
                            "the digits are a constant from 0 to 30: round(x, 2)".to_owned()
                        );
                    }
                }
                let (mut takes, yields) = same(&types[..1], literals)?;
                takes.push(ArrowType::Int64);
                Ok((takes, yields))
            }
            _ => Err("write round(x) or round(x, digits)".to_owned()),
        },
        compute: round,
        makes_nulls: false,
        fallible: true,
    },
];

fn overflow(what: &str) -> ArrowError {
    ArrowError::ArithmeticOverflow(format!("overflow: {what}"))
}

fn abs(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    fn of<T: ArrowPrimitiveType>(
        array: &ArrayRef,
        abs: fn(T::Native) -> Option<T::Native>,
    ) -> Result<ArrayRef, ArrowError>
    where
        T::Native: std::fmt::Display,
    {
        let values: PrimitiveArray<T> = array
            .as_primitive::<T>()
            .try_unary(|v| abs(v).ok_or_else(|| overflow(&format!("abs({v}) does not fit"))))?;
        Ok(Arc::new(values))
    }
    Ok(match array.data_type() {
        ArrowType::Int8 => of::<Int8Type>(array, i8::checked_abs)?,
        ArrowType::Int16 => of::<Int16Type>(array, i16::checked_abs)?,
        ArrowType::Int32 => of::<Int32Type>(array, i32::checked_abs)?,
        ArrowType::Int64 => of::<Int64Type>(array, i64::checked_abs)?,
        ArrowType::Float32 => of::<Float32Type>(array, |v| Some(v.abs()))?,
        ArrowType::Float64 => of::<Float64Type>(array, |v| Some(v.abs()))?,
        ArrowType::Decimal128(precision, scale) => {
            let values: Decimal128Array = array.as_primitive::<Decimal128Type>().unary(i128::abs);
            Arc::new(values.with_precision_and_scale(*precision, *scale)?)
        }
        _ => Arc::clone(array),
    })
}

fn signum(values: &Values<'_>) -> Result<ArrayRef, ArrowError> {
    fn of<T: ArrowPrimitiveType>(array: &ArrayRef, sign: fn(T::Native) -> T::Native) -> ArrayRef {
        let values: PrimitiveArray<T> = array.as_primitive::<T>().unary(sign);
        Arc::new(values)
    }
    fn of_float(v: f64) -> f64 {
        if v == 0.0 || v.is_nan() { v } else { v.signum() }
    }
    let array = values.array(0)?;
    Ok(match array.data_type() {
        ArrowType::Int8 => of::<Int8Type>(&array, i8::signum),
        ArrowType::Int16 => of::<Int16Type>(&array, i16::signum),
        ArrowType::Int32 => of::<Int32Type>(&array, i32::signum),
        ArrowType::Int64 => of::<Int64Type>(&array, i64::signum),
        ArrowType::UInt8 => of::<UInt8Type>(&array, |v| v.min(1)),
        ArrowType::UInt16 => of::<UInt16Type>(&array, |v| v.min(1)),
        ArrowType::UInt32 => of::<UInt32Type>(&array, |v| v.min(1)),
        ArrowType::UInt64 => of::<UInt64Type>(&array, |v| v.min(1)),
        ArrowType::Float32 => of::<Float32Type>(&array, |v| of_float(f64::from(v)) as f32),
        ArrowType::Float64 => of::<Float64Type>(&array, of_float),
        ArrowType::Decimal128(precision, scale) => {
            let one = 10i128.pow(u32::from(scale.unsigned_abs()));
            if *scale as u8 >= *precision && array.len() > array.null_count() {
                return Err(overflow(&format!(
                    "decimal128({precision},{scale}) holds no 1; cast to DOUBLE before"
                )));
            }
            let values: Decimal128Array =
                array.as_primitive::<Decimal128Type>().unary(|v| v.signum() * one);
            Arc::new(values.with_precision_and_scale(*precision, *scale)?)
        }
        other => return Err(ArrowError::ComputeError(format!("{other} has no sign"))),
    })
}

fn whole(array: &ArrayRef, whole: Whole) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        ArrowType::Float64 => {
            let values: PrimitiveArray<Float64Type> =
                array.as_primitive::<Float64Type>().unary(|v| whole.of_float(v));
            Arc::new(values)
        }
        ArrowType::Float32 => {
            let values: PrimitiveArray<Float32Type> =
                array.as_primitive::<Float32Type>().unary(|v| whole.of_float(f64::from(v)) as f32);
            Arc::new(values)
        }
        ArrowType::Decimal128(precision, scale) => {
            decimals(array, *precision, *scale, scale.unsigned_abs(), whole)?
        }
        _ => Arc::clone(array),
    })
}

fn round(values: &Values<'_>) -> Result<ArrayRef, ArrowError> {
    let array = values.array(0)?;
    if values.len() == 1 {
        return whole(&array, Whole::Round);
    }
    let digits = values.array(1)?;
    // A constant, so the same for all rows.
    let digits = digits.as_primitive::<Int64Type>();
    let digits = if digits.is_empty() { 0 } else { digits.value(0) as usize };
    Ok(match array.data_type() {
        ArrowType::Float64 => {
            let values: PrimitiveArray<Float64Type> =
                array.as_primitive::<Float64Type>().unary(|v| round_float(v, digits));
            Arc::new(values)
        }
        ArrowType::Float32 => {
            let values: PrimitiveArray<Float32Type> = array
                .as_primitive::<Float32Type>()
                .unary(|v| round_float(f64::from(v), digits) as f32);
            Arc::new(values)
        }
        ArrowType::Decimal128(precision, scale) if digits < scale.unsigned_abs() as usize => {
            decimals(&array, *precision, *scale, scale.unsigned_abs() - digits as u8, Whole::Round)?
        }
        _ => array,
    })
}

/// The number with `digits` digits behind the point that is nearest to the
/// exact value of `x`, of two the one further from zero; then the nearest
/// float.
fn round_float(x: f64, digits: usize) -> f64 {
    if digits == 0 || !x.is_finite() {
        return x.round();
    }
    // Every float is a finite decimal of at most 1,074 digits behind its point.
    const ALL: usize = 1074;
    let magnitude = x.abs();
    let mut text = format!("{magnitude:.digits$}");
    let one_more = format!("{magnitude:.*}", digits + 1);
    if one_more.ends_with('5') && format!("{magnitude:.ALL$}").trim_end_matches('0') == one_more {
        // Exactly half: the next digit up, which printing to even may have missed.
        let mut up: Vec<u8> = one_more[..one_more.len() - 1].bytes().collect();
        let mut at = up.len();
        loop {
            if at == 0 {
                up.insert(0, b'1');
                break;
            }
            at -= 1;
            match up[at] {
                b'.' => {}
                b'9' => up[at] = b'0',
                _ => {
                    up[at] += 1;
                    break;
                }
            }
        }
        text = String::from_utf8(up).expect("digits are ASCII");
    }
    text.parse::<f64>().expect("digits and a point are a number").copysign(x)
}

/// Decimals with their last `dropped` digits made zero.
fn decimals(
    array: &ArrayRef,
    precision: u8,
    scale: i8,
    dropped: u8,
    whole: Whole,
) -> Result<ArrayRef, ArrowError> {
    let unit = 10i128.pow(u32::from(dropped));
    let values: Decimal128Array = array.as_primitive::<Decimal128Type>().try_unary(|v| {
        let down = v.div_euclid(unit);
        let rest = v.rem_euclid(unit);
        let units = match whole {
            Whole::Floor => down,
            Whole::Ceil => down + i128::from(rest != 0),
            Whole::Trunc => v / unit,
            Whole::Round => {
                let (units, rest) = (v / unit, (v % unit).unsigned_abs());
                units
                    + if rest >= unit.unsigned_abs().div_ceil(2) && rest != 0 {
                        v.signum()
                    } else {
                        0
                    }
            }
        };
        units.checked_mul(unit).ok_or_else(|| overflow("the whole number does not fit"))
    })?;
    Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
}

impl Whole {
    fn of_float(self, v: f64) -> f64 {
        match self {
            Self::Ceil => v.ceil(),
            Self::Floor => v.floor(),
            Self::Trunc => v.trunc(),
            Self::Round => v.round(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_away_from_zero_and_only_true_halves() {
        for (x, digits, rounded) in [
            (0.125, 2, 0.13),
            (-0.125, 2, -0.13),
            (2.5, 0, 3.0),
            // 1.005 is a little less than it looks, 2.675 too.
            (1.005, 2, 1.0),
            (2.675, 2, 2.67),
            (9.5, 0, 10.0),
            (9.96875, 4, 9.9688),
            (99.999, 1, 100.0),
            (0.5, 30, 0.5),
            (1e300, 2, 1e300),
            (5e-324, 30, 0.0),
        ] {
            assert_eq!(round_float(x, digits).to_bits(), f64::to_bits(rounded), "{x} {digits}");
        }
        assert!(round_float(f64::NAN, 2).is_nan());
        assert_eq!(round_float(-0.001, 2).to_bits(), (-0.0f64).to_bits());
    }
}
