use arrow::record_batch::RecordBatch;

use crate::arguments::Arguments;
use crate::config::{CallShape, Isolation};
use crate::error::CallError;
use crate::instance::Export;
use crate::module::{CompiledModule, Outcome};
use crate::one_row::Tried;
use crate::pieces::assemble;
use crate::split::{Evaluation, Parts, function_name};

impl CompiledModule {
    /// Evaluates the transform at `index` of the manifest over all rows of
    /// `batch`, whose columns are the transform's inputs in their order, of
    /// exactly their types (see [`unskew_definition::DataType::to_arrow`]).
    ///
    /// What a row yields does not depend on the other rows. With `max_errors`
    /// the work stops with [`CallError::TooManyErrors`] when more rows failed,
    /// which names the first of them.
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
        self.transform_in_shape(index, batch, max_errors, self.0.shape())
    }

    /// [`Self::transform`], cut into calls as `shape` says.
    ///
    /// # Panics
    ///
    /// When the manifest has no transform at `index`.
    pub fn transform_in_shape(
        &self,
        index: usize,
        batch: &RecordBatch,
        max_errors: Option<u64>,
        shape: CallShape,
    ) -> Result<Outcome, CallError> {
        let module = &self.0;
        let signature = &module.manifest.transforms[index];
        let rows = batch.num_rows();
        if rows == 1
            && shape.isolation == Isolation::Reuse
            && let Some(one_row) = &module.one_row[index]
        {
            match one_row.evaluate(module, index, batch.columns()) {
                Tried::Done(outcome) => {
                    module.add_metrics(outcome.metrics);
                    return Ok(outcome);
                }
                Tried::Unusual => {}
                Tried::Failed(metrics) => {
                    module.add_metrics(metrics);
                    let fresh = CallShape { isolation: Isolation::Fresh, ..shape };
                    let mut outcome = self.transform_in_shape(index, batch, max_errors, fresh)?;
                    outcome.metrics += metrics;
                    return Ok(outcome);
                }
            }
        }
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
            arguments: &arguments,
            groups: None,
            shape,
            max_errors,
        };
        let parts = evaluation.run()?;
        outcome(&evaluation, parts, rows)
    }
}

/// The outcome of an evaluation in which rows go in and rows come out.
pub(crate) fn outcome(
    evaluation: &Evaluation<'_>,
    Parts { parts, errors, metrics, bytes: _ }: Parts,
    rows: usize,
) -> Result<Outcome, CallError> {
    let arguments = evaluation.arguments;
    let rows_of = arguments.rows_of.as_deref();
    let columns = assemble(evaluation.outputs, &parts, rows_of, rows)
        .map_err(|e| CallError::Host { function: evaluation.function(), reason: e.to_string() })?;
    Ok(Outcome { columns, errors: arguments.all_errors(&arguments.errors, errors), metrics })
}
