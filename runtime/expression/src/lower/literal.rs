use arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use datafusion_common::ScalarValue;
use sqlparser::ast::{
    DataType as SqlType, Expr, Interval, TypedString, UnaryOperator, Value, ValueWithSpan,
};

use super::{Lowering, Result_};
use crate::representation::INSTANT;
use crate::tree::Expression;

impl Lowering<'_> {
    pub(super) fn value(&self, expr: &Expr, value: &ValueWithSpan) -> Result_ {
        match &value.value {
            Value::Number(digits, _) => self.number(expr, digits, false),
            Value::SingleQuotedString(text) => {
                Ok(Expression::literal(ScalarValue::Utf8(Some(text.clone()))))
            }
            Value::HexStringLiteral(digits) => {
                let bytes: Option<Vec<u8>> = (digits.len() % 2 == 0 && digits.is_ascii())
                    .then(|| {
                        (0..digits.len() / 2)
                            .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok())
                            .collect()
                    })
                    .flatten();
                match bytes {
                    Some(bytes) => Ok(Expression::literal(ScalarValue::Binary(Some(bytes)))),
                    None => Err(self.error(
                        expr,
                        format!("X'{digits}' has no whole bytes; write two hex digits for each"),
                    )),
                }
            }
            Value::Boolean(value) => Ok(Expression::literal(ScalarValue::Boolean(Some(*value)))),
            Value::Null => Ok(Expression::literal(ScalarValue::Null)),
            Value::Placeholder(name) => {
                Err(self.error(expr, format!("{name} is a placeholder; name a column instead")))
            }
            other => Err(self.error(
                expr,
                format!("{other} is no literal that is taken; write a text in single quotes"),
            )),
        }
    }

    fn number(&self, expr: &Expr, digits: &str, negative: bool) -> Result_ {
        let text = if negative { format!("-{digits}") } else { digits.to_owned() };
        let value = if digits.contains(['.', 'e', 'E']) {
            match text.parse::<f64>() {
                Ok(value) if value.is_finite() => ScalarValue::Float64(Some(value)),
                _ => {
                    return Err(self.error(
                        expr,
                        format!("{text} is no float64; write CAST('...' AS DECIMAL(p, s)) for more digits"),
                    ));
                }
            }
        } else if let Ok(value) = text.parse::<i64>() {
            ScalarValue::Int64(Some(value))
        } else if let Ok(value) = text.parse::<u64>() {
            ScalarValue::UInt64(Some(value))
        } else {
            return Err(self.error(
                expr,
                format!(
                    "{text} is too large for an integer; write CAST('{text}' AS DECIMAL(38, 0))"
                ),
            ));
        };
        Ok(Expression::literal(value))
    }

    /// The number behind a minus, as one literal: the least int64 has no
    /// positive.
    pub(super) fn negative_number(
        &self,
        expr: &Expr,
        op: UnaryOperator,
        operand: &Expr,
    ) -> Option<Result_> {
        let Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) = operand else {
            return None;
        };
        (op == UnaryOperator::Minus).then(|| self.number(expr, digits, true))
    }

    /// DATE '...' and TIMESTAMP '...'.
    pub(super) fn typed_string(&self, expr: &Expr, typed: &TypedString) -> Result_ {
        let to = match &typed.data_type {
            SqlType::Date => arrow::datatypes::DataType::Date32,
            SqlType::Timestamp(None, _) | SqlType::Datetime(None) => INSTANT,
            other => {
                return Err(self.error(
                    expr,
                    format!("write CAST('...' AS {other}) instead of {other} '...'"),
                ));
            }
        };
        let text = typed.value.clone().into_string().unwrap_or_default();
        self.cast_to(expr, Expression::literal(ScalarValue::Utf8(Some(text))), &to, false)
    }

    /// INTERVAL '1 day', INTERVAL '1' DAY, INTERVAL 1 DAY.
    pub(super) fn interval(&self, expr: &Expr, interval: &Interval) -> Result_ {
        let wrong = |reason: String| {
            Err(self
                .error(expr, format!("{reason}; write INTERVAL '1 day 2 hours', a constant text")))
        };
        let Interval {
            value,
            leading_field,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        } = interval
        else {
            return wrong("this form of interval is not taken".to_owned());
        };
        let (sign, value) = match value.as_ref() {
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => ("-", expr.as_ref()),
            value => ("", value),
        };
        let Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text) | Value::Number(text, _),
            ..
        }) = value
        else {
            return wrong("an interval must be a constant".to_owned());
        };
        let unit = leading_field.as_ref().map_or_else(String::new, |field| format!(" {field}"));
        match parse_interval_month_day_nano(&format!("{sign}{text}{unit}")) {
            Ok(interval) if interval.nanoseconds % 1000 != 0 => {
                wrong("times are microseconds: nanoseconds are not taken".to_owned())
            }
            Ok(interval) => {
                Ok(Expression::literal(ScalarValue::IntervalMonthDayNano(Some(interval))))
            }
            Err(error) => wrong(format!("{text:?} is no interval ({error})")),
        }
    }
}
