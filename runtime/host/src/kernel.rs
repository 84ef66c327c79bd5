use arrow::record_batch::RecordBatch;
use unskew_definition::TransformSignature;

use crate::error::CallError;
use crate::module::Outcome;

/// What computes a transform: a module in the sandbox, or a native function
/// where tests and measurements want one beside it.
pub trait TransformKernel: Send + Sync {
    /// Its name, inputs and outputs.
    fn signature(&self) -> &TransformSignature;

    /// Takes one column for each input, of exactly its type, with nulls
    /// anywhere; gives one column for each output, of exactly its type, null
    /// where a row failed, and the failed rows in ascending order.
    ///
    /// Above `max_errors` failed rows it may stop with
    /// [`CallError::TooManyErrors`].
    fn transform(
        &self,
        arguments: &RecordBatch,
        max_errors: Option<u64>,
    ) -> Result<Outcome, CallError>;
}
