//! Forms with a grammar of their own, and those that evaluate a part for some
//! rows alone.

use datafusion_common::ScalarValue;
use datafusion_expr::Operator;
use sqlparser::ast::{CaseWhen, CeilFloorKind, DateTimeField, Expr, TrimWhereField};

use super::{Lowering, Result_};
use crate::tree::{Expression, Node, columns_of};

impl Lowering<'_> {
    pub(super) fn case(
        &self,
        expr: &Expr,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result_ {
        let operand = operand.map(|operand| self.expression(operand)).transpose()?;
        let mut whens = Vec::with_capacity(conditions.len());
        let mut thens = Vec::with_capacity(conditions.len());
        for CaseWhen { condition, result } in conditions {
            let when = self.expression(condition)?;
            whens.push(match &operand {
                Some(operand) => self.compare(condition, operand.clone(), Operator::Eq, when)?,
                None => self.boolean(condition, when, || "what follows WHEN".to_owned())?,
            });
            thens.push(self.expression(result)?);
        }
        let otherwise = otherwise.map(|value| self.expression(value)).transpose()?;
        let values: Vec<&Expression> = thens.iter().chain(&otherwise).collect();
        let common = self.common_of(expr, "the values of CASE", &values)?;
        let nullable = otherwise.as_ref().is_none_or(|value| value.nullable)
            || thens.iter().any(|value| value.nullable);
        let mut branches = Vec::with_capacity(whens.len());
        for (when, then) in whens.into_iter().zip(thens) {
            branches.push((when, self.cast_to(expr, then, &common, false)?));
        }
        let otherwise = otherwise
            .map(|value| self.cast_to(expr, value, &common, false).map(Box::new))
            .transpose()?;
        let parts =
            || branches.iter().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref());
        let (columns, fallible) = (columns_of(parts()), parts().any(|part| part.fallible));
        let node = Node::Case { branches, otherwise };
        Ok(Expression { node, data_type: common, nullable, fallible, columns })
    }

    pub(super) fn coalesce(&self, expr: &Expr, values: Vec<Expression>) -> Result_ {
        if values.is_empty() {
            return Err(self.error(expr, "coalesce takes at least one value".to_owned()));
        }
        let all: Vec<&Expression> = values.iter().collect();
        let common = self.common_of(expr, "the values of coalesce", &all)?;
        let values = values
            .into_iter()
            .map(|value| self.cast_to(expr, value, &common, false))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Expression {
            data_type: common,
            nullable: values.iter().all(|value| value.nullable),
            fallible: values.iter().any(|value| value.fallible),
            columns: columns_of(&values),
            node: Node::Coalesce(values),
        })
    }

    pub(super) fn extract(&self, expr: &Expr, field: &DateTimeField, operand: &Expr) -> Result_ {
        let field = field.to_string().to_lowercase();
        let part = Expression::literal(ScalarValue::Utf8(Some(field)));
        let value = self.expression(operand)?;
        self.apply_named(expr, "date_part", vec![part, value])
    }

    pub(super) fn ceil_or_floor(
        &self,
        expr: &Expr,
        name: &str,
        operand: &Expr,
        kind: &CeilFloorKind,
    ) -> Result_ {
        match kind {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => {
                self.named(expr, name, &[operand])
            }
            _ => {
                Err(self
                    .error(expr, format!("{name} takes one number; for times write date_trunc")))
            }
        }
    }

    pub(super) fn substring(
        &self,
        expr: &Expr,
        operand: &Expr,
        from: Option<&Expr>,
        length: Option<&Expr>,
    ) -> Result_ {
        let mut arguments = vec![self.expression(operand)?];
        arguments.push(match from {
            Some(from) => self.expression(from)?,
            None => Expression::literal(ScalarValue::Int64(Some(1))),
        });
        if let Some(length) = length {
            arguments.push(self.expression(length)?);
        }
        self.apply_named(expr, "substr", arguments)
    }

    pub(super) fn trim(
        &self,
        expr: &Expr,
        operand: &Expr,
        side: Option<TrimWhereField>,
        what: Option<&Expr>,
        characters: Option<&[Expr]>,
    ) -> Result_ {
        let name = match side {
            None | Some(TrimWhereField::Both) => "btrim",
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
        };
        let mut arguments = vec![self.expression(operand)?];
        for what in what.into_iter().chain(characters.unwrap_or_default()) {
            arguments.push(self.expression(what)?);
        }
        self.apply_named(expr, name, arguments)
    }

    /// A built-in function of operands that stand in the text.
    pub(super) fn named(&self, expr: &Expr, name: &str, operands: &[&Expr]) -> Result_ {
        let arguments =
            operands.iter().map(|operand| self.expression(operand)).collect::<Result<_, _>>()?;
        self.apply_named(expr, name, arguments)
    }
}
