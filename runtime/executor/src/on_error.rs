use arrow::array::{ArrayRef, BooleanArray, Scalar};
use arrow::compute::kernels::zip::zip;
use arrow::error::ArrowError;
use unskew_definition::{OnError, TransformSignature};
use unskew_host::RowError;

use crate::arguments::listed;
use crate::error::PolicyError;
use crate::text::ColumnBuilder;

/// An [`OnError`] with the defaults of one transform's outputs.
#[derive(Clone, Debug, Default)]
pub struct ErrorPolicy {
    on_error: OnError,
    /// One for each output, where it has any.
    defaults: Vec<Option<Scalar<ArrayRef>>>,
}

impl ErrorPolicy {
    /// Takes pairs of an output and the text of its default (as in
    /// [`crate::text`]; lists and structs in JSON).
    pub fn new(
        on_error: OnError,
        defaults: &[(String, String)],
        signature: &TransformSignature,
    ) -> Result<Self, PolicyError> {
        if on_error != OnError::Default && !defaults.is_empty() {
            return Err(PolicyError::UnusedDefault { policy: on_error.name() });
        }
        if on_error == OnError::Default && defaults.is_empty() {
            return Err(PolicyError::NoDefault);
        }
        let outputs = &signature.outputs;
        let mut parsed: Vec<Option<Scalar<ArrayRef>>> = vec![None; outputs.len()];
        for (name, text) in defaults {
            let Some(at) = outputs.iter().position(|output| output.name.as_str() == name) else {
                return Err(PolicyError::UnknownOutput {
                    transform: signature.name.to_string(),
                    output: name.clone(),
                    known: listed(outputs.iter().map(|output| output.name.as_str())),
                });
            };
            let output = || name.clone();
            if parsed[at].is_some() {
                return Err(PolicyError::DefaultTwice { output: output() });
            }
            let mut value = ColumnBuilder::new(&outputs[at].data_type, 1);
            value
                .push_text(text)
                .map_err(|source| PolicyError::WrongDefault { output: output(), source })?;
            parsed[at] = Some(Scalar::new(value.finish()));
        }
        Ok(Self { on_error, defaults: parsed })
    }

    /// What becomes of a failed row.
    pub fn on_error(&self) -> OnError {
        self.on_error
    }

    /// Puts the defaults where rows failed.
    pub fn fill(&self, columns: &mut [ArrayRef], errors: &[RowError]) -> Result<(), ArrowError> {
        if self.on_error != OnError::Default || errors.is_empty() {
            return Ok(());
        }
        for (column, default) in columns.iter_mut().zip(&self.defaults) {
            if let Some(default) = default {
                let mut failed = vec![false; column.len()];
                errors.iter().for_each(|error| failed[error.row] = true);
                *column = zip(&BooleanArray::from(failed), default, column)?;
            }
        }
        Ok(())
    }
}
