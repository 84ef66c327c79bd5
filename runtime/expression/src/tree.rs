use arrow::datatypes::DataType as ArrowType;
use datafusion_common::ScalarValue;
use unskew_definition::Field;

use crate::catalog::FunctionRef;
use crate::operation::Operation;

/// A typed expression. Types are internal ones, see [`crate::representation`].
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) node: Node,
    pub(crate) data_type: ArrowType,
    /// Whether it may be null for a row that does not fail.
    pub(crate) nullable: bool,
    /// Whether any row can fail.
    pub(crate) fallible: bool,
    /// The columns that it reads, ascending.
    pub(crate) columns: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A column of the batch.
    Column(usize),
    /// One value for all rows.
    Literal(ScalarValue),
    /// A field of a struct.
    Field { of: Box<Expression>, at: usize },
    /// A function of its operands' values, each of which is evaluated for
    /// every row.
    Operation { operation: Operation, operands: Vec<Expression> },
    /// The right side is evaluated for rows that the left side leaves open.
    And(Box<Expression>, Box<Expression>),
    /// The right side is evaluated for rows that the left side leaves open.
    Or(Box<Expression>, Box<Expression>),
    /// A condition is evaluated for rows that met none before it, a value for
    /// rows that met its condition.
    Case { branches: Vec<(Expression, Expression)>, otherwise: Option<Box<Expression>> },
    /// Each is evaluated for rows for which all before it were null.
    Coalesce(Vec<Expression>),
    /// A transform of a module: the index of its [`Call`].
    Call { at: usize, arguments: Vec<Expression> },
}

/// One call of a transform.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) function: FunctionRef,
    pub(crate) inputs: Vec<Field>,
    pub(crate) outputs: Vec<Field>,
}

impl Expression {
    pub(crate) fn literal(value: ScalarValue) -> Self {
        Self {
            data_type: value.data_type(),
            nullable: value.is_null(),
            fallible: false,
            columns: Vec::new(),
            node: Node::Literal(value),
        }
    }

    /// The value, if it is one for all rows.
    pub(crate) fn as_literal(&self) -> Option<&ScalarValue> {
        match &self.node {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn is_null_literal(&self) -> bool {
        self.as_literal().is_some_and(ScalarValue::is_null)
    }
}

/// The columns that any of `expressions` reads, ascending.
pub(crate) fn columns_of<'a>(expressions: impl IntoIterator<Item = &'a Expression>) -> Vec<usize> {
    let mut columns: Vec<usize> =
        expressions.into_iter().flat_map(|e| e.columns.iter().copied()).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}
