//! From a parsed text to a typed expression: every name is resolved, every
//! operand brought to the type that its operation takes, once.

mod call;
mod cast;
mod coerce;
mod function;
mod literal;
mod names;
mod operators;
mod special;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use arrow::datatypes::DataType as ArrowType;
use sqlparser::ast::{AccessExpr, Expr, Ident, Spanned, Subscript, Value};
use sqlparser::tokenizer::Span;
use unskew_definition::{DataType, Field};

use crate::catalog::{Callable, FunctionCatalog, ReferenceResolver};
use crate::error::ExpressionError;
use crate::expression::FieldPath;
use crate::reference;
use crate::representation::{external_type, internal_type, shown_type};
use crate::tree::{Call, Expression, Node};

/// How deep the operations of one text may nest.
const MAX_DEPTH: usize = 200;

/// An expression that yields a column.
pub(crate) struct Lowered {
    pub(crate) root: Expression,
    pub(crate) data_type: DataType,
    pub(crate) calls: Vec<Call>,
    pub(crate) paths: Vec<FieldPath>,
}

/// Lowers `parsed`, which was read from `text`.
pub(crate) fn lower(
    parsed: &Expr,
    text: &str,
    columns: &[Field],
    functions: &dyn FunctionCatalog,
    references: &dyn ReferenceResolver,
) -> Result<Lowered, ExpressionError> {
    let lowering = Lowering {
        columns,
        callables: functions.callables(),
        references,
        calls: RefCell::default(),
        paths: RefCell::default(),
        depth: Cell::new(0),
    };
    let root = lowering.expression(parsed)?;
    let data_type = external_type(&root.data_type).ok_or_else(|| {
        let found = shown_type(&root.data_type);
        let fix = match root.data_type {
            ArrowType::Null => "give it a type: CAST(NULL AS float64)",
            ArrowType::Duration(_) => "take its length: date_diff('second', earlier, later)",
            ArrowType::Interval(_) => "add it to a date or a timestamp",
            _ => "cast it to a type of columns",
        };
        lowering.error(parsed, format!("the expression is {found}, which no column holds; {fix}"))
    })?;
    debug_assert!(!text.is_empty());
    let Lowering { calls, paths, .. } = lowering;
    Ok(Lowered {
        root,
        data_type,
        calls: calls.into_inner(),
        paths: paths.into_inner().into_iter().collect(),
    })
}

struct Lowering<'a> {
    columns: &'a [Field],
    callables: Vec<Callable<'a>>,
    references: &'a dyn ReferenceResolver,
    calls: RefCell<Vec<Call>>,
    paths: RefCell<BTreeSet<FieldPath>>,
    depth: Cell<usize>,
}

type Result_ = Result<Expression, ExpressionError>;

impl Lowering<'_> {
    fn expression(&self, expr: &Expr) -> Result_ {
        if self.depth.get() == MAX_DEPTH {
            return Err(self.error(
                expr,
                format!("nested deeper than {MAX_DEPTH} operations; split it into several steps"),
            ));
        }
        self.depth.set(self.depth.get() + 1);
        let lowered = self.of_kind(expr);
        self.depth.set(self.depth.get() - 1);
        lowered
    }

    fn of_kind(&self, expr: &Expr) -> Result_ {
        match expr {
            Expr::Nested(inner) => self.expression(inner),
            Expr::Identifier(ident) => self.identifier(expr, ident),
            Expr::CompoundIdentifier(idents) => self.path(expr, idents),
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.access(expr, root, access_chain)
            }
            Expr::Value(value) => self.value(expr, value),
            Expr::TypedString(typed) => self.typed_string(expr, typed),
            Expr::Interval(interval) => self.interval(expr, interval),
            Expr::BinaryOp { left, op, right } => self.binary(expr, left, op, right),
            Expr::UnaryOp { op, expr: operand } => self.unary(expr, *op, operand),
            Expr::IsNull(operand) => self.is_null(expr, operand, false),
            Expr::IsNotNull(operand) => self.is_null(expr, operand, true),
            Expr::IsTrue(operand) => self.is(expr, operand, Some(true), true),
            Expr::IsNotTrue(operand) => self.is(expr, operand, Some(true), false),
            Expr::IsFalse(operand) => self.is(expr, operand, Some(false), true),
            Expr::IsNotFalse(operand) => self.is(expr, operand, Some(false), false),
            Expr::IsUnknown(operand) => self.is(expr, operand, None, true),
            Expr::IsNotUnknown(operand) => self.is(expr, operand, None, false),
            Expr::IsDistinctFrom(left, right) => self.distinct(expr, left, right, true),
            Expr::IsNotDistinctFrom(left, right) => self.distinct(expr, left, right, false),
            Expr::Between { expr: operand, negated, low, high } => {
                self.between(expr, operand, *negated, low, high)
            }
            Expr::InList { expr: operand, list, negated } => {
                self.in_list(expr, operand, list, *negated)
            }
            Expr::Like { negated, any: false, expr: operand, pattern, escape_char } => {
                self.like(expr, *negated, false, operand, pattern, escape_char.as_ref())
            }
            Expr::ILike { negated, any: false, expr: operand, pattern, escape_char } => {
                self.like(expr, *negated, true, operand, pattern, escape_char.as_ref())
            }
            Expr::Cast { kind, expr: operand, data_type, array: false, format: None } => {
                self.cast_expression(expr, kind, operand, data_type)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(expr, operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Extract { field, expr: operand, .. } => self.extract(expr, field, operand),
            Expr::Ceil { expr: operand, field } => self.ceil_or_floor(expr, "ceil", operand, field),
            Expr::Floor { expr: operand, field } => {
                self.ceil_or_floor(expr, "floor", operand, field)
            }
            Expr::Position { expr: operand, r#in } => self.named(expr, "strpos", &[r#in, operand]),
            Expr::Substring { expr: operand, substring_from, substring_for, .. } => {
                self.substring(expr, operand, substring_from.as_deref(), substring_for.as_deref())
            }
            Expr::Trim { expr: operand, trim_where, trim_what, trim_characters } => self.trim(
                expr,
                operand,
                *trim_where,
                trim_what.as_deref(),
                trim_characters.as_deref(),
            ),
            Expr::Function(function) => self.function(expr, function),
            other => Err(self.error(expr, refusal(other).to_owned())),
        }
    }

    fn identifier(&self, expr: &Expr, ident: &Ident) -> Result_ {
        let at = self.column_at(expr, ident)?;
        self.paths.borrow_mut().insert(FieldPath { column: at, field: None });
        Ok(self.column(at))
    }

    fn column_at(&self, expr: &Expr, ident: &Ident) -> Result<usize, ExpressionError> {
        if let Some(reference) = reference::of_identifier(&ident.value) {
            let at = self.references.resolve(&reference).map_err(|reason| {
                self.error(expr, format!("{{{{{}}}}}: {reason}", inside(&ident.value)))
            })?;
            assert!(at < self.columns.len(), "a reference resolves to one of the columns");
            return Ok(at);
        }
        let found = self.columns.iter().position(|column| column.name.as_str() == ident.value);
        found.ok_or_else(|| self.unknown_column(expr, ident))
    }

    fn column(&self, at: usize) -> Expression {
        let Field { data_type, nullable, .. } = &self.columns[at];
        Expression {
            node: Node::Column(at),
            data_type: internal_type(data_type),
            nullable: *nullable,
            fallible: false,
            columns: vec![at],
        }
    }

    /// `column.field`.
    fn path(&self, expr: &Expr, idents: &[Ident]) -> Result_ {
        let [column, field] = idents else {
            return Err(
                self.error(expr, format!("`{expr}` goes too deep; write column or column.field"))
            );
        };
        if self.columns.iter().all(|known| known.name.as_str() != column.value)
            && self.columns.iter().any(|known| known.name.as_str() == field.value)
        {
            return Err(self.error(
                expr,
                format!(
                    "there is no struct column {:?}; columns are named without a table or a view: write {:?}",
                    column.value, field.value
                ),
            ));
        }
        let at = self.column_at(expr, column)?;
        let field_at = self.field_at(expr, &self.column(at).data_type, &field.value)?;
        let DataType::Struct(fields) = &self.columns[at].data_type else {
            unreachable!("field_at takes structs alone")
        };
        let name = fields[field_at].name.clone();
        self.paths.borrow_mut().insert(FieldPath { column: at, field: Some(name) });
        Ok(self.field(self.column(at), field_at))
    }

    /// `(expression).field` and `expression[index]`.
    fn access(&self, expr: &Expr, root: &Expr, chain: &[AccessExpr]) -> Result_ {
        let (first, rest) = chain.split_first().expect("an access has at least one step");
        let mut value = match (root, first) {
            // `column.field[1]` must be a path, which lineage counts as its field alone.
            (Expr::Identifier(column), AccessExpr::Dot(Expr::Identifier(field))) => {
                self.path(expr, &[column.clone(), field.clone()])?
            }
            // `column['field']` is the same.
            (Expr::Identifier(column), AccessExpr::Subscript(Subscript::Index { index }))
                if quoted_name(index).is_some() =>
            {
                let field = Ident::new(quoted_name(index).unwrap_or_default());
                self.path(expr, &[column.clone(), field])?
            }
            // `module.transform(...)`, which is no step into a column.
            (Expr::Identifier(module), AccessExpr::Dot(Expr::Function(function))) => {
                self.function_of(expr, module, function)?
            }
            _ => {
                let root = self.expression(root)?;
                self.step(expr, root, first)?
            }
        };
        for step in rest {
            value = self.step(expr, value, step)?;
        }
        Ok(value)
    }

    fn step(&self, expr: &Expr, value: Expression, step: &AccessExpr) -> Result_ {
        match step {
            AccessExpr::Dot(Expr::Identifier(field)) => {
                let at = self.field_at(expr, &value.data_type, &field.value)?;
                Ok(self.field(value, at))
            }
            AccessExpr::Subscript(Subscript::Index { index }) => {
                if let Some(field) = quoted_name(index) {
                    let at = self.field_at(expr, &value.data_type, field)?;
                    return Ok(self.field(value, at));
                }
                let index = self.expression(index)?;
                self.apply_named(expr, "array_element", vec![value, index])
            }
            _ => Err(self.error(
                expr,
                "write value.field, value['field'] or list[index]; slices are not taken".to_owned(),
            )),
        }
    }

    fn field_at(&self, expr: &Expr, of: &ArrowType, field: &str) -> Result<usize, ExpressionError> {
        let ArrowType::Struct(fields) = of else {
            return Err(
                self.error(expr, format!("{} has no fields, so no {field:?}", shown_type(of)))
            );
        };
        fields.iter().position(|known| known.name() == field).ok_or_else(|| {
            let known = || fields.iter().map(|field| field.name().as_str());
            self.error(
                expr,
                format!(
                    "the struct has no field {field:?}{}; its fields: {}",
                    names::hint(field, known()),
                    names::listed(known())
                ),
            )
        })
    }

    fn field(&self, of: Expression, at: usize) -> Expression {
        let ArrowType::Struct(fields) = &of.data_type else {
            unreachable!("only structs have fields")
        };
        Expression {
            data_type: fields[at].data_type().clone(),
            nullable: of.nullable || fields[at].is_nullable(),
            fallible: of.fallible,
            columns: of.columns.clone(),
            node: Node::Field { of: Box::new(of), at },
        }
    }

    fn unknown_column(&self, expr: &Expr, ident: &Ident) -> ExpressionError {
        let name = &ident.value;
        let known = || self.columns.iter().map(|column| column.name.as_str());
        let what = match ident.quote_style {
            Some('"') => {
                format!("there is no column {name:?} (a text stands in single quotes: '{name}')")
            }
            _ => format!("there is no column {name:?}"),
        };
        let (hint, listed) = (names::hint(name, known()), names::listed(known()));
        self.error(expr, format!("{what}{hint}; the columns: {listed}"))
    }

    fn error(&self, expr: &Expr, message: String) -> ExpressionError {
        let Span { start, .. } = expr.span();
        crate::parse::error(start, message)
    }
}

/// How a part of the text stands in messages.
fn shown(expr: &Expr) -> String {
    const SHOWN: usize = 100;
    let text = expr.to_string().replace("\"{", "{{").replace("}\"", "}}");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn inside(ident: &str) -> &str {
    ident.trim_start_matches('{').trim_end_matches('}')
}

fn refusal(expr: &Expr) -> &'static str {
    match expr {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
            "an expression sees one row: subqueries are not taken; name what you need as columns, or as {{view.feature}} in an on-demand view"
        }
        Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => "`*` is no value; name the columns",
        Expr::AtTimeZone { .. } => {
            "all times are UTC: AT TIME ZONE is not taken; add an INTERVAL for a fixed offset"
        }
        Expr::SimilarTo { .. } | Expr::RLike { .. } => "write regexp_like(text, 'pattern') instead",
        Expr::Collate { .. } => "texts are compared by their bytes: COLLATE is not taken",
        Expr::AnyOp { .. } | Expr::AllOp { .. } => {
            "ANY and ALL are not taken; for lists write array_has(list, value)"
        }
        Expr::Like { .. } | Expr::ILike { .. } => "LIKE ANY is not taken; join several LIKE by OR",
        Expr::Cast { .. } => "write CAST(value AS type), without FORMAT or ARRAY",
        Expr::Tuple(_) => {
            "several values in parentheses are no value; give each its own expression"
        }
        Expr::Lambda(_) => "functions inside of expressions are not taken; write a transform",
        Expr::Array(_) | Expr::Struct { .. } | Expr::Map(_) | Expr::Dictionary(_) => {
            "lists and structs are not made in SQL; write a transform that yields one"
        }
        Expr::Convert { .. } => "write CAST(value AS type) instead of CONVERT",
        Expr::Overlay { .. } => {
            "OVERLAY is not taken; join left(...), the new part and substr(...) by ||"
        }
        Expr::Prior(_) | Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
            "this belongs to queries; an expression sees one row"
        }
        _ => "this form of SQL is not taken; docs/sql.md lists what is",
    }
}

/// The name in `value['name']`.
fn quoted_name(index: &Expr) -> Option<&str> {
    match index {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}
