use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions, UInt8Array,
    new_empty_array, new_null_array,
};
use datafusion::arrow::datatypes::{
    DataType, Field, Schema, SchemaRef, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, Time};
use futures::{StreamExt as _, stream};
use tokio::sync::Semaphore;
use unskew_executor::FeatureStatus;
use unskew_executor::rows::{AcceptedRows, Origins, source_schema};
use unskew_executor::service::{Questions, ServiceOperator};

use crate::error::BatchError;
use crate::job_state::JobState;
use crate::operator::{Operate, batches};
use crate::scan::SourceCounts;
use crate::train::questions::{QUESTION_KEYS, QUESTION_ROW, QUESTION_TIME, question_schema};
use crate::train::tally::Tally;
use crate::train::view_group::ViewGroup;

/// The columns of answers before the features: the label's number, and whether
/// it is at the very time of an event.
pub(crate) const ANSWER_ROW: usize = 0;
pub(crate) const ANSWER_AT_EVENT: usize = 1;
pub(crate) const ANSWER_FEATURES: usize = 2;

/// Evaluates the views of a group, bucket by bucket: the rows of its entities
/// and the questions about them in, the answers out, in the order of the
/// bucket's labels.
#[derive(Debug)]
pub(crate) struct PointInTime {
    pub(crate) service: Arc<ServiceOperator>,
    pub(crate) group: ViewGroup,
    /// The fields of the source that the rows have, ascending.
    pub(crate) fields: Vec<usize>,
    pub(crate) files: Arc<[Arc<str>]>,
    pub(crate) with_origins: bool,
    pub(crate) with_statuses: bool,
    /// Whether rows are those of the view's table, not of its source.
    pub(crate) from_table: bool,
    pub(crate) tally: Arc<Tally>,
    pub(crate) source_counts: Arc<Mutex<SourceCounts>>,
    pub(crate) job: Arc<JobState>,
    pub(crate) room: Arc<WorkingRoom>,
    schema: SchemaRef,
    counters: Counters,
    metrics: ExecutionPlanMetricsSet,
}

#[derive(Debug)]
struct Counters {
    sorts: Count,
    sorts_skipped: Count,
    rows: Count,
    answers: Count,
    time: Time,
}

/// The memory that is left for work on buckets: few large ones, or many small
/// ones, are worked on at once.
#[derive(Debug)]
pub(crate) struct WorkingRoom {
    permits: Semaphore,
    total: u32,
}

/// Bytes of a permit.
const ROOM_UNIT: u64 = 1 << 10;
/// What evaluation needs for a byte of rows, about.
const BYTES_PER_BYTE: u64 = 8;

impl WorkingRoom {
    pub(crate) fn new(bytes: u64) -> Self {
        let total = u32::try_from(bytes / ROOM_UNIT).unwrap_or(u32::MAX / 8).clamp(1, u32::MAX / 8);
        Self { permits: Semaphore::new(total as usize), total }
    }

    /// Waits until there is room for work on so many bytes of rows. What would
    /// never fit gets all of it.
    async fn enter(&self, bytes: usize) -> Result<tokio::sync::SemaphorePermit<'_>> {
        let wanted = bytes as u64 * BYTES_PER_BYTE / ROOM_UNIT;
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).clamp(1, self.total);
        let entered = self.permits.acquire_many(wanted).await;
        entered.map_err(|error| DataFusionError::Internal(error.to_string()))
    }
}

impl PointInTime {
    #[expect(clippy::too_many_arguments, reason = "each is a setting of its own")]
    pub(crate) fn new(
        service: Arc<ServiceOperator>,
        group: ViewGroup,
        fields: Vec<usize>,
        files: Arc<[Arc<str>]>,
        with_origins: bool,
        with_statuses: bool,
        from_table: bool,
        tally: Arc<Tally>,
        source_counts: Arc<Mutex<SourceCounts>>,
        job: Arc<JobState>,
        room: Arc<WorkingRoom>,
    ) -> Self {
        let mut columns = vec![
            Field::new("label", DataType::UInt32, false),
            Field::new("at_event_time", DataType::Boolean, false),
        ];
        for (operator, features) in group.operators(&service).zip(&group.features) {
            let view = operator.view();
            for feature in features {
                let feature = &view.features[*feature];
                let name = format!("{}.{}", view.id, feature.name);
                columns.push(Field::new(&name, feature.data_type.to_arrow(), true));
                if with_statuses {
                    columns.push(Field::new(format!("{name}.status"), DataType::UInt8, false));
                }
            }
        }
        let metrics = ExecutionPlanMetricsSet::new();
        let count = |name: &'static str| MetricBuilder::new(&metrics).global_counter(name);
        let counters = Counters {
            sorts: count("sorts"),
            sorts_skipped: count("sorts_skipped"),
            rows: count("rows"),
            answers: count("answers"),
            time: MetricBuilder::new(&metrics).elapsed_compute(0),
        };
        Self {
            service,
            group,
            fields,
            files,
            with_origins,
            with_statuses,
            from_table,
            tally,
            source_counts,
            job,
            room,
            schema: Arc::new(Schema::new(columns)),
            counters,
            metrics,
        }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows of a bucket as rows of the source, in order. What was not read
    /// is null.
    fn accepted(&self, rows: Option<RecordBatch>) -> Result<AcceptedRows, BatchError> {
        let source = &self.group.source;
        let schema = source_schema(source);
        let count = rows.as_ref().map_or(0, RecordBatch::num_rows);
        let column = |field: usize| -> ArrayRef {
            match (&rows, self.fields.binary_search(&field)) {
                (Some(rows), Ok(at)) => Arc::clone(rows.column(at)),
                (None, Ok(_)) => new_empty_array(schema.field(field).data_type()),
                (_, Err(_)) => new_null_array(schema.field(field).data_type(), count),
            }
        };
        let columns = (0..source.fields.len()).map(column).collect();
        let origins = match &rows {
            Some(rows) if self.with_origins => {
                let numbers = rows.column(self.fields.len()).as_primitive::<UInt64Type>();
                Origins::new(Arc::clone(&self.files), numbers.values().to_vec())
            }
            _ => Origins::unknown(),
        };
        drop(rows);
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|error| BatchError::Plan { reason: error.to_string() })?;
        if self.group.is_whole {
            let rows = AcceptedRows::judged(Arc::clone(source), &batch, origins, Vec::new());
            let mut rows = rows.map_err(|error| BatchError::training(error.into()))?;
            let mut counts = self.source_counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.rows -= rows.dead_letters.len() as u64;
            counts.add(std::mem::take(&mut rows.dead_letters));
            return Ok(rows);
        }
        let ordered = AcceptedRows::ordered(Arc::clone(source), batch, origins, &self.group.keys);
        let (rows, report) = ordered.map_err(|error| BatchError::training(error.into()))?;
        if count > 0 {
            let counter = if report.came_sorted {
                &self.counters.sorts_skipped
            } else {
                &self.counters.sorts
            };
            counter.add(1);
        }
        let is_pruned = self.fields.len() < source.fields.len();
        if report.has_ties && is_pruned && self.group.tells_ties_apart(&self.service) {
            return Err(BatchError::UnreadColumns { source_name: source.name.to_string() });
        }
        Ok(rows)
    }

    fn evaluate(
        &self,
        rows: Option<RecordBatch>,
        labels: &RecordBatch,
    ) -> Result<RecordBatch, BatchError> {
        let _timer = self.counters.time.timer();
        let failed = BatchError::training;
        let numbers = labels.column(QUESTION_ROW).as_primitive::<UInt32Type>();
        let times = labels.column(QUESTION_TIME).as_primitive::<TimestampMicrosecondType>();
        let mut questions = Questions::new(times.values().to_vec());
        for (key, values) in self.group.key_names.iter().zip(&labels.columns()[QUESTION_KEYS..]) {
            questions.set_join_key(key.clone(), Arc::clone(values)).map_err(failed)?;
        }
        self.counters.rows.add(rows.as_ref().map_or(0, RecordBatch::num_rows));
        let rows = match self.from_table {
            true => BucketRows::Table(rows),
            false => BucketRows::Source(self.accepted(rows)?),
        };
        self.counters.answers.add(labels.num_rows());
        let mut at_event = vec![false; labels.num_rows()];
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len() - 2);
        for (operator, wanted) in self.group.operators(&self.service).zip(&self.group.features) {
            self.job.check().map_err(|_| BatchError::Cancelled)?;
            let prepared = match &rows {
                BucketRows::Source(rows) => operator.prepare(rows),
                BucketRows::Table(Some(rows)) => operator.restore_table(rows),
                BucketRows::Table(None) => {
                    operator.restore_table(&RecordBatch::new_empty(operator.table_schema()))
                }
            };
            let prepared = prepared.map_err(failed)?;
            let label = |question: usize| numbers.value(question) as usize;
            let answers = prepared.answer(&questions);
            let answers = answers.map_err(|error| BatchError::at_label(error, label))?;
            self.tally.add_warnings(prepared.warnings());
            if let BucketRows::Source(rows) = &rows {
                let failed_folds = prepared.fold_warnings(&answers, rows).map_err(failed)?;
                self.tally.add_warnings(&failed_folds);
            }
            let reason = |letters: &[unskew_executor::rows::DeadLetter]| {
                letters.first().map(|letter| letter.reason.to_string())
            };
            if let Some(reason) = reason(prepared.dead_letters()) {
                self.tally.add_left_out(reason, prepared.dead_letters().len() as u64);
            }
            answers.at_event_times.iter().for_each(|question| at_event[*question] = true);
            for feature in wanted {
                let found = &answers.features[*feature];
                self.tally.add_feature(&operator.view().id, *feature, found, label);
                columns.push(Arc::clone(&found.values));
                if self.with_statuses {
                    let statuses = found.statuses.iter().map(|status| status_number(*status));
                    columns.push(Arc::new(UInt8Array::from_iter_values(statuses)));
                }
            }
        }
        let mut all: Vec<ArrayRef> =
            vec![Arc::clone(labels.column(QUESTION_ROW)), Arc::new(BooleanArray::from(at_event))];
        all.extend(columns);
        RecordBatch::try_new(Arc::clone(&self.schema), all)
            .map_err(|error| BatchError::Plan { reason: error.to_string() })
    }
}

/// The rows of a bucket.
enum BucketRows {
    Source(AcceptedRows),
    Table(Option<RecordBatch>),
}

/// The statuses in the order of their numbers.
const STATUSES: [FeatureStatus; 5] = [
    FeatureStatus::Present,
    FeatureStatus::NullValue,
    FeatureStatus::NotFound,
    FeatureStatus::OutsideMaxAge,
    FeatureStatus::Error,
];

fn status_number(status: FeatureStatus) -> u8 {
    STATUSES.iter().position(|known| *known == status).map_or(0, |at| at as u8)
}

/// The status of a number.
pub(crate) fn status_of(number: u8) -> FeatureStatus {
    STATUSES[usize::from(number).min(STATUSES.len() - 1)]
}

/// Bytes of these rows alone, also where they share buffers with others.
fn slice_bytes(batch: &RecordBatch) -> Result<usize> {
    let of = |column: &ArrayRef| column.to_data().get_slice_memory_size();
    Ok(batch.columns().iter().map(of).sum::<Result<usize, _>>()?)
}

/// The one batch of a bucket, if it has one.
async fn only_batch(mut rows: SendableRecordBatchStream) -> Result<Option<RecordBatch>> {
    rows.next().await.transpose()
}

impl Operate for PointInTime {
    const NAME: &'static str = "PointInTimeExec";

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let views: Vec<String> =
            self.group.operators(&self.service).map(|o| o.view().id.to_string()).collect();
        write!(f, "views=[{}]", views.join(", "))
    }

    /// The inputs are the rows and the questions, in as many buckets.
    fn execute(
        self: &Arc<Self>,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let this = Arc::clone(self);
        let questions = inputs[1].execute(partition, Arc::clone(&context))?;
        let rows = inputs[0].execute(partition, context)?;
        let answers = async move {
            // Labels first: they are few, and what is wrong with them is found early.
            let labels = only_batch(questions).await?;
            let rows = only_batch(rows).await?;
            let labels = match labels {
                Some(labels) => labels,
                None if rows.is_some() && this.group.may_fail(&this.service) => {
                    RecordBatch::new_empty(question_schema(&this.group, &this.service))
                }
                None => return Ok(None),
            };
            let bytes = rows.as_ref().map_or(Ok(0), slice_bytes)? + slice_bytes(&labels)?;
            let _room = this.room.enter(bytes).await?;
            this.job.check()?;
            // Long work: what waits for this thread goes on on another one.
            let answers = tokio::task::block_in_place(|| this.evaluate(rows, &labels));
            let answers = answers.map_err(|error| this.job.fail(error))?;
            Ok((answers.num_rows() > 0).then_some(answers))
        };
        let answers = stream::once(answers).filter_map(async |batch| batch.transpose());
        Ok(batches(&self.schema, answers))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }
}
