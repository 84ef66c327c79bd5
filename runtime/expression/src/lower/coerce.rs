//! Which types go together, and how an operand is brought to the type that its
//! operation takes.

use arrow::datatypes::{DataType as ArrowType, TimeUnit};
use sqlparser::ast::Expr;

use super::{Lowering, Result_};
use crate::error::ExpressionError;
use crate::representation::{INSTANT, shown_type};
use crate::tree::Expression;

/// Kinds of types that never become each other by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Bytes,
    Date,
    Interval,
    Duration,
    List,
    Struct,
    Other,
}

pub(super) fn kind(data_type: &ArrowType) -> Kind {
    use ArrowType as T;
    match data_type {
        T::Null => Kind::Null,
        T::Boolean => Kind::Bool,
        T::Utf8 | T::LargeUtf8 | T::Utf8View => Kind::Text,
        T::Binary | T::LargeBinary | T::BinaryView => Kind::Bytes,
        T::Date32 | T::Timestamp(_, _) => Kind::Date,
        T::Interval(_) => Kind::Interval,
        T::Duration(_) => Kind::Duration,
        T::List(_) | T::LargeList(_) | T::FixedSizeList(_, _) => Kind::List,
        T::Struct(_) => Kind::Struct,
        numeric if numeric.is_numeric() => Kind::Number,
        _ => Kind::Other,
    }
}

/// The type that holds numbers of both types: exactly, but that a float takes
/// what is not one, rounded to the nearest.
pub(super) fn common_number(left: &ArrowType, right: &ArrowType) -> Option<ArrowType> {
    use ArrowType as T;
    if left == right {
        return Some(left.clone());
    }
    let narrow = |t: &T| matches!(t, T::Int8 | T::Int16 | T::UInt8 | T::UInt16);
    match (left, right) {
        (T::Float64, _) | (_, T::Float64) => Some(T::Float64),
        (T::Float32, other) | (other, T::Float32) => {
            Some(if narrow(other) { T::Float32 } else { T::Float64 })
        }
        (T::Decimal128(..), _) | (_, T::Decimal128(..)) => {
            let (p1, s1) = digits(left)?;
            let (p2, s2) = digits(right)?;
            let scale = s1.max(s2);
            let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
            let precision = u8::try_from(whole + i16::from(scale)).ok().filter(|p| *p <= 38)?;
            Some(T::Decimal128(precision, scale))
        }
        _ => {
            let (bits1, signed1) = width(left)?;
            let (bits2, signed2) = width(right)?;
            let bits = match (signed1, signed2) {
                (true, false) => bits1.max(bits2 * 2),
                (false, true) => bits2.max(bits1 * 2),
                _ => bits1.max(bits2),
            };
            Some(match (bits, signed1 || signed2) {
                (8, true) => T::Int8,
                (16, true) => T::Int16,
                (32, true) => T::Int32,
                (64, true) => T::Int64,
                (8, false) => T::UInt8,
                (16, false) => T::UInt16,
                (32, false) => T::UInt32,
                (64, false) => T::UInt64,
                // A signed number beside a uint64.
                _ => T::Decimal128(20, 0),
            })
        }
    }
}

/// Bits, and whether signed.
fn width(data_type: &ArrowType) -> Option<(u32, bool)> {
    use ArrowType as T;
    Some(match data_type {
        T::Int8 => (8, true),
        T::Int16 => (16, true),
        T::Int32 => (32, true),
        T::Int64 => (64, true),
        T::UInt8 => (8, false),
        T::UInt16 => (16, false),
        T::UInt32 => (32, false),
        T::UInt64 => (64, false),
        _ => return None,
    })
}

/// Precision and scale of the decimal that holds every value.
pub(super) fn digits(data_type: &ArrowType) -> Option<(u8, i8)> {
    use ArrowType as T;
    Some(match data_type {
        T::Int8 | T::UInt8 => (3, 0),
        T::Int16 | T::UInt16 => (5, 0),
        T::Int32 | T::UInt32 => (10, 0),
        T::Int64 => (19, 0),
        T::UInt64 => (20, 0),
        T::Decimal128(precision, scale) => (*precision, *scale),
        _ => return None,
    })
}

impl Lowering<'_> {
    /// The type that values of both can be brought to, so that they can stand
    /// in one column or be compared.
    pub(super) fn common(&self, left: &Expression, right: &Expression) -> Option<ArrowType> {
        let (l, r) = (&left.data_type, &right.data_type);
        match (kind(l), kind(r)) {
            (Kind::Null, _) => Some(r.clone()),
            (_, Kind::Null) => Some(l.clone()),
            _ if l == r => Some(l.clone()),
            (Kind::Number, Kind::Number) => {
                // A literal beside a uint64 is one, if it fits.
                for (literal, other) in [(left, r), (right, l)] {
                    if *other == ArrowType::UInt64
                        && literal.as_literal().is_some_and(|value| {
                            value.cast_to(&ArrowType::UInt64).is_ok_and(|cast| !cast.is_null())
                        })
                        && literal.data_type.is_integer()
                    {
                        return Some(ArrowType::UInt64);
                    }
                }
                common_number(l, r)
            }
            (Kind::Date, Kind::Date) => Some(INSTANT),
            // A text written out beside a date or an instant is one.
            (Kind::Date, Kind::Text) if right.as_literal().is_some() => {
                Some(if self.is_date_text(right) { l.clone() } else { INSTANT })
            }
            (Kind::Text, Kind::Date) if left.as_literal().is_some() => {
                Some(if self.is_date_text(left) { r.clone() } else { INSTANT })
            }
            (Kind::Duration, Kind::Duration) => Some(ArrowType::Duration(TimeUnit::Microsecond)),
            (Kind::List, Kind::List) | (Kind::Struct, Kind::Struct) if fits(l, r) => {
                Some(r.clone())
            }
            (Kind::List, Kind::List) | (Kind::Struct, Kind::Struct) if fits(r, l) => {
                Some(l.clone())
            }
            _ => None,
        }
    }

    fn is_date_text(&self, literal: &Expression) -> bool {
        literal.as_literal().is_some_and(|value| match value {
            datafusion_common::ScalarValue::Utf8(Some(text)) => text.trim().len() <= 10,
            _ => false,
        })
    }

    /// The type in which all of `values` can stand.
    pub(super) fn common_of(
        &self,
        expr: &Expr,
        what: &str,
        values: &[&Expression],
    ) -> Result<ArrowType, ExpressionError> {
        let mut common = Expression { data_type: ArrowType::Null, ..(*values[0]).clone() };
        for value in values {
            let data_type = self.common(&common, value).ok_or_else(|| {
                self.error(
                    expr,
                    format!(
                        "{what} are of types that do not go together: {} and {}; cast one of them",
                        shown_type(&common.data_type),
                        shown_type(&value.data_type)
                    ),
                )
            })?;
            common = Expression { data_type, ..(*value).clone() };
        }
        Ok(common.data_type)
    }

    /// An argument brought to a type that holds every value of its own, or
    /// that a literal fits.
    pub(super) fn argument(
        &self,
        expr: &Expr,
        value: Expression,
        wanted: &ArrowType,
        what: impl FnOnce() -> String,
    ) -> Result_ {
        let fits = fits(&value.data_type, wanted)
            || match value.as_literal() {
                Some(literal) => {
                    let alike = kind(&value.data_type) == kind(wanted)
                        || (kind(&value.data_type), kind(wanted)) == (Kind::Text, Kind::Date);
                    alike
                        && literal.cast_to(wanted).is_ok_and(|cast| {
                            // A number must be the same number.
                            !wanted.is_numeric()
                                || wanted.is_floating()
                                || cast.cast_to(&value.data_type).is_ok_and(|back| back == *literal)
                        })
                }
                None => false,
            };
        if !fits {
            let found = shown_type(&value.data_type);
            let wanted = shown_type(wanted);
            return Err(self.error(
                expr,
                format!(
                    "{} is {wanted}, and is given {found}; cast it: CAST({} AS {wanted})",
                    what(),
                    super::shown(expr)
                ),
            ));
        }
        self.cast_to(expr, value, wanted, false)
    }
}

/// Whether every value of one type is one of the other, unchanged.
pub(super) fn fits(from: &ArrowType, to: &ArrowType) -> bool {
    use ArrowType as T;
    if from == to || *from == T::Null {
        return true;
    }
    match (from, to) {
        (T::Float32, T::Float64) => true,
        (T::Int8 | T::Int16 | T::UInt8 | T::UInt16, T::Float32) => false,
        (T::List(a), T::List(b)) => {
            a.data_type() == b.data_type() && (b.is_nullable() || !a.is_nullable())
        }
        (T::Struct(a), T::Struct(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| {
                    a.name() == b.name()
                        && a.data_type() == b.data_type()
                        && (b.is_nullable() || !a.is_nullable())
                })
        }
        (_, T::Decimal128(p2, s2)) => digits(from).is_some_and(|(p1, s1)| {
            i16::from(p1) - i16::from(s1) <= i16::from(*p2) - i16::from(*s2) && s1 <= *s2
        }),
        _ => match (width(from), width(to)) {
            (Some((bits1, signed1)), Some((bits2, signed2))) => match (signed1, signed2) {
                (true, false) => false,
                (false, true) => bits1 < bits2,
                _ => bits1 <= bits2,
            },
            _ => false,
        },
    }
}
