use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use unskew_column::{InputFault, with_nulls};
use unskew_definition::{OnError, TransformSignature};
use unskew_host::{CallError, Outcome, RowError, RowStatus, TransformKernel};

use crate::arguments::{Arguments, ColumnMapping};
use crate::error::{ArgumentError, TransformError};
use crate::on_error::ErrorPolicy;

/// Evaluates one transform on batches of one schema: the operator by which
/// every driver calls it.
pub struct TransformOperator {
    kernel: Arc<dyn TransformKernel>,
    arguments: Arguments,
    policy: ErrorPolicy,
}

impl TransformOperator {
    /// Binds the transform's arguments to the columns of `schema`.
    pub fn new(
        kernel: Arc<dyn TransformKernel>,
        mapping: &ColumnMapping,
        schema: &Schema,
        policy: ErrorPolicy,
    ) -> Result<Self, ArgumentError> {
        let arguments = Arguments::bind(kernel.signature(), mapping, schema)?;
        Ok(Self { kernel, arguments, policy })
    }

    /// Whether the arguments of a transform could be bound to the columns of
    /// `schema`.
    pub fn check(
        signature: &TransformSignature,
        mapping: &ColumnMapping,
        schema: &Schema,
    ) -> Result<(), ArgumentError> {
        Arguments::bind(signature, mapping, schema).map(drop)
    }

    /// The transform's name, inputs and outputs.
    pub fn signature(&self) -> &TransformSignature {
        self.kernel.signature()
    }

    /// Evaluates the transform on every row of `batch`.
    ///
    /// The outcome's columns are the outputs, in the order of the signature;
    /// failed rows have in them what the policy says, and are listed in
    /// ascending order. With more than `max_errors` of them, or with any under
    /// [`OnError::Fail`], there is no outcome.
    pub fn evaluate(
        &self,
        batch: &RecordBatch,
        max_errors: Option<u64>,
    ) -> Result<Outcome, TransformError> {
        let limit = match self.policy.on_error() {
            OnError::Fail => Some(0),
            OnError::Null | OnError::Default => max_errors,
        };
        let (arguments, faults) = self.arguments.of(batch)?;
        let mut outcome = match self.kernel.transform(&arguments, limit) {
            Ok(outcome) => self.checked(outcome, batch.num_rows())?,
            Err(CallError::TooManyErrors { function: _, limit, errors }) => {
                return Err(self.too_many(limit, merged(errors, faults)));
            }
            Err(error) => return Err(error.into()),
        };
        let internal = |source| TransformError::Columns { source };
        if !faults.is_empty() {
            let rows = || faults.iter().map(|fault| fault.row);
            for column in &mut outcome.columns {
                *column = with_nulls(column, rows()).map_err(internal)?;
            }
            outcome.errors = merged(outcome.errors, faults);
        }
        match limit {
            Some(limit) if outcome.errors.len() as u64 > limit => {
                return Err(self.too_many(limit, outcome.errors));
            }
            _ => {}
        }
        self.policy.fill(&mut outcome.columns, &outcome.errors).map_err(internal)?;
        Ok(outcome)
    }

    fn too_many(&self, limit: u64, mut errors: Vec<RowError>) -> TransformError {
        let transform = self.signature().name.to_string();
        if self.policy.on_error() == OnError::Fail && !errors.is_empty() {
            let RowError { row, status, message } = errors.swap_remove(0);
            return TransformError::RowFailed { transform, row, status, message };
        }
        errors.truncate(usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1));
        TransformError::TooManyErrors { transform, limit, errors }
    }

    /// Refuses an outcome that is not of the signature's form, so that
    /// everything behind it may rely on it.
    fn checked(&self, outcome: Outcome, rows: usize) -> Result<Outcome, CallError> {
        let outputs = &self.signature().outputs;
        let columns_fit = outcome.columns.len() == outputs.len()
            && outcome.columns.iter().zip(outputs).all(|(column, output)| {
                column.len() == rows && *column.data_type() == output.data_type.to_arrow()
            });
        let rows_fit = outcome.errors.iter().all(|error| error.row < rows)
            && outcome.errors.is_sorted_by(|a, b| a.row < b.row);
        if columns_fit && rows_fit {
            return Ok(outcome);
        }
        Err(CallError::Host {
            function: self.signature().name.to_string(),
            reason: "its outcome is not of the form that its signature promises".to_owned(),
        })
    }
}

/// Failed rows together with those whose input was at fault, which counts for
/// more than what the transform made of it.
fn merged(errors: Vec<RowError>, faults: Vec<InputFault>) -> Vec<RowError> {
    if faults.is_empty() {
        return errors;
    }
    let mut by_row: BTreeMap<usize, RowError> =
        errors.into_iter().map(|error| (error.row, error)).collect();
    by_row.extend(faults.into_iter().map(|InputFault { row, reason }| {
        (row, RowError { row, status: RowStatus::InvalidInput, message: reason })
    }));
    by_row.into_values().collect()
}
