use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, IntervalUnit};
use datafusion_common::ScalarValue;
use datafusion_expr::Operator;
use datafusion_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion_physical_expr::expressions::{
    BinaryExpr, IsNotNullExpr, IsNullExpr, LikeExpr, NotExpr, in_list,
};
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value, ValueWithSpan};

use super::coerce::{Kind, common_number, digits, kind};
use super::{Lowering, Result_, shown};
use crate::operation::{Making, operation, reason};
use crate::representation::{normal_type, shown_type};
use crate::tree::{Expression, Node, columns_of};

impl Lowering<'_> {
    pub(super) fn binary(
        &self,
        expr: &Expr,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
    ) -> Result_ {
        use BinaryOperator as B;
        let regexp = |negated, case_insensitive: bool| {
            let mut arguments = vec![self.expression(left)?, self.expression(right)?];
            if case_insensitive {
                arguments.push(Expression::literal(ScalarValue::Utf8(Some("i".to_owned()))));
            }
            let matches = self.apply_named(expr, "regexp_like", arguments)?;
            if negated { self.not(expr, matches) } else { Ok(matches) }
        };
        let both = || Ok((self.expression(left)?, self.expression(right)?));
        match op {
            B::And | B::Or => {
                let (left, right) = both()?;
                self.logic(expr, left, right, *op == B::And)
            }
            B::Plus => both().and_then(|(l, r)| self.arithmetic(expr, l, Operator::Plus, r)),
            B::Minus => both().and_then(|(l, r)| self.arithmetic(expr, l, Operator::Minus, r)),
            B::Multiply => {
                both().and_then(|(l, r)| self.arithmetic(expr, l, Operator::Multiply, r))
            }
            B::Divide => both().and_then(|(l, r)| self.arithmetic(expr, l, Operator::Divide, r)),
            B::Modulo => both().and_then(|(l, r)| self.arithmetic(expr, l, Operator::Modulo, r)),
            B::Eq => both().and_then(|(l, r)| self.compare(expr, l, Operator::Eq, r)),
            B::NotEq => both().and_then(|(l, r)| self.compare(expr, l, Operator::NotEq, r)),
            B::Lt => both().and_then(|(l, r)| self.compare(expr, l, Operator::Lt, r)),
            B::LtEq => both().and_then(|(l, r)| self.compare(expr, l, Operator::LtEq, r)),
            B::Gt => both().and_then(|(l, r)| self.compare(expr, l, Operator::Gt, r)),
            B::GtEq => both().and_then(|(l, r)| self.compare(expr, l, Operator::GtEq, r)),
            B::BitwiseAnd => both().and_then(|(l, r)| self.bits(expr, l, Operator::BitwiseAnd, r)),
            B::BitwiseOr => both().and_then(|(l, r)| self.bits(expr, l, Operator::BitwiseOr, r)),
            B::BitwiseXor => both().and_then(|(l, r)| self.bits(expr, l, Operator::BitwiseXor, r)),
            B::StringConcat => both().and_then(|(l, r)| self.join_texts(expr, l, r)),
            B::PGRegexMatch => regexp(false, false),
            B::PGRegexIMatch => regexp(false, true),
            B::PGRegexNotMatch => regexp(true, false),
            B::PGRegexNotIMatch => regexp(true, true),
            B::Xor => Err(self.error(expr, "write a <> b for two booleans instead of XOR".into())),
            other => Err(self.error(
                expr,
                format!("the operator {other} is not taken; docs/sql.md lists those that are"),
            )),
        }
    }

    pub(super) fn logic(
        &self,
        expr: &Expr,
        left: Expression,
        right: Expression,
        and: bool,
    ) -> Result_ {
        let word = if and { "AND" } else { "OR" };
        let left = self.boolean(expr, left, || format!("the left side of {word}"))?;
        let right = self.boolean(expr, right, || format!("the right side of {word}"))?;
        let columns = columns_of([&left, &right]);
        let (nullable, fallible) =
            (left.nullable || right.nullable, left.fallible || right.fallible);
        let (left, right) = (Box::new(left), Box::new(right));
        let node = if and { Node::And(left, right) } else { Node::Or(left, right) };
        Ok(Expression { node, data_type: ArrowType::Boolean, nullable, fallible, columns })
    }

    pub(super) fn boolean(
        &self,
        expr: &Expr,
        value: Expression,
        what: impl FnOnce() -> String,
    ) -> Result_ {
        match value.data_type {
            ArrowType::Boolean => Ok(value),
            ArrowType::Null => self.cast_to(expr, value, &ArrowType::Boolean, false),
            _ => Err(self.error(
                expr,
                format!(
                    "{} must be true or false, and is {}; compare it with something",
                    what(),
                    shown_type(&value.data_type)
                ),
            )),
        }
    }

    pub(super) fn arithmetic(
        &self,
        expr: &Expr,
        left: Expression,
        op: Operator,
        right: Expression,
    ) -> Result_ {
        let kinds = (kind(&left.data_type), kind(&right.data_type));
        let (left_type, right_type) = match kinds {
            (Kind::Number, Kind::Null) => (left.data_type.clone(), left.data_type.clone()),
            (Kind::Null, Kind::Number) => (right.data_type.clone(), right.data_type.clone()),
            (Kind::Number, Kind::Number) => self.numbers(&left, op, &right),
            (Kind::Date, Kind::Date) if op == Operator::Minus => {
                let common = self.common(&left, &right).expect("dates go together");
                (common.clone(), common)
            }
            (Kind::Date, Kind::Interval) if matches!(op, Operator::Plus | Operator::Minus) => {
                // A day has no hours to add to: a date becomes its midnight.
                (crate::representation::INSTANT, right.data_type.clone())
            }
            (Kind::Interval, Kind::Date) if op == Operator::Plus => {
                return self.arithmetic(expr, right, op, left);
            }
            (Kind::Date, Kind::Duration) if matches!(op, Operator::Plus | Operator::Minus) => {
                (crate::representation::INSTANT, right.data_type.clone())
            }
            (Kind::Duration, Kind::Duration) | (Kind::Interval, Kind::Interval)
                if matches!(op, Operator::Plus | Operator::Minus) =>
            {
                (left.data_type.clone(), right.data_type.clone())
            }
            _ => return Err(self.no_operator(expr, &left, op, &right)),
        };
        let left = self.cast_to(expr, left, &left_type, false)?;
        let right = self.cast_to(expr, right, &right_type, false)?;
        let data_type = match (kind(&left_type), &left_type) {
            (Kind::Date, _) if kind(&right_type) != Kind::Date => crate::representation::INSTANT,
            (Kind::Date, ArrowType::Date32) => ArrowType::Int64,
            (Kind::Date, _) => ArrowType::Duration(arrow::datatypes::TimeUnit::Microsecond),
            (_, ArrowType::Decimal128(..)) => BinaryTypeCoercer::new(&left_type, &op, &right_type)
                .get_result_type()
                .map_err(|error| self.error(expr, reason(&error)))?,
            (Kind::Number | Kind::Duration, _) => left_type.clone(),
            _ => ArrowType::Interval(IntervalUnit::MonthDayNano),
        };
        let fallible = !data_type.is_floating();
        self.operator(expr, left, op, right, data_type, fallible)
    }

    /// The types in which two numbers are reckoned with.
    fn numbers(
        &self,
        left: &Expression,
        op: Operator,
        right: &Expression,
    ) -> (ArrowType, ArrowType) {
        let (l, r) = (&left.data_type, &right.data_type);
        if let Some(common @ (ArrowType::Float32 | ArrowType::Float64)) = common_number(l, r) {
            return (common.clone(), common);
        }
        let is_decimal = |t: &ArrowType| matches!(t, ArrowType::Decimal128(..));
        if is_decimal(l) || is_decimal(r) {
            // The operation itself says what digits its result has.
            let decimal = |t: &ArrowType| {
                let (precision, scale) = digits(t).expect("integers and decimals have digits");
                ArrowType::Decimal128(precision, scale)
            };
            let (l, r) = (decimal(l), decimal(r));
            return match BinaryTypeCoercer::new(&l, &op, &r).get_input_types() {
                Ok(types) => types,
                Err(_) => (l, r),
            };
        }
        let common = match self.common(left, right) {
            // No integer holds both: a value beyond int64 is an error of its row.
            Some(ArrowType::Decimal128(..)) | None => ArrowType::Int64,
            Some(common) => common,
        };
        (common.clone(), common)
    }

    fn bits(&self, expr: &Expr, left: Expression, op: Operator, right: Expression) -> Result_ {
        if !left.data_type.is_integer() || !right.data_type.is_integer() {
            return Err(self.no_operator(expr, &left, op, &right));
        }
        let (common, _) = self.numbers(&left, op, &right);
        let left = self.cast_to(expr, left, &common, false)?;
        let right = self.cast_to(expr, right, &common, false)?;
        self.operator(expr, left, op, right, common, false)
    }

    fn join_texts(&self, expr: &Expr, left: Expression, right: Expression) -> Result_ {
        let text = |value: Expression| match kind(&value.data_type) {
            Kind::Text | Kind::Null => self.cast_to(expr, value, &ArrowType::Utf8, false),
            _ => Err(self.error(
                expr,
                format!(
                    "|| joins texts, and one side is {}; cast it: CAST(... AS TEXT)",
                    shown_type(&value.data_type)
                ),
            )),
        };
        let (left, right) = (text(left)?, text(right)?);
        self.operator(expr, left, Operator::StringConcat, right, ArrowType::Utf8, true)
    }

    /// Compares by value: text and bytes by their bytes, floats with one zero
    /// and one NaN, which is the greatest.
    pub(super) fn compare(
        &self,
        expr: &Expr,
        left: Expression,
        op: Operator,
        right: Expression,
    ) -> Result_ {
        let common = self
            .common(&left, &right)
            .filter(|common| !matches!(kind(common), Kind::List | Kind::Struct | Kind::Interval))
            .ok_or_else(|| self.no_operator(expr, &left, op, &right))?;
        let left = self.comparable(expr, left, &common)?;
        let right = self.comparable(expr, right, &common)?;
        self.operator(expr, left, op, right, ArrowType::Boolean, false)
    }

    /// An operand as comparisons take it.
    pub(super) fn comparable(&self, expr: &Expr, value: Expression, to: &ArrowType) -> Result_ {
        let value = self.cast_to(expr, value, to, false)?;
        if !to.is_floating() {
            return Ok(value);
        }
        self.native(expr, &crate::native::ONE_ZERO, vec![value], to.clone())
    }

    fn operator(
        &self,
        expr: &Expr,
        left: Expression,
        op: Operator,
        right: Expression,
        data_type: ArrowType,
        fallible: bool,
    ) -> Result_ {
        let distinct = matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom);
        let nullable = !distinct && (left.nullable || right.nullable);
        let shown = shown(expr);
        let making =
            Making { data_type: normal_type(&data_type), nullable, fallible, shown: &shown };
        operation(vec![left, right], making, |mut operands, _| {
            let right = operands.pop().expect("two operands");
            let left = operands.pop().expect("two operands");
            Ok(Arc::new(BinaryExpr::new(left, op, right).with_fail_on_overflow(true)))
        })
        .map_err(|error| self.error(expr, reason(&error)))
    }

    fn no_operator(
        &self,
        expr: &Expr,
        left: &Expression,
        op: Operator,
        right: &Expression,
    ) -> crate::error::ExpressionError {
        let fix = match (kind(&left.data_type), kind(&right.data_type)) {
            (Kind::Text, Kind::Number) | (Kind::Number, Kind::Text) => {
                "cast the text: CAST(... AS DOUBLE)"
            }
            (Kind::Text, Kind::Text) => "join texts by ||",
            (Kind::Date, Kind::Number) | (Kind::Number, Kind::Date) => {
                "write an interval: + INTERVAL '1 day'"
            }
            (Kind::Date, Kind::Text) | (Kind::Text, Kind::Date) => {
                "cast the text: CAST(... AS TIMESTAMP)"
            }
            (Kind::Struct, _) | (_, Kind::Struct) => "name a field: column.field",
            _ => "cast one of them",
        };
        self.error(
            expr,
            format!(
                "there is no {} {op} {}; {fix}",
                shown_type(&left.data_type),
                shown_type(&right.data_type)
            ),
        )
    }

    pub(super) fn unary(&self, expr: &Expr, op: UnaryOperator, operand: &Expr) -> Result_ {
        if let Some(number) = self.negative_number(expr, op, operand) {
            return number;
        }
        let value = self.expression(operand)?;
        match op {
            UnaryOperator::Not => {
                let value = self.boolean(expr, value, || "what follows NOT".to_owned())?;
                self.not(expr, value)
            }
            UnaryOperator::Minus => self.apply_named(expr, "negate", vec![value]),
            UnaryOperator::Plus if kind(&value.data_type) == Kind::Number => Ok(value),
            other => Err(self.error(
                expr,
                format!(
                    "the operator {other} is not taken before {}",
                    shown_type(&value.data_type)
                ),
            )),
        }
    }

    pub(super) fn not(&self, expr: &Expr, value: Expression) -> Result_ {
        let shown = shown(expr);
        let making = Making {
            data_type: ArrowType::Boolean,
            nullable: value.nullable,
            fallible: false,
            shown: &shown,
        };
        operation(vec![value], making, |mut operands, _| {
            Ok(Arc::new(NotExpr::new(operands.remove(0))))
        })
        .map_err(|error| self.error(expr, reason(&error)))
    }

    pub(super) fn is_null(&self, expr: &Expr, operand: &Expr, negated: bool) -> Result_ {
        let value = self.expression(operand)?;
        self.null_test(expr, value, negated)
    }

    fn null_test(&self, expr: &Expr, value: Expression, negated: bool) -> Result_ {
        let shown = shown(expr);
        let making = Making {
            data_type: ArrowType::Boolean,
            nullable: false,
            fallible: false,
            shown: &shown,
        };
        operation(vec![value], making, |mut operands, _| {
            let operand = operands.remove(0);
            Ok(match negated {
                true => Arc::new(IsNotNullExpr::new(operand)),
                false => Arc::new(IsNullExpr::new(operand)),
            })
        })
        .map_err(|error| self.error(expr, reason(&error)))
    }

    /// IS [NOT] TRUE, FALSE and UNKNOWN.
    pub(super) fn is(&self, expr: &Expr, operand: &Expr, of: Option<bool>, holds: bool) -> Result_ {
        let value = self.expression(operand)?;
        let value = self.boolean(expr, value, || "what stands before IS".to_owned())?;
        if of.is_none() {
            return self.null_test(expr, value, !holds);
        }
        let op = if holds { Operator::IsNotDistinctFrom } else { Operator::IsDistinctFrom };
        let literal = Expression::literal(ScalarValue::Boolean(of));
        self.operator(expr, value, op, literal, ArrowType::Boolean, false)
    }

    pub(super) fn distinct(
        &self,
        expr: &Expr,
        left: &Expr,
        right: &Expr,
        distinct: bool,
    ) -> Result_ {
        let op = if distinct { Operator::IsDistinctFrom } else { Operator::IsNotDistinctFrom };
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        self.compare(expr, left, op, right)
    }

    /// `x BETWEEN low AND high` is `x >= low AND x <= high`.
    pub(super) fn between(
        &self,
        expr: &Expr,
        operand: &Expr,
        negated: bool,
        low: &Expr,
        high: &Expr,
    ) -> Result_ {
        let value = self.expression(operand)?;
        let above = self.compare(expr, value.clone(), Operator::GtEq, self.expression(low)?)?;
        let below = self.compare(expr, value, Operator::LtEq, self.expression(high)?)?;
        let within = self.logic(expr, above, below, true)?;
        if negated { self.not(expr, within) } else { Ok(within) }
    }

    pub(super) fn in_list(
        &self,
        expr: &Expr,
        operand: &Expr,
        list: &[Expr],
        negated: bool,
    ) -> Result_ {
        let value = self.expression(operand)?;
        let list = list.iter().map(|item| self.expression(item)).collect::<Result<Vec<_>, _>>()?;
        let all: Vec<&Expression> = std::iter::once(&value).chain(&list).collect();
        let common = self.common_of(expr, "the values of IN", &all)?;
        if matches!(kind(&common), Kind::List | Kind::Struct | Kind::Interval | Kind::Duration) {
            return Err(self.error(expr, format!("IN does not compare {}", shown_type(&common))));
        }
        let nullable = value.nullable || list.iter().any(|item| item.nullable);
        let mut operands = vec![self.comparable(expr, value, &common)?];
        for item in list {
            operands.push(self.comparable(expr, item, &common)?);
        }
        let shown = shown(expr);
        let making =
            Making { data_type: ArrowType::Boolean, nullable, fallible: false, shown: &shown };
        operation(operands, making, |mut operands, schema| {
            let list = operands.split_off(1);
            in_list(operands.remove(0), list, &negated, schema)
        })
        .map_err(|error| self.error(expr, reason(&error)))
    }

    pub(super) fn like(
        &self,
        expr: &Expr,
        negated: bool,
        case_insensitive: bool,
        operand: &Expr,
        pattern: &Expr,
        escape: Option<&ValueWithSpan>,
    ) -> Result_ {
        if let Some(ValueWithSpan { value, .. }) = escape
            && !matches!(value, Value::SingleQuotedString(text) if text == "\\")
        {
            return Err(self
                .error(expr, "the escape of LIKE is the backslash; leave out ESCAPE".to_owned()));
        }
        let text = |value: Expression| match kind(&value.data_type) {
            Kind::Text | Kind::Null => self.cast_to(expr, value, &ArrowType::Utf8, false),
            _ => Err(self.error(
                expr,
                format!(
                    "LIKE compares texts, and one side is {}; cast it",
                    shown_type(&value.data_type)
                ),
            )),
        };
        let operands = vec![text(self.expression(operand)?)?, text(self.expression(pattern)?)?];
        let nullable = operands.iter().any(|operand| operand.nullable);
        let shown = shown(expr);
        let making =
            Making { data_type: ArrowType::Boolean, nullable, fallible: true, shown: &shown };
        operation(operands, making, |mut operands, _| {
            let pattern = operands.pop().expect("two operands");
            let value = operands.pop().expect("two operands");
            Ok(Arc::new(LikeExpr::new(negated, case_insensitive, value, pattern)))
        })
        .map_err(|error| self.error(expr, reason(&error)))
    }
}
