use arrow::compute::CastOptions;
use arrow::datatypes::DataType as ArrowType;
use datafusion_physical_expr::expressions::{CastExpr, TryCastExpr};
use sqlparser::ast::{CastKind, DataType as SqlType, ExactNumberInfo, Expr, TimezoneInfo};

use super::coerce::{Kind, kind};
use super::{Lowering, Result_, shown};
use crate::error::ExpressionError;
use crate::operation::{Making, operation, reason};
use crate::representation::{INSTANT, internal_type, shown_type};
use crate::tree::Expression;

impl Lowering<'_> {
    /// CAST, `::` and TRY_CAST.
    pub(super) fn cast_expression(
        &self,
        expr: &Expr,
        kind: &CastKind,
        operand: &Expr,
        data_type: &SqlType,
    ) -> Result_ {
        let value = self.expression(operand)?;
        let to = self.sql_type(expr, data_type)?;
        let tries = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
        self.check_cast(expr, &value.data_type, &to)?;
        self.cast_to(expr, value, &to, tries)
    }

    /// `value` as `to`: a row whose value is none of that type fails, or
    /// yields null where it only `tries`.
    pub(super) fn cast_to(
        &self,
        expr: &Expr,
        value: Expression,
        to: &ArrowType,
        tries: bool,
    ) -> Result_ {
        if value.data_type == *to {
            return Ok(value);
        }
        let was_literal = value.as_literal().is_some();
        let nullable = value.nullable || tries;
        let fallible = !tries && !always_fits(&value.data_type, to);
        let shown = shown(expr);
        let making = Making { data_type: to.clone(), nullable, fallible, shown: &shown };
        let from = value.data_type.clone();
        // Where only names and nullability differ nothing is cast.
        let target = to.clone();
        let cast = operation(vec![value], making, |mut operands, _| {
            let operand = operands.remove(0);
            Ok(match (tries, matches!(from, ArrowType::List(_) | ArrowType::Struct(_))) {
                (_, true) => operand,
                (true, false) => std::sync::Arc::new(TryCastExpr::new(operand, target)),
                (false, false) => {
                    let options = CastOptions { safe: false, ..CastOptions::default() };
                    std::sync::Arc::new(CastExpr::new(operand, target, Some(options)))
                }
            })
        })
        .map_err(|error| self.error(expr, reason(&error)))?;
        if was_literal && !tries && cast.as_literal().is_none() {
            return Err(self.error(
                expr,
                format!("{shown} is no {}; write a value of that type", shown_type(to)),
            ));
        }
        Ok(cast)
    }

    /// Refuses casts whose meaning is not the same for everybody.
    fn check_cast(
        &self,
        expr: &Expr,
        from: &ArrowType,
        to: &ArrowType,
    ) -> Result<(), ExpressionError> {
        let fix = match (kind(from), kind(to)) {
            _ if from == to => return Ok(()),
            (Kind::Null, _)
            | (Kind::Number, Kind::Number | Kind::Text)
            | (Kind::Text, Kind::Number | Kind::Bool | Kind::Date | Kind::Bytes)
            | (Kind::Bytes, Kind::Text)
            | (Kind::Bool, Kind::Text)
            | (Kind::Date, Kind::Date | Kind::Text) => return Ok(()),
            (Kind::Bool, Kind::Number) if to.is_integer() => return Ok(()),
            (Kind::Number, Kind::Bool) if from.is_integer() => return Ok(()),
            (Kind::Number, Kind::Date) => {
                "say in which unit it counts: from_unix_seconds(n), from_unix_millis(n) or from_unix_micros(n)"
            }
            (Kind::Date, Kind::Number) => {
                "say in which unit it shall count: unix_seconds(t), unix_millis(t) or unix_micros(t)"
            }
            (Kind::Duration, Kind::Number) => {
                "take its length: date_diff('second', earlier, later)"
            }
            (Kind::Bool, Kind::Number) | (Kind::Number, Kind::Bool) => {
                "cast to an integer in between, or compare with 0"
            }
            _ => "there is no such cast; write a transform",
        };
        Err(self.error(
            expr,
            format!("{} cannot be cast to {}: {fix}", shown_type(from), shown_type(to)),
        ))
    }

    fn sql_type(&self, expr: &Expr, data_type: &SqlType) -> Result<ArrowType, ExpressionError> {
        use ArrowType as T;
        let wrong = |message: String| Err(self.error(expr, message));
        Ok(match data_type {
            SqlType::Boolean | SqlType::Bool => T::Boolean,
            SqlType::TinyInt(None) => T::Int8,
            SqlType::SmallInt(None) | SqlType::Int16 => T::Int16,
            SqlType::Int(None) | SqlType::Integer(None) | SqlType::Int32 => T::Int32,
            SqlType::BigInt(None) | SqlType::Int64 => T::Int64,
            SqlType::UInt8 | SqlType::TinyIntUnsigned(None) => T::UInt8,
            SqlType::UInt16 | SqlType::SmallIntUnsigned(None) => T::UInt16,
            SqlType::UInt32 | SqlType::IntUnsigned(None) | SqlType::IntegerUnsigned(None) => {
                T::UInt32
            }
            SqlType::UInt64 | SqlType::BigIntUnsigned(None) => T::UInt64,
            SqlType::Int8(None) | SqlType::Int2(None) | SqlType::Int4(None) => {
                return wrong(format!(
                    "{data_type} means bits to some and bytes to others; write TINYINT (8 bits), SMALLINT (16), INT (32) or BIGINT (64)"
                ));
            }
            SqlType::Real | SqlType::Float4 | SqlType::Float32 => T::Float32,
            SqlType::Double(ExactNumberInfo::None)
            | SqlType::DoublePrecision
            | SqlType::Float(ExactNumberInfo::None)
            | SqlType::Float8
            | SqlType::Float64 => T::Float64,
            SqlType::Text
            | SqlType::String(None)
            | SqlType::Varchar(None)
            | SqlType::CharacterVarying(None) => T::Utf8,
            SqlType::Bytea
            | SqlType::Binary(None)
            | SqlType::Varbinary(None)
            | SqlType::Blob(None) => T::Binary,
            SqlType::Date => T::Date32,
            SqlType::Timestamp(None, TimezoneInfo::None)
            | SqlType::Timestamp(None, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz)
            | SqlType::Datetime(None) => INSTANT,
            SqlType::Decimal(info) | SqlType::Numeric(info) => {
                let (precision, scale) = match info {
                    ExactNumberInfo::None => (38, 10),
                    ExactNumberInfo::Precision(precision) => (*precision, 0),
                    ExactNumberInfo::PrecisionAndScale(precision, scale) => {
                        (*precision, u64::try_from(*scale).unwrap_or(u64::MAX))
                    }
                };
                if !(1..=38).contains(&precision) || scale > precision {
                    return wrong(format!(
                        "{data_type}: a decimal has 1 to 38 digits, and no more than these behind its point"
                    ));
                }
                T::Decimal128(precision as u8, scale as i8)
            }
            other => {
                // Ours: float64, utf8, list<...> and so on.
                let name = other.to_string().to_lowercase();
                return match name.parse::<unskew_definition::DataType>() {
                    Ok(ours) if ours.is_scalar() => Ok(internal_type(&ours)),
                    _ => wrong(format!(
                        "{other} is no type to cast to; take one of BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, UINT8 to UINT64, REAL, DOUBLE, DECIMAL(p, s), TEXT, BYTEA, DATE, TIMESTAMP"
                    )),
                };
            }
        })
    }
}

/// Whether no value fails to be cast.
fn always_fits(from: &ArrowType, to: &ArrowType) -> bool {
    super::coerce::fits(from, to)
        || (to.is_floating() && (from.is_integer() || from.is_floating()))
        || (*to == ArrowType::Utf8 && kind(from) != Kind::Bytes)
        || (*to == ArrowType::Binary && *from == ArrowType::Utf8)
}
