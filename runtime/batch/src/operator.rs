//! What our operators have in common as parts of a DataFusion plan.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{Stream, StreamExt as _};
use tokio::task::{JoinError, JoinSet};

use crate::error::BatchError;
use crate::job_state::JobState;

/// What one of our operators does; [`Operator`] makes an `ExecutionPlan` of it.
pub(crate) trait Operate: fmt::Debug + Send + Sync + 'static {
    /// Its name in printed plans.
    const NAME: &'static str;

    /// What a printed plan says behind the name.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// The rows of one of its partitions.
    fn execute(
        self: &Arc<Self>,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream>;

    /// What it counts.
    fn metrics(&self) -> &ExecutionPlanMetricsSet;
}

/// One of our operators in a plan.
#[derive(Debug)]
pub(crate) struct Operator<O> {
    operation: Arc<O>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
}

impl<O: Operate> Operator<O> {
    /// An operator that gives rows of `schema` in so many partitions.
    pub(crate) fn plan(
        operation: O,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
        partitions: usize,
    ) -> Arc<dyn ExecutionPlan> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Arc::new(Self { operation: Arc::new(operation), inputs, properties: Arc::new(properties) })
    }
}

impl<O: Operate> DisplayAs for Operator<O> {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", O::NAME)?;
        self.operation.describe(f)
    }
}

impl<O: Operate> ExecutionPlan for Operator<O> {
    fn name(&self) -> &str {
        O::NAME
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (operation, properties) = (Arc::clone(&self.operation), Arc::clone(&self.properties));
        Ok(Arc::new(Self { operation, inputs, properties }))
    }

    fn with_new_children(
        self: Arc<Self>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (operation, properties) = (Arc::clone(&self.operation), Arc::clone(&self.properties));
        Ok(Arc::new(Self { operation, inputs, properties }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.operation.execute(&self.inputs, partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.operation.metrics().clone_inner())
    }
}

/// A stream of batches as DataFusion wants it.
pub(crate) fn batches(
    schema: &SchemaRef,
    stream: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
) -> SendableRecordBatchStream {
    Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), stream))
}

/// Lets so many threads work through all partitions of `input`, and gives what
/// each has made of them: `take` adds a batch to it.
pub(crate) async fn drained<S: Send + 'static>(
    input: &Arc<dyn ExecutionPlan>,
    threads: usize,
    context: &Arc<TaskContext>,
    job: &Arc<JobState>,
    begin: impl Fn() -> S,
    take: impl Fn(&mut S, RecordBatch) -> Result<(), BatchError> + Clone + Send + 'static,
) -> Result<Vec<S>> {
    let partitions = input.properties().partitioning.partition_count();
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..threads.min(partitions) {
        let (mut made, take, next) = (begin(), take.clone(), Arc::clone(&next));
        let (input, context, job) = (Arc::clone(input), Arc::clone(context), Arc::clone(job));
        tasks.spawn(async move {
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= partitions {
                    return Ok(made);
                }
                job.check()?;
                let mut batches = input.execute(partition, Arc::clone(&context))?;
                while let Some(batch) = batches.next().await {
                    take(&mut made, batch?).map_err(|error| job.fail(error))?;
                }
            }
        });
    }
    joined(tasks).await
}

/// What tasks gave, once all are done; the first error otherwise.
pub(crate) async fn joined<S: 'static>(mut tasks: JoinSet<Result<S>>) -> Result<Vec<S>> {
    let mut all = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        all.push(done.map_err(|error| DataFusionError::Internal(said(error)))??);
    }
    Ok(all)
}

/// How much of a metric a whole plan has counted.
pub(crate) fn counted(plan: &Arc<dyn ExecutionPlan>, metric: &str) -> u64 {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name(metric));
    let own = own.map_or(0, |value| value.as_usize() as u64);
    own + plan.children().into_iter().map(|child| counted(child, metric)).sum::<u64>()
}

/// Why a task has no result: what its panic said, as a rule.
pub(crate) fn said(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => crate::read_parquet::panic_message(panic.as_ref()),
        Err(error) => error.to_string(),
    }
}
