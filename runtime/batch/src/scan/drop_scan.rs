use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{
    ArrayRef, AsArray as _, RecordBatch, RecordBatchOptions, UInt64Array, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use futures::{StreamExt as _, stream};
use unskew_executor::rows::{DropRule, DroppedRows, dropped_rows, source_schema};
use unskew_plan::SourcePlan;

use crate::error::BatchError;
use crate::job_state::JobState;
use crate::operator::{Operate, batches};
use crate::scan::source_scan::SourceCounts;

/// Finds the rows that other rows make count for nothing, and gives where they
/// came from. Its buckets hold all rows that the rule looks at together.
#[derive(Debug)]
pub(crate) struct DropScan {
    source: Arc<SourcePlan>,
    rule: DropRule,
    /// The fields that rows have, ascending; behind them where they came from.
    fields: Vec<usize>,
    files: Arc<[Arc<str>]>,
    counts: Arc<Mutex<SourceCounts>>,
    job: Arc<JobState>,
    schema: SchemaRef,
    metrics: ExecutionPlanMetricsSet,
}

impl DropScan {
    pub(crate) fn new(
        source: Arc<SourcePlan>,
        rule: DropRule,
        fields: Vec<usize>,
        files: Arc<[Arc<str>]>,
        counts: Arc<Mutex<SourceCounts>>,
        job: Arc<JobState>,
    ) -> Self {
        Self {
            source,
            rule,
            fields,
            files,
            counts,
            job,
            schema: Arc::new(Schema::new(vec![Field::new("origin", DataType::UInt64, false)])),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The fields that a rule looks at, ascending.
    pub(crate) fn fields(source: &SourcePlan, rule: DropRule) -> Vec<usize> {
        let all = || (0..source.fields.len()).collect();
        let time = [Some(source.event_timestamp), source.created_timestamp];
        let log = [source.broker_timestamp, source.partition, source.offset];
        let mut fields: Vec<usize> = match rule {
            // Without a log the bytes of whole rows say which copy is the first.
            DropRule::Copies if source.partition.is_none() => return all(),
            DropRule::Copies => {
                time.into_iter().chain(log).chain([source.event_id]).flatten().collect()
            }
            DropRule::Log => time.into_iter().chain(log).flatten().collect(),
        };
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    fn dropped(&self, rows: &RecordBatch) -> Result<Vec<u64>, BatchError> {
        let schema = source_schema(&self.source);
        let column = |field: usize| -> ArrayRef {
            match self.fields.binary_search(&field) {
                Ok(at) => Arc::clone(rows.column(at)),
                Err(_) => new_null_array(schema.field(field).data_type(), rows.num_rows()),
            }
        };
        let columns = (0..self.source.fields.len()).map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
            .map_err(|error| BatchError::Plan { reason: error.to_string() })?;
        let numbers = rows.column(self.fields.len()).as_primitive::<UInt64Type>().values();
        let dropped = dropped_rows(&self.source, &batch, numbers, &self.files, self.rule);
        let DroppedRows { origins, dead_letters, has_repeats } =
            dropped.map_err(|error| BatchError::training(error.into()))?;
        if has_repeats && self.fields.len() < self.source.fields.len() {
            // Whether they are the same record all of their fields decide.
            let source_name = self.source.name.to_string();
            return Err(BatchError::UnreadColumns { source_name });
        }
        MetricBuilder::new(&self.metrics).global_counter("rows_dropped").add(origins.len());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.add(dead_letters);
        Ok(origins)
    }
}

impl Operate for DropScan {
    const NAME: &'static str = "DroppedRowsExec";

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            DropRule::Log => "late and repeated records",
            DropRule::Copies => "copies by event id",
        };
        write!(f, "source={}, {rule}", self.source.name)
    }

    fn execute(
        self: &Arc<Self>,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let this = Arc::clone(self);
        let mut rows = inputs[0].execute(partition, context)?;
        let found = async move {
            let Some(rows) = rows.next().await.transpose()? else { return Ok(None) };
            let origins = this.dropped(&rows).map_err(|error| this.job.fail(error))?;
            if origins.is_empty() {
                return Ok(None);
            }
            let origins: ArrayRef = Arc::new(UInt64Array::from(origins));
            Ok(Some(RecordBatch::try_new(Arc::clone(&this.schema), vec![origins])?))
        };
        let found = stream::once(found).filter_map(async |batch| batch.transpose());
        Ok(batches(&self.schema, found))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }
}
