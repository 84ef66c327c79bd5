use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use futures::stream;
use unskew_plan::ViewId;

use crate::error::BatchError;
use crate::job_state::JobState;
use crate::operator::{Operate, batches};
use crate::train::offline_rows::OfflineRows;

/// Reads what a view left in the offline store, day by day.
#[derive(Debug)]
pub(crate) struct OfflineScan {
    view: ViewId,
    offline: Arc<dyn OfflineRows>,
    days: Vec<i64>,
    schema: SchemaRef,
    next: AtomicUsize,
    job: Arc<JobState>,
    metrics: ExecutionPlanMetricsSet,
}

impl OfflineScan {
    /// `schema` is that of the view's table.
    pub(crate) fn new(
        view: ViewId,
        offline: Arc<dyn OfflineRows>,
        days: Vec<i64>,
        schema: SchemaRef,
        job: Arc<JobState>,
    ) -> Self {
        let metrics = ExecutionPlanMetricsSet::new();
        MetricBuilder::new(&metrics).global_counter("days_read").add(days.len());
        Self { view, offline, days, schema, next: AtomicUsize::new(0), job, metrics }
    }

    /// The rows of a day, of exactly the table's types.
    async fn day(&self, day: i64) -> Result<RecordBatch, BatchError> {
        let rows = self.offline.read(&self.view, day).await?;
        let other = |reason: String| BatchError::WrongSource {
            source_name: format!("{} in {}", self.view, self.offline.place()),
            reason: format!(
                "{reason}; it was materialized by another definition: materialize the view anew"
            ),
        };
        let fitting = |rows: &RecordBatch| {
            let column = |field: &FieldRef| {
                let column = rows
                    .column_by_name(field.name())
                    .ok_or_else(|| other(format!("there is no column {:?}", field.name())))?;
                cast(column, field.data_type()).map_err(|error| other(error.to_string()))
            };
            let columns = self.schema.fields().iter().map(column);
            RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_, _>>()?)
                .map_err(|error| other(error.to_string()))
        };
        let rows = rows.iter().map(fitting).collect::<Result<Vec<_>, _>>()?;
        concat_batches(&self.schema, &rows).map_err(|error| other(error.to_string()))
    }
}

impl Operate for OfflineScan {
    const NAME: &'static str = "OfflineScanExec";

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "view={}, days={}, store={}", self.view, self.days.len(), self.offline.place())
    }

    fn execute(
        self: &Arc<Self>,
        _: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        _: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = MetricBuilder::new(&self.metrics).counter("rows_read", partition);
        let state = (Arc::clone(self), rows);
        let days = stream::try_unfold(state, async |(this, rows)| {
            this.job.check()?;
            let next = this.next.fetch_add(1, Ordering::Relaxed);
            let Some(day) = this.days.get(next) else { return Ok(None) };
            let batch = this.day(*day).await.map_err(|error| this.job.fail(error))?;
            rows.add(batch.num_rows());
            let progress = this.job.progress();
            progress.add(&progress.rows_read, batch.num_rows() as u64);
            Ok(Some((batch, (this, rows))))
        });
        Ok(batches(&self.schema, days))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }
}
