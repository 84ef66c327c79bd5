//! What our operators have in common as parts of a DataFusion plan.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
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
use futures::Stream;

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

    #[expect(deprecated, reason = "the trait has no other place for it yet")]
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

/// How much of a metric a whole plan has counted.
pub(crate) fn counted(plan: &Arc<dyn ExecutionPlan>, metric: &str) -> u64 {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name(metric));
    let own = own.map_or(0, |value| value.as_usize() as u64);
    own + plan.children().into_iter().map(|child| counted(child, metric)).sum::<u64>()
}

/// Shows what a panic said, where a task ended by one.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> String {
    crate::read_parquet::panic_message(panic.as_ref())
}
