use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatchOptions, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{
    DataType as ArrowType, Decimal128Type, Field as ArrowField, Schema, SchemaRef,
};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{Column, Literal};
use unskew_host::RowStatus;

use crate::canonical::canonical_nans;
use crate::representation::represent;
use crate::rows::Failure;
use crate::tree::{Expression, Node, columns_of};

/// One operation on the values of its operands: a DataFusion physical
/// expression, which sees operands that are not literals as the columns of a
/// batch.
#[derive(Clone)]
pub(crate) struct Operation {
    expr: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    data_type: ArrowType,
    /// As it stands in the text, for messages.
    shown: Arc<str>,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.expr)
    }
}

/// What an operation is, beside its operands.
pub(crate) struct Making<'a> {
    pub(crate) data_type: ArrowType,
    pub(crate) nullable: bool,
    pub(crate) fallible: bool,
    /// As it stands in the text.
    pub(crate) shown: &'a str,
}

/// The operation that `build` makes of its operands; its value at once, where
/// all of them are literals and it does not fail.
pub(crate) fn operation(
    operands: Vec<Expression>,
    making: Making<'_>,
    build: impl FnOnce(
        Vec<Arc<dyn PhysicalExpr>>,
        &Schema,
    ) -> Result<Arc<dyn PhysicalExpr>, DataFusionError>,
) -> Result<Expression, DataFusionError> {
    let Making { data_type, nullable, fallible, shown } = making;
    let mut fields = Vec::new();
    let mut physical: Vec<Arc<dyn PhysicalExpr>> = Vec::with_capacity(operands.len());
    for operand in &operands {
        match operand.as_literal() {
            Some(value) => physical.push(Arc::new(Literal::new(value.clone()))),
            None => {
                let name = format!("_{}", fields.len());
                physical.push(Arc::new(Column::new(&name, fields.len())));
                fields.push(ArrowField::new(name, operand.data_type.clone(), true));
            }
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let expr = build(physical, &schema)?;
    let operation =
        Operation { expr, schema, data_type: data_type.clone(), shown: Arc::from(shown) };
    if operation.schema.fields().is_empty()
        && let Ok(array) = operation.attempt(&[], 1)
    {
        return Ok(Expression::literal(ScalarValue::try_from_array(&array, 0)?));
    }
    let fallible = fallible || operands.iter().any(|operand| operand.fallible);
    let columns = columns_of(&operands);
    let node = Node::Operation { operation, operands };
    Ok(Expression { node, data_type, nullable, fallible, columns })
}

impl Operation {
    /// Evaluates `rows` rows; `columns` holds the operands that are not
    /// literals. Rows that fail are null, and listed in ascending order.
    ///
    /// An error is halved until single rows stand alone. For all of them to
    /// fail takes at most two evaluations a row.
    pub(crate) fn evaluate(
        &self,
        columns: &[ArrayRef],
        rows: usize,
    ) -> Result<(ArrayRef, Vec<Failure>), ArrowError> {
        if rows == 0 {
            return Ok((new_null_array(&self.data_type, 0), Vec::new()));
        }
        let mut pieces: Vec<ArrayRef> = Vec::new();
        let mut failures = Vec::new();
        let mut todo = vec![(0, rows)];
        while let Some((start, length)) = todo.pop() {
            let slices: Vec<ArrayRef>;
            let part = match length == rows {
                true => columns,
                false => {
                    slices = columns.iter().map(|column| column.slice(start, length)).collect();
                    &slices
                }
            };
            match self.attempt(part, length) {
                Ok(array) => pieces.push(array),
                Err(message) if length == 1 => {
                    let message = format!("`{}`: {message}", self.shown);
                    failures.push(Failure {
                        row: start as u32,
                        status: RowStatus::Failed,
                        message,
                    });
                    pieces.push(new_null_array(&self.data_type, 1));
                }
                Err(_) => {
                    let half = length / 2;
                    todo.extend([(start + half, length - half), (start, half)]);
                }
            }
        }
        let array = match pieces.as_slice() {
            [one] => Arc::clone(one),
            several => concat(&several.iter().map(AsRef::as_ref).collect::<Vec<_>>())?,
        };
        Ok((array, failures))
    }

    /// One evaluation of all rows at once.
    fn attempt(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        let evaluated = || -> Result<ArrayRef, DataFusionError> {
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let schema = Arc::clone(&self.schema);
            let batch = RecordBatch::try_new_with_options(schema, columns.to_vec(), &options)?;
            let array = self.expr.evaluate(&batch)?.into_array(rows)?;
            let array = represent(&array, &self.data_type)?;
            if let ArrowType::Decimal128(precision, scale) = self.data_type {
                array
                    .as_primitive::<Decimal128Type>()
                    .validate_decimal_precision(precision)
                    .map_err(|_| {
                        DataFusionError::Execution(format!(
                            "overflow: the result has more than the {precision} digits of decimal128({precision},{scale})"
                        ))
                    })?;
            }
            Ok(canonical_nans(&array))
        };
        // A panic in a library is an error of the rows that cause it.
        match catch_unwind(AssertUnwindSafe(evaluated)) {
            Ok(Ok(array)) if array.len() == rows => Ok(array),
            Ok(Ok(array)) => Err(format!("{} results for {rows} rows", array.len())),
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err("the function cannot handle this value".to_owned()),
        }
    }
}

/// What went wrong, without the words of the libraries it passed through.
pub(crate) fn reason(error: &DataFusionError) -> String {
    let text = match error.find_root() {
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::DivideByZero => "division by zero".to_owned(),
            ArrowError::ArithmeticOverflow(text)
            | ArrowError::CastError(text)
            | ArrowError::ComputeError(text)
            | ArrowError::InvalidArgumentError(text)
            | ArrowError::ParseError(text) => text.clone(),
            other => other.to_string(),
        },
        DataFusionError::Execution(text) | DataFusionError::Plan(text) => text.clone(),
        other => other.to_string(),
    };
    text.split("\n\nbacktrace").next().unwrap_or_default().trim().to_owned()
}
