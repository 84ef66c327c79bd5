use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray as _, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt as _, stream};

use crate::job_state::JobState;
use crate::operator::{Operate, batches, drained};
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
        let begin = || BucketWriter::new(Arc::clone(&store), self.chunk_bytes);
        let job = Arc::clone(&self.job);
        let take = move |writer: &mut BucketWriter, batch: RecordBatch| {
            let progress = job.progress();
            progress.add(&progress.labels_answered, batch.num_rows() as u64);
            let labels = batch.column(ANSWER_ROW).as_primitive::<UInt32Type>().clone();
            let stretch = |label: &u32| label / STRETCH as u32;
            let stretches: Vec<u32> = labels.values().iter().map(stretch).collect();
            writer.push(batch, stretches)
        };
        let writers = drained(input, self.threads, context, &self.job, begin, take).await?;
        for mut writer in writers {
            writer.flush().map_err(|error| self.job.fail(error))?;
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
