//! The functions of SQL expressions that DataFusion, as we build it, has not:
//! the same code, with the same errors of single rows.

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, FieldRef, Schema};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use unskew_column::{Conversion, arrow_name};
use unskew_definition::{Field, Name, OnError};
use unskew_executor::fitting_type;
use unskew_expression::{NoFunctions, SqlExpression};

use crate::sql::error::RowFailed;
use crate::sql::row_failures::RowFailures;

/// A call `name(a, b, ...)` is the expression of that text over the columns
/// that are given; constants stand in the text.
#[derive(Debug)]
pub(crate) struct ExpressionFunction {
    name: &'static str,
    signature: Signature,
    on_error: OnError,
    failures: RowFailures,
}

impl ExpressionFunction {
    pub(crate) fn new(name: &'static str, on_error: OnError, failures: RowFailures) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { name, signature, on_error, failures }
    }

    /// The expression for what is given, and which of it are columns.
    fn expression(
        &self,
        given: &[ArrowType],
        constants: &[Option<&ScalarValue>],
    ) -> Result<(SqlExpression, Vec<usize>)> {
        let mut text = format!("{}(", self.name);
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (at, (found, constant)) in given.iter().zip(constants).enumerate() {
            if at > 0 {
                text.push_str(", ");
            }
            if let Some(written) = constant.and_then(written) {
                text.push_str(&written);
                continue;
            }
            let data_type = fitting_type(found).ok_or_else(|| {
                plan_datafusion_err!("{} does not take {}", self.name, arrow_name(found))
            })?;
            let name = format!("argument{}", at + 1);
            let _ = write!(text, "{name}");
            let name = Name::new(name).map_err(|error| plan_datafusion_err!("{error}"))?;
            fields.push(Field { name, data_type, nullable: true });
            columns.push(at);
        }
        text.push(')');
        let expression = SqlExpression::analyze(&text, &fields, &NoFunctions)
            .map_err(|error| plan_datafusion_err!("{text}: {error}"))?;
        Ok((expression, columns))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
        let given: Vec<ArrowType> = arguments.iter().map(ColumnarValue::data_type).collect();
        let constants: Vec<Option<&ScalarValue>> = arguments
            .iter()
            .map(|value| match value {
                ColumnarValue::Scalar(scalar) => Some(scalar),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        let (expression, columns) = self.expression(&given, &constants)?;
        let bound = expression
            .bind(&NoFunctions)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let mut arrays = Vec::with_capacity(columns.len());
        let mut fields = Vec::with_capacity(columns.len());
        for at in columns {
            let array = arguments[at].to_array(rows)?;
            let wanted = fitting_type(array.data_type()).expect("it fitted when it was analyzed");
            let conversion = Conversion::between(array.data_type(), &wanted)
                .expect("a column fits the type that was found for it");
            let (array, _) = conversion.apply(&array)?;
            fields.push(ArrowField::new(
                format!("argument{}", at + 1),
                array.data_type().clone(),
                true,
            ));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch =
            RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?;
        let outcome = bound
            .evaluate(&batch, None)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        match outcome.errors.first() {
            Some(first) if self.on_error == OnError::Fail => {
                return Err(DataFusionError::External(Box::new(RowFailed {
                    function: self.name.to_owned(),
                    status: first.status,
                    message: first.message.clone(),
                })));
            }
            _ => self.failures.add(self.name, &outcome.errors),
        }
        let mut columns = outcome.columns;
        Ok(columns.swap_remove(0))
    }
}

/// A constant as it is written in an expression, where it is one there: how
/// many digits, which unit. A float is none: as text it would be a decimal.
fn written(constant: &ScalarValue) -> Option<String> {
    match constant {
        ScalarValue::Int64(Some(number)) if *number >= 0 => Some(number.to_string()),
        ScalarValue::Int64(Some(number)) if *number > i64::MIN => Some(format!("({number})")),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Some(format!("'{}'", text.replace('\'', "''")))
        }
        _ => None,
    }
}

impl ScalarUDFImpl for ExpressionFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[ArrowType]) -> Result<Vec<ArrowType>> {
        Ok(given.to_vec())
    }

    fn return_type(&self, given: &[ArrowType]) -> Result<ArrowType> {
        let constants = vec![None; given.len()];
        Ok(self.expression(given, &constants)?.0.data_type().to_arrow())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let ReturnFieldArgs { arg_fields, scalar_arguments } = arguments;
        let given: Vec<ArrowType> =
            arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let (expression, _) = self.expression(&given, scalar_arguments)?;
        Ok(Arc::new(ArrowField::new(self.name, expression.data_type().to_arrow(), true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ScalarFunctionArgs { args, number_rows, .. } = arguments;
        if args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_))) {
            let one = self.evaluate(&args, 1)?;
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?));
        }
        Ok(ColumnarValue::Array(self.evaluate(&args, number_rows)?))
    }
}

impl PartialEq for ExpressionFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ExpressionFunction {}

impl Hash for ExpressionFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
