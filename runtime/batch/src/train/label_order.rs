use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::array::{AsArray as _, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt as _, stream};
use tokio::task::JoinSet;

use crate::job_state::JobState;
use crate::operator::{Operate, batches, panicked};
use crate::partition::{BucketStore, BucketWriter};
use crate::train::labels::STRETCH;
use crate::train::point_in_time::ANSWER_ROW;

/// Lets all buckets be answered, on all threads, and puts the answers back into
/// the labels' order: one batch for each stretch of labels.
#[derive(Debug)]
pub(crate) struct LabelOrder {
    pub(crate) schema: SchemaRef,
    pub(crate) labels: usize,
    pub(crate) threads: usize,
    pub(crate) chunk_bytes: usize,
    pub(crate) job: Arc<JobState>,
    pub(crate) metrics: ExecutionPlanMetricsSet,
}

impl LabelOrder {
    async fn answered(
        self: &Arc<Self>,
        input: &Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
    ) -> Result<BucketStore> {
        let store = BucketStore::new("answers", Arc::clone(&self.schema), context, &self.metrics);
        let store = Arc::new(store);
        let buckets = input.properties().partitioning.partition_count();
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..self.threads {
            let (this, store, next) = (Arc::clone(self), Arc::clone(&store), Arc::clone(&next));
            let (input, context) = (Arc::clone(input), Arc::clone(context));
            tasks.spawn(async move {
                let mut writer = BucketWriter::new(store, this.chunk_bytes);
                loop {
                    let bucket = next.fetch_add(1, Ordering::Relaxed);
                    if bucket >= buckets {
                        break;
                    }
                    this.job.check()?;
                    let mut answers = input.execute(bucket, Arc::clone(&context))?;
                    while let Some(batch) = answers.next().await {
                        let batch = batch?;
                        let progress = this.job.progress();
                        progress.add(&progress.labels_answered, batch.num_rows() as u64);
                        let labels = batch.column(ANSWER_ROW).as_primitive::<UInt32Type>().clone();
                        let stretch = |label: &u32| label / STRETCH as u32;
                        let stretches: Vec<u32> = labels.values().iter().map(stretch).collect();
                        writer.push(batch, stretches).map_err(|error| this.job.fail(error))?;
                    }
                }
                writer.flush().map_err(|error| this.job.fail(error))
            });
        }
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok(done) => done?,
                Err(error) => {
                    let said = error.try_into_panic().map_or_else(|e| e.to_string(), panicked);
                    return Err(DataFusionError::Internal(said));
                }
            }
        }
        store.finish().map_err(|error| self.job.fail(error))?;
        Arc::into_inner(store)
            .ok_or_else(|| DataFusionError::Internal("answers are still being added".to_owned()))
    }

    /// The answers of one stretch in the order of its labels.
    fn stretch(&self, store: &BucketStore, stretch: usize) -> Result<RecordBatch> {
        let rows = store.gathered(stretch, |_| 0, &self.job)?;
        let first = stretch * STRETCH;
        let count = STRETCH.min(self.labels - first);
        let rows = rows.filter(|rows| rows.num_rows() == count).ok_or_else(|| {
            DataFusionError::Internal("a label was not answered exactly once".to_owned())
        })?;
        let labels = rows.column(ANSWER_ROW).as_primitive::<UInt32Type>();
        let mut places = vec![0_u32; count];
        for (row, label) in labels.values().iter().enumerate() {
            places[*label as usize - first] = row as u32;
        }
        Ok(take_record_batch(&rows, &UInt32Array::from(places))?)
    }
}

impl Operate for LabelOrder {
    const NAME: &'static str = "LabelOrderExec";

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "labels={}, threads={}", self.labels, self.threads)
    }

    fn execute(
        self: &Arc<Self>,
        inputs: &[Arc<dyn ExecutionPlan>],
        _: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (this, input) = (Arc::clone(self), Arc::clone(&inputs[0]));
        let answered = async move {
            let store = this.answered(&input, &context).await?;
            // Rows of buckets are not needed any more.
            drop(input);
            let stretches = this.labels.div_ceil(STRETCH);
            let state = (this, store);
            Ok::<_, DataFusionError>(stream::iter(0..stretches).map(move |stretch| {
                let (this, store) = &state;
                this.job.check()?;
                this.stretch(store, stretch)
            }))
        };
        let answers = futures::TryStreamExt::try_flatten(stream::once(answered));
        Ok(batches(&self.schema, answers))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }
}
