//! What the tests of this room have in common: columns of every type, and
//! transforms computed by native functions.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod case_rows;
pub(crate) mod every_type;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field as ArrowField, Schema};
use unskew_definition::{DataType, Field, Name, TransformSignature};
use unskew_executor::TransformKernel;
use unskew_host::{CallError, CallMetrics, Outcome, RowError};

pub(crate) type Function = dyn Fn(&RecordBatch) -> (Vec<ArrayRef>, Vec<RowError>) + Send + Sync;

/// A transform computed by a native function.
pub(crate) struct Native {
    signature: TransformSignature,
    function: Box<Function>,
}

impl TransformKernel for Native {
    fn signature(&self) -> &TransformSignature {
        &self.signature
    }

    fn transform(&self, arguments: &RecordBatch, _: Option<u64>) -> Result<Outcome, CallError> {
        let (columns, errors) = (self.function)(arguments);
        Ok(Outcome { columns, errors, metrics: CallMetrics::default() })
    }
}

pub(crate) fn field(name: &str, data_type: &str) -> Field {
    let name = Name::new(name).unwrap();
    Field { name, data_type: data_type.parse().unwrap(), nullable: true }
}

pub(crate) fn native(
    name: &str,
    inputs: Vec<Field>,
    outputs: Vec<Field>,
    function: impl Fn(&RecordBatch) -> (Vec<ArrayRef>, Vec<RowError>) + Send + Sync + 'static,
) -> Arc<Native> {
    let name = Name::new(name).unwrap();
    let signature = TransformSignature { name, description: String::new(), inputs, outputs };
    Arc::new(Native { signature, function: Box::new(function) })
}

/// A transform that yields its only argument `x` as `y`.
pub(crate) fn identity(data_type: &DataType) -> Arc<Native> {
    let text = data_type.to_string();
    let (inputs, outputs) = (vec![field("x", &text)], vec![field("y", &text)]);
    native("identity", inputs, outputs, |batch| (batch.columns().to_vec(), Vec::new()))
}

/// A batch of one nullable column.
pub(crate) fn batch_of(name: &str, column: ArrayRef) -> RecordBatch {
    let field = ArrowField::new(name, column.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap()
}
