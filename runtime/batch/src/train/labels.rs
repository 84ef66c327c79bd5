use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use unskew_definition::DataType;
use unskew_executor::arrow_name;
use unskew_executor::rows::ColumnReader;

use crate::error::BatchError;
use crate::partition::{BucketStore, BucketWriter};
use crate::resources::Resources;
use crate::table_reader::TableReader;
use crate::train::TrainingJob;

/// The labels of a job, as they stand in their file, in stretches of
/// [`STRETCH`] rows; and what was learnt of them when they were read.
#[derive(Debug)]
pub(crate) struct Labels {
    path: PathBuf,
    label_time: String,
    store: Arc<BucketStore>,
    rows: usize,
    /// The least and the greatest time, in microseconds; none without labels.
    times: Option<(i64, i64)>,
}

/// Labels that are put together at a time, at the end, and written.
pub(crate) const STRETCH: usize = 1 << 16;

impl Labels {
    /// Reads the file once. Every label must have a time.
    pub(crate) fn read(
        job: &TrainingJob,
        resources: &Resources,
        context: &Arc<TaskContext>,
        metrics: &ExecutionPlanMetricsSet,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, BatchError> {
        let mut table = TableReader::open(&job.labels, None, None, cancelled)?;
        let schema = Arc::clone(table.schema());
        let store = Arc::new(BucketStore::new("labels", schema, context, metrics));
        let mut labels = Self {
            path: job.labels.clone(),
            label_time: job.label_time.clone(),
            store: Arc::clone(&store),
            rows: 0,
            times: None,
        };
        let time = labels.time_column()?;
        let mut writer = BucketWriter::new(store, resources.chunk_bytes());
        while let Some((_, batch)) = table.next_batch()? {
            if cancelled() {
                return Err(BatchError::Cancelled);
            }
            let times = time.values(&labels, &batch, labels.rows)?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            if let Some(row) = (0..times.len()).find(|row| times.is_null(*row)) {
                return Err(labels.wrong(format!(
                    "row {}: {:?} is null; a label without a time asks nothing: leave it out",
                    labels.rows + row,
                    labels.label_time
                )));
            }
            for time in times.values() {
                let (least, greatest) = labels.times.unwrap_or((*time, *time));
                labels.times = Some((least.min(*time), greatest.max(*time)));
            }
            let first = labels.rows;
            labels.rows += batch.num_rows();
            if u32::try_from(labels.rows).is_err() {
                return Err(labels.wrong(format!(
                    "more than {} rows; divide them into several files",
                    u32::MAX
                )));
            }
            let stretches = (first..labels.rows).map(|row| (row / STRETCH) as u32);
            writer.push(batch, stretches)?;
        }
        writer.flush()?;
        Ok(labels)
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        self.store.schema()
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        self.times
    }

    /// How many stretches there are.
    pub(crate) fn stretches(&self) -> usize {
        self.rows.div_ceil(STRETCH)
    }

    /// The labels of one stretch, in their order.
    pub(crate) fn stretch(&self, stretch: usize) -> Result<RecordBatch, BatchError> {
        let batches = self.store.bucket(stretch)?;
        concat_batches(self.schema(), &batches).map_err(|error| BatchError::Internal {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    /// Where the times of labels are found.
    pub(crate) fn time_column(&self) -> Result<LabelColumn, BatchError> {
        let what = "the time of each label";
        self.column(&self.label_time, &DataType::Timestamp, what, "--label-time")
    }

    /// Where values of a type are found. `what` says what for, `option` how to
    /// name another column.
    pub(crate) fn column(
        &self,
        name: &str,
        wanted: &DataType,
        what: &str,
        option: &'static str,
    ) -> Result<LabelColumn, BatchError> {
        let schema = self.schema();
        let Some((at, field)) = schema.column_with_name(name) else {
            let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            return Err(self.wrong(format!(
                "there is no column {name:?}, which holds {what}; the columns are {}; name another with {option}",
                known.join(", ")
            )));
        };
        let reader = ColumnReader::new(field.data_type(), wanted).ok_or_else(|| {
            let found = arrow_name(field.data_type());
            self.wrong(format!(
                "column {name:?}, which holds {what}, is {found} and no {wanted}; convert it before"
            ))
        })?;
        Ok(LabelColumn { at, reader, name: name.to_owned(), what: what.to_owned() })
    }

    pub(crate) fn wrong(&self, reason: String) -> BatchError {
        BatchError::WrongFile { path: self.path.clone(), reason: format!("labels: {reason}") }
    }
}

/// A column of the labels, read as values of a type.
#[derive(Debug)]
pub(crate) struct LabelColumn {
    at: usize,
    reader: ColumnReader,
    name: String,
    what: String,
}

impl LabelColumn {
    /// Its values. Every one must be of the type. `first_row` is the number of
    /// the first label of the batch.
    pub(crate) fn values(
        &self,
        labels: &Labels,
        batch: &RecordBatch,
        first_row: usize,
    ) -> Result<ArrayRef, BatchError> {
        let Self { at, reader, name, what } = self;
        let failed = |source| BatchError::Rows { path: labels.path.clone(), source };
        let (values, faults) = reader.read(batch.column(*at)).map_err(failed)?;
        match faults.first() {
            None => Ok(values),
            Some((row, reason)) => {
                let row = first_row + row;
                Err(labels
                    .wrong(format!("row {row}, column {name:?}, which holds {what}: {reason}")))
            }
        }
    }
}
