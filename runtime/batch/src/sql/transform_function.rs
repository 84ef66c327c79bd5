//! A transform as a scalar function of SQL.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, FieldRef, Fields, Schema};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use unskew_executor::{ColumnMapping, ErrorPolicy, TransformKernel, TransformOperator};
use unskew_host::Outcome;

use crate::sql::argument::{argument_rows, check_argument, check_count};
use crate::sql::row_failures::RowFailures;

/// Calls the executor's operator on every batch: one output is the value, of
/// several outputs a struct is made.
pub(crate) struct TransformFunction {
    /// As queries call it.
    name: String,
    /// `module.transform`, as failures are counted.
    label: String,
    kernel: Arc<dyn TransformKernel>,
    policy: ErrorPolicy,
    failures: RowFailures,
    signature: Signature,
    yields: ArrowType,
}

impl TransformFunction {
    pub(crate) fn new(
        name: String,
        label: String,
        kernel: Arc<dyn TransformKernel>,
        policy: ErrorPolicy,
        failures: RowFailures,
    ) -> Result<Self> {
        let of = kernel.signature();
        let arguments: Vec<String> = of.inputs.iter().map(|input| input.name.to_string()).collect();
        let signature = Signature::user_defined(Volatility::Immutable);
        let signature = match arguments.is_empty() {
            true => Signature::nullary(Volatility::Immutable),
            false => signature.with_parameter_names(arguments)?,
        };
        let yields = match of.outputs.as_slice() {
            [one] => one.data_type.to_arrow(),
            several => {
                let fields = several.iter().map(|output| {
                    ArrowField::new(output.name.as_str(), output.data_type.to_arrow(), true)
                });
                ArrowType::Struct(fields.collect())
            }
        };
        Ok(Self { name, label, kernel, policy, failures, signature, yields })
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize) -> Result<ArrayRef> {
        let inputs = &self.kernel.signature().inputs;
        let columns = arguments
            .iter()
            .zip(inputs)
            .map(|(value, input)| argument_rows(value, &input.data_type, rows))
            .collect::<Result<Vec<_>>>()?;
        let fields = columns.iter().zip(inputs).map(|(column, input)| {
            ArrowField::new(input.name.as_str(), column.data_type().clone(), true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mapping = ColumnMapping::default();
        let kernel = Arc::clone(&self.kernel);
        let external = |error| DataFusionError::External(Box::new(error));
        let operator = TransformOperator::new(kernel, &mapping, &schema, self.policy.clone())
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
        let Outcome { columns, errors, metrics } =
            operator.evaluate(&batch, None).map_err(external)?;
        self.failures.add(&self.label, &errors);
        self.failures.add_calls(metrics);
        match &self.yields {
            ArrowType::Struct(fields) if self.kernel.signature().outputs.len() != 1 => {
                let fields: Fields = fields.clone();
                Ok(Arc::new(StructArray::try_new_with_length(fields, columns, None, rows)?))
            }
            _ => Ok(columns.into_iter().next().expect("the operator checked the outcome's form")),
        }
    }
}

impl ScalarUDFImpl for TransformFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[ArrowType]) -> Result<ArrowType> {
        Ok(self.yields.clone())
    }

    /// Nothing is cast before it arrives: conversions are the executor's.
    fn coerce_types(&self, arguments: &[ArrowType]) -> Result<Vec<ArrowType>> {
        check_count(&self.name, &self.kernel.signature().inputs, arguments.len())?;
        Ok(arguments.to_vec())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let inputs = &self.kernel.signature().inputs;
        let ReturnFieldArgs { arg_fields, scalar_arguments } = arguments;
        check_count(&self.name, inputs, arg_fields.len())?;
        for ((input, given), constant) in inputs.iter().zip(arg_fields).zip(scalar_arguments) {
            check_argument(&self.name, inputs, input, given, *constant)?;
        }
        Ok(Arc::new(ArrowField::new(&self.name, self.yields.clone(), true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ScalarFunctionArgs { args, number_rows, .. } = arguments;
        check_count(&self.name, &self.kernel.signature().inputs, args.len())?;
        if args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_))) {
            let one = self.evaluate(&args, 1)?;
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?));
        }
        Ok(ColumnarValue::Array(self.evaluate(&args, number_rows)?))
    }
}

impl fmt::Debug for TransformFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for TransformFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.kernel, &other.kernel)
    }
}

impl Eq for TransformFunction {}

impl Hash for TransformFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
