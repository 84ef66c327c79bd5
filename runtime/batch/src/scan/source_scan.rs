use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{
    ArrayRef, AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array,
};
use datafusion::arrow::compute::{filter_record_batch, take};
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Field, Schema, SchemaRef, TimestampMicrosecondType,
};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::stream;
use unskew_executor::rows::{DeadLetter, JudgedRows, Origins, RowJudge, SourceRows, source_schema};

use crate::error::BatchError;
use crate::job_state::JobState;
use crate::operator::{Operate, batches};
use crate::scan::read_plan::ReadPlan;
use crate::scan::unit::OpenUnit;

/// The column, behind the source's fields, of where rows came from.
const ORIGIN: &str = "origin";

/// Reads the rows of a source that count, as far as a row alone decides that,
/// from row groups that may matter.
#[derive(Debug)]
pub(crate) struct SourceScan {
    plan: ReadPlan,
    schema: SchemaRef,
    with_origins: bool,
    judge: RowJudge,
    /// Where rows came from that count for nothing, ascending.
    dropped: Arc<Vec<u64>>,
    /// The next unit that nobody reads yet.
    next: AtomicUsize,
    counts: Arc<Mutex<SourceCounts>>,
    job: Arc<JobState>,
    metrics: ExecutionPlanMetricsSet,
}

/// What became of a source's rows.
#[derive(Debug, Default)]
pub(crate) struct SourceCounts {
    /// Rows that count, and may matter.
    pub(crate) rows: u64,
    /// Rows that do not count: how many, by reason.
    pub(crate) dead_letters: BTreeMap<String, u64>,
    /// The first of them.
    pub(crate) first: Option<DeadLetter>,
}

impl SourceCounts {
    pub(crate) fn add(&mut self, letters: Vec<DeadLetter>) {
        for letter in letters {
            *self.dead_letters.entry(letter.reason.to_string()).or_insert(0) += 1;
            let is_first = self
                .first
                .as_ref()
                .is_none_or(|first| (&letter.place, letter.row) < (&first.place, first.row));
            if is_first {
                self.first = Some(letter);
            }
        }
    }
}

struct Counters {
    rows_read: Count,
    rows_outside_time: Count,
}

impl SourceScan {
    pub(crate) fn new(
        plan: ReadPlan,
        with_origins: bool,
        dropped: Arc<Vec<u64>>,
        counts: Arc<Mutex<SourceCounts>>,
        job: Arc<JobState>,
    ) -> Self {
        let all = source_schema(&plan.source);
        let mut fields: Vec<Field> = plan.fields.iter().map(|at| all.field(*at).clone()).collect();
        if with_origins {
            fields.push(Field::new(ORIGIN, ArrowType::UInt64, false));
        }
        let metrics = ExecutionPlanMetricsSet::new();
        let count = |name: &'static str, value: usize| {
            MetricBuilder::new(&metrics).global_counter(name).add(value);
        };
        count("row_groups_read", plan.row_groups - plan.row_groups_pruned);
        count("row_groups_pruned", plan.row_groups_pruned);
        count("columns_read", plan.columns_read);
        count("columns_pruned", plan.columns_pruned);
        job.progress().add(&job.progress().rows_known, plan.rows);
        Self {
            judge: RowJudge::new(Arc::clone(&plan.source)),
            plan,
            schema: Arc::new(Schema::new(fields)),
            with_origins,
            dropped,
            next: AtomicUsize::new(0),
            counts,
            job,
            metrics,
        }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn next_unit(&self) -> Result<Option<OpenUnit>, BatchError> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(unit) = self.plan.units.get(next) else { return Ok(None) };
        let cancelled = || self.job.check().is_err();
        unit.open(&self.plan.source, &self.plan.fields, &cancelled).map(Some)
    }

    /// Leaves out of `kept` (none for all rows) those that other rows make
    /// count for nothing.
    fn without_dropped(
        &self,
        kept: Option<UInt32Array>,
        file: usize,
        first_row: u64,
        count: usize,
    ) -> Option<UInt32Array> {
        let first = Origins::pack(file, first_row);
        let behind = first + count as u64;
        let start = self.dropped.partition_point(|origin| *origin < first);
        let end = self.dropped.partition_point(|origin| *origin < behind);
        if start == end {
            return kept;
        }
        let dropped = &self.dropped[start..end];
        let counts = |row: &u32| dropped.binary_search(&(first + u64::from(*row))).is_err();
        Some(match kept {
            None => (0..count as u32).filter(counts).collect(),
            Some(kept) => kept.values().iter().copied().filter(counts).collect(),
        })
    }

    /// The rows that count and may matter.
    fn judged(
        &self,
        file: usize,
        first_row: u64,
        rows: &SourceRows,
        counters: &Counters,
    ) -> Result<RecordBatch, BatchError> {
        let place = &self.plan.files[file];
        let failed = |source| BatchError::Rows { path: place.as_ref().into(), source };
        let JudgedRows { kept, dead_letters } =
            self.judge.judge(rows, place, first_row).map_err(failed)?;
        let arrow = |error: datafusion::arrow::error::ArrowError| BatchError::Internal {
            path: place.as_ref().into(),
            reason: error.to_string(),
        };
        let count = rows.batch.num_rows();
        let mut columns: Vec<ArrayRef> =
            self.plan.fields.iter().map(|at| Arc::clone(rows.batch.column(*at))).collect();
        if self.with_origins {
            let origins = (0..count as u64).map(|row| Origins::pack(file, first_row + row));
            columns.push(Arc::new(UInt64Array::from_iter_values(origins)));
        }
        let mut count_kept = count;
        let kept = self.without_dropped(kept, file, first_row, count);
        if let Some(kept) = kept {
            count_kept = kept.len();
            for column in &mut columns {
                *column = take(column, &kept, None).map_err(arrow)?;
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count_kept));
        let mut batch =
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
                .map_err(arrow)?;
        if !self.plan.range.is_whole() {
            let at = self.plan.fields.binary_search(&self.plan.source.event_timestamp);
            let times = batch.column(at.unwrap_or(0)).as_primitive::<TimestampMicrosecondType>();
            if !times.values().iter().all(|time| self.plan.range.contains(*time)) {
                let times = times.values().iter();
                let matters: BooleanArray =
                    times.map(|time| Some(self.plan.range.contains(*time))).collect();
                batch = filter_record_batch(&batch, &matters).map_err(arrow)?;
                counters.rows_outside_time.add(count_kept - batch.num_rows());
            }
        }
        counters.rows_read.add(count);
        let progress = self.job.progress();
        progress.add(&progress.rows_read, count as u64);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.rows += batch.num_rows() as u64;
        counts.add(dead_letters);
        Ok(batch)
    }
}

impl Operate for SourceScan {
    const NAME: &'static str = "SourceScanExec";

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReadPlan { source, files, units, range, .. } = &self.plan;
        write!(
            f,
            "source={}, files={}, pieces={}, columns=[{}]",
            source.name,
            files.len(),
            units.len(),
            self.plan.field_names().join(", ")
        )?;
        if let Some(from) = range.from {
            write!(f, ", from={from}")?;
        }
        if let Some(to) = range.to {
            write!(f, ", to={to}")?;
        }
        Ok(())
    }

    fn execute(
        self: &Arc<Self>,
        _: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        _: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let counter =
            |name: &'static str| MetricBuilder::new(&self.metrics).counter(name, partition);
        let counters = Counters {
            rows_read: counter("rows_read"),
            rows_outside_time: counter("rows_outside_time"),
        };
        let first: Option<OpenUnit> = None;
        let state = (Arc::clone(self), first, counters);
        let rows = stream::try_unfold(state, async |(this, mut open, counters)| {
            loop {
                this.job.check()?;
                let unit = match &mut open {
                    Some(unit) => unit,
                    None => match this.next_unit().map_err(|error| this.job.fail(error))? {
                        Some(unit) => open.insert(unit),
                        None => return Ok(None),
                    },
                };
                let file = unit.file;
                match unit.next().map_err(|error| this.job.fail(error))? {
                    Some((first_row, rows)) => {
                        let batch = this
                            .judged(file, first_row, &rows, &counters)
                            .map_err(|error| this.job.fail(error))?;
                        return Ok(Some((batch, (this, open, counters))));
                    }
                    None => open = None,
                }
            }
        });
        Ok(batches(&self.schema, rows))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }
}
