use arrow::record_batch::RecordBatch;

use crate::arguments::Arguments;
use crate::error::CallError;
use crate::instance::Export;
use crate::module::{CompiledModule, Outcome, RowError};
use crate::pieces::assemble;
use crate::split::{Evaluation, Parts, function_name};

impl CompiledModule {
    /// Evaluates the transform at `index` of the manifest over all rows of
    /// `batch`, whose columns are the transform's inputs in their order, of
    /// exactly their types (see [`unskew_definition::DataType::to_arrow`]).
    ///
    /// What a row yields does not depend on the other rows. With `max_errors`
    /// the work stops with [`CallError::TooManyErrors`] when more rows failed.
    ///
    /// # Panics
    ///
    /// When the manifest has no transform at `index`.
    pub fn transform(
        &self,
        index: usize,
        batch: &RecordBatch,
        max_errors: Option<u64>,
    ) -> Result<Outcome, CallError> {
        let module = &self.0;
        let signature = &module.manifest.transforms[index];
        let rows = batch.num_rows();
        let arguments =
            Arguments::new(&signature.inputs, batch.columns(), rows).map_err(|reason| {
                CallError::WrongInput {
                    function: function_name(module, Export::Transform, index),
                    reason,
                }
            })?;
        let evaluation = Evaluation {
            module,
            export: Export::Transform,
            index,
            inputs: &signature.inputs,
            outputs: &signature.outputs,
            columns: &arguments.columns,
            rows: arguments.rows,
            groups: None,
            max_errors: max_errors.map(|limit| limit.saturating_sub(arguments.errors.len() as u64)),
        };
        let parts = evaluation.run().map_err(|error| in_callers_rows(error, &arguments))?;
        outcome(&evaluation, &arguments, parts, rows)
    }
}

/// The same error, counted and named in the rows that the caller gave.
fn in_callers_rows(error: CallError, arguments: &Arguments) -> CallError {
    let refused = arguments.errors.len() as u64;
    match error {
        CallError::TooManyErrors { found, limit, row, message } => CallError::TooManyErrors {
            found: found + refused,
            limit: limit + refused,
            row: arguments.rows_of.as_ref().map_or(row, |rows_of| rows_of[row] as usize),
            message,
        },
        other => other,
    }
}

/// The outcome of an evaluation in which rows go in and rows come out.
pub(crate) fn outcome(
    evaluation: &Evaluation<'_>,
    arguments: &Arguments,
    Parts { parts, errors, metrics }: Parts,
    rows: usize,
) -> Result<Outcome, CallError> {
    let rows_of = arguments.rows_of.as_deref();
    let columns = assemble(evaluation.outputs, &parts, rows_of, rows)
        .map_err(|e| CallError::Host { function: evaluation.function(), reason: e.to_string() })?;
    Ok(Outcome { columns, errors: all_errors(arguments, errors), metrics })
}

/// The rows that failed and those that were never handed over, in the rows
/// that the caller gave.
pub(crate) fn all_errors(arguments: &Arguments, failed: Vec<RowError>) -> Vec<RowError> {
    let mut errors = arguments.errors.clone();
    errors.extend(failed.into_iter().map(|mut error| {
        if let Some(rows_of) = &arguments.rows_of {
            error.row = rows_of[error.row] as usize;
        }
        error
    }));
    errors.sort_by_key(|error| error.row);
    errors
}
