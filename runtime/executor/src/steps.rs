use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use unskew_definition::Name;
use unskew_expression::{BoundExpression, FunctionRef, KernelCatalog, SqlExpression};
use unskew_host::{CallMetrics, Outcome, RowError};
use unskew_plan::{ColumnPlan, StepPlan};

use crate::aggregate_kernel::AggregateKernel;
use crate::arguments::ColumnMapping;
use crate::evaluation_error::EvaluationError;
use crate::on_error::ErrorPolicy;
use crate::transform::TransformOperator;
use unskew_host::TransformKernel;

/// What computes the transforms and aggregates that plans name: the modules
/// of a project.
pub trait ModuleCatalog {
    /// The transform of a module, or why there is none.
    fn transform(
        &self,
        module: &Name,
        transform: &Name,
    ) -> Result<Arc<dyn TransformKernel>, EvaluationError>;

    /// The aggregate of a module, or why there is none.
    fn aggregate(
        &self,
        module: &Name,
        aggregate: &Name,
    ) -> Result<Arc<dyn AggregateKernel>, EvaluationError>;

    /// What all calls into its modules took so far.
    fn call_metrics(&self) -> CallMetrics {
        CallMetrics::default()
    }
}

/// No modules: for definitions of SQL and built-in aggregates alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoModules;

impl NoModules {
    fn lacks(module: &Name) -> EvaluationError {
        let reason = "there are no modules here".to_owned();
        EvaluationError::Module { module: module.to_string(), reason }
    }
}

impl ModuleCatalog for NoModules {
    fn transform(
        &self,
        module: &Name,
        _transform: &Name,
    ) -> Result<Arc<dyn TransformKernel>, EvaluationError> {
        Err(Self::lacks(module))
    }

    fn aggregate(
        &self,
        module: &Name,
        _aggregate: &Name,
    ) -> Result<Arc<dyn AggregateKernel>, EvaluationError> {
        Err(Self::lacks(module))
    }
}

/// [`ModuleCatalog`] as expressions want it.
pub(crate) struct Kernels<'a>(pub(crate) &'a dyn ModuleCatalog);

impl KernelCatalog for Kernels<'_> {
    fn kernel(&self, function: &FunctionRef) -> Option<Arc<dyn TransformKernel>> {
        self.0.transform(&function.module, &function.transform).ok()
    }
}

/// The row-wise steps of a view, in their order, each of which sees the
/// columns before it.
pub struct StepsOperator {
    steps: Vec<Step>,
}

struct Step {
    /// The columns that it sees.
    schema: SchemaRef,
    kind: StepKind,
}

enum StepKind {
    /// Each with what messages call it.
    Sql(Vec<(String, BoundExpression)>),
    Module(Box<TransformOperator>),
}

impl std::fmt::Debug for StepsOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepsOperator").field("steps", &self.steps.len()).finish()
    }
}

/// What the steps made of a batch.
#[derive(Clone, Debug)]
pub struct SteppedRows {
    /// The columns that were given, then those of each step; null where a row
    /// failed.
    pub columns: Vec<ArrayRef>,
    /// The rows that failed, of each transform and expression that had any.
    pub failures: Vec<StepFailures>,
}

/// The rows that failed in one transform or expression.
#[derive(Clone, Debug)]
pub struct StepFailures {
    /// The columns that are null for it.
    pub columns: Range<usize>,
    /// The transform's name, or the column that an expression makes, and its text.
    pub name: String,
    /// The rows, ascending.
    pub errors: Vec<RowError>,
}

impl StepsOperator {
    /// Binds steps to the modules that compute them; `columns` are those that
    /// the first step sees.
    pub fn new(
        steps: &[StepPlan],
        columns: &[ColumnPlan],
        modules: &dyn ModuleCatalog,
    ) -> Result<Self, EvaluationError> {
        let mut fields: Vec<ArrowField> = columns.iter().map(field_of).collect();
        let mut bound = Vec::with_capacity(steps.len());
        for step in steps {
            let schema = Arc::new(Schema::new(fields.clone()));
            let kind = match step {
                StepPlan::Sql { outputs } => {
                    let bind = |(column, expression): &(ColumnPlan, SqlExpression)| {
                        let name = format!("{} = {}", column.name, expression.text());
                        expression.bind(&Kernels(modules)).map(|bound| (name, bound))
                    };
                    StepKind::Sql(outputs.iter().map(bind).collect::<Result<_, _>>()?)
                }
                StepPlan::Module { module, transform, signature, inputs, outputs: _ } => {
                    let kernel = modules.transform(module, transform)?;
                    let arguments = signature.inputs.iter().zip(inputs);
                    let mapping = ColumnMapping::new(arguments.map(|(argument, column)| {
                        (argument.name.to_string(), schema.field(*column).name().clone())
                    }));
                    let policy = ErrorPolicy::default();
                    let operator = TransformOperator::new(kernel, &mapping, &schema, policy)?;
                    StepKind::Module(Box::new(operator))
                }
            };
            fields.extend(step.outputs().map(field_of));
            bound.push(Step { schema, kind });
        }
        Ok(Self { steps: bound })
    }

    /// Evaluates the steps for `rows` rows.
    pub fn evaluate(
        &self,
        mut columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<SteppedRows, EvaluationError> {
        let mut failures = Vec::new();
        for Step { schema, kind } in &self.steps {
            let batch = batch_of(schema, columns.clone(), rows)?;
            let mut add = |name: &str, outcome: Outcome, columns: &mut Vec<ArrayRef>| {
                let Outcome { columns: made, errors, metrics: _ } = outcome;
                let range = columns.len()..columns.len() + made.len();
                columns.extend(made);
                if !errors.is_empty() {
                    failures.push(StepFailures { columns: range, name: name.to_owned(), errors });
                }
            };
            match kind {
                StepKind::Sql(expressions) => {
                    for (name, expression) in expressions {
                        let outcome = expression.evaluate(&batch, None)?;
                        add(name, outcome, &mut columns);
                    }
                }
                StepKind::Module(operator) => {
                    let outcome = operator.evaluate(&batch, None)?;
                    add(operator.signature().name.as_str(), outcome, &mut columns);
                }
            }
        }
        Ok(SteppedRows { columns, failures })
    }
}

/// The schema of these columns, each of which may be null.
pub(crate) fn schema_of(columns: &[ColumnPlan]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(field_of).collect::<Vec<_>>()))
}

fn field_of(column: &ColumnPlan) -> ArrowField {
    ArrowField::new(column.name.as_str(), column.data_type.to_arrow(), true)
}

/// A batch of columns of exactly the schema's types.
pub(crate) fn batch_of(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, EvaluationError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
