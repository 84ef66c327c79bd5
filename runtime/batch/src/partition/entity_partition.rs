use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{
    DataType, Int64Type, SchemaRef, TimestampMicrosecondType, UInt32Type,
};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::{StreamExt as _, stream};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use unskew_executor::rows::key_hashes;

use crate::job_state::JobState;
use crate::operator::{Operate, batches, joined};
use crate::partition::bucket_store::BucketStore;
use crate::partition::bucket_writer::BucketWriter;
use crate::partition::division::bucket_of;

/// Divides rows by the hash of their join keys: each partition of its output is
/// a bucket, which holds whole entities, as one batch at most.
#[derive(Debug)]
pub(crate) struct EntityPartition {
    /// What the rows are, for messages.
    pub(crate) what: String,
    pub(crate) schema: SchemaRef,
    /// The columns of the join keys.
    pub(crate) keys: Vec<usize>,
    /// A column by which rows come sorted as a rule; they stay so.
    pub(crate) order_column: usize,
    pub(crate) buckets: usize,
    pub(crate) null_keys: NullKeys,
    pub(crate) chunk_bytes: usize,
    pub(crate) job: Arc<JobState>,
    store: OnceCell<Result<Arc<BucketStore>, Arc<DataFusionError>>>,
    metrics: ExecutionPlanMetricsSet,
}

/// What becomes of rows with a null in their key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NullKeys {
    /// They belong to no entity; they are left out and counted.
    LeaveOut,
    /// They are kept, as questions that nobody can answer.
    Keep,
}

impl EntityPartition {
    #[expect(clippy::too_many_arguments, reason = "each is a setting of its own")]
    pub(crate) fn new(
        what: String,
        schema: SchemaRef,
        keys: Vec<usize>,
        order_column: usize,
        buckets: usize,
        null_keys: NullKeys,
        chunk_bytes: usize,
        job: Arc<JobState>,
    ) -> Self {
        Self {
            what,
            schema,
            keys,
            order_column,
            buckets,
            null_keys,
            chunk_bytes,
            job,
            store: OnceCell::new(),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// Reads all of the input, on all threads.
    async fn divided(
        self: &Arc<Self>,
        input: &Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
    ) -> Result<Arc<BucketStore>> {
        let store = BucketStore::new(&self.what, Arc::clone(&self.schema), context, &self.metrics);
        let store = Arc::new(store);
        let left_out = MetricBuilder::new(&self.metrics).global_counter("rows_without_key");
        let mut tasks = JoinSet::new();
        for partition in 0..input.properties().partitioning.partition_count() {
            let mut rows = input.execute(partition, Arc::clone(context))?;
            let (this, store, left_out) = (Arc::clone(self), Arc::clone(&store), left_out.clone());
            tasks.spawn(async move {
                let mut writer = BucketWriter::new(store, this.chunk_bytes);
                while let Some(batch) = rows.next().await {
                    this.job.check()?;
                    this.divide(batch?, &mut writer, &left_out)?;
                }
                writer.flush().map_err(|error| this.job.fail(error))
            });
        }
        joined(tasks).await?;
        store.finish().map_err(|error| self.job.fail(error))?;
        let rows = MetricBuilder::new(&self.metrics).global_counter("output_rows");
        rows.add(store.rows() as usize);
        Ok(store)
    }

    fn divide(
        &self,
        mut batch: RecordBatch,
        writer: &mut BucketWriter,
        left_out: &Count,
    ) -> Result<()> {
        let columns = |batch: &RecordBatch| -> Vec<ArrayRef> {
            self.keys.iter().map(|at| Arc::clone(batch.column(*at))).collect()
        };
        let mut keys = columns(&batch);
        if self.null_keys == NullKeys::LeaveOut && keys.iter().any(|key| key.null_count() > 0) {
            let has_key = |row: usize| keys.iter().all(|key| key.is_valid(row));
            let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(has_key(row))).collect();
            let before = batch.num_rows();
            batch = filter_record_batch(&batch, &kept)?;
            left_out.add(before - batch.num_rows());
            keys = columns(&batch);
        }
        let hashes = key_hashes(&keys, batch.num_rows());
        let buckets = hashes.into_iter().map(|hash| bucket_of(hash, self.buckets));
        writer.push(batch, buckets).map_err(|error| self.job.fail(error))
    }
}

impl Operate for EntityPartition {
    const NAME: &'static str = "EntityPartitionExec";

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            self.keys.iter().map(|at| self.schema.field(*at).name().as_str()).collect();
        write!(f, "{}, by=[{}], buckets={}", self.what, names.join(", "), self.buckets)
    }

    fn execute(
        self: &Arc<Self>,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (this, input) = (Arc::clone(self), Arc::clone(&inputs[0]));
        let bucket = async move {
            let divided = || async { this.divided(&input, &context).await.map_err(Arc::new) };
            let store = match this.store.get_or_init(divided).await {
                Ok(store) => Arc::clone(store),
                Err(error) => return Err(DataFusionError::Shared(Arc::clone(error))),
            };
            let first = |batch: &RecordBatch| first_of(batch.column(this.order_column));
            store.gathered(partition, first, &this.job)
        };
        let schema = Arc::clone(&self.schema);
        let rows = stream::once(bucket).filter_map(async |batch| batch.transpose());
        Ok(batches(&schema, rows))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }
}

/// The first value of a column of times or row numbers.
fn first_of(column: &ArrayRef) -> i64 {
    match column.data_type() {
        DataType::Timestamp(_, _) => column.as_primitive::<TimestampMicrosecondType>().value(0),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(0),
        DataType::UInt32 => i64::from(column.as_primitive::<UInt32Type>().value(0)),
        _ => 0,
    }
}
