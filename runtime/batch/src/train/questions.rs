use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use futures::stream;
use unskew_definition::Name;
use unskew_executor::service::ServiceOperator;

use crate::error::BatchError;
use crate::job_state::JobState;
use crate::operator::{Operate, batches};
use crate::train::label_columns::LabelColumns;
use crate::train::labels::{LabelColumn, Labels, STRETCH};
use crate::train::view_group::ViewGroup;

/// The columns of questions before the join keys: the label's number and time.
pub(crate) const QUESTION_ROW: usize = 0;
pub(crate) const QUESTION_TIME: usize = 1;
pub(crate) const QUESTION_KEYS: usize = 2;

/// What labels ask of a group of views: number, time and join keys of each.
#[derive(Debug)]
pub(crate) struct LabelQuestions {
    labels: Arc<Labels>,
    columns: Arc<LabelColumns>,
    keys: Vec<Name>,
    time: LabelColumn,
    schema: SchemaRef,
    next: AtomicUsize,
    job: Arc<JobState>,
    metrics: ExecutionPlanMetricsSet,
}

impl LabelQuestions {
    pub(crate) fn new(
        labels: Arc<Labels>,
        columns: Arc<LabelColumns>,
        group: &ViewGroup,
        service: &ServiceOperator,
        job: Arc<JobState>,
    ) -> Result<Self, BatchError> {
        Ok(Self {
            time: labels.time_column()?,
            labels,
            columns,
            keys: group.key_names.clone(),
            schema: question_schema(group, service),
            next: AtomicUsize::new(0),
            job,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn stretch(&self, stretch: usize) -> Result<RecordBatch, BatchError> {
        let labels = self.labels.stretch(stretch)?;
        let first = stretch * STRETCH;
        let rows = (first as u32)..(first + labels.num_rows()) as u32;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(rows)),
            self.time.values(&self.labels, &labels, first)?,
        ];
        for key in &self.keys {
            columns.push(self.columns.keys[key].values(&self.labels, &labels, first)?);
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| self.labels.wrong(format!("columns of no use: {error}")))
    }
}

/// The columns of questions to a group of views.
pub(crate) fn question_schema(group: &ViewGroup, service: &ServiceOperator) -> SchemaRef {
    let time = unskew_definition::DataType::Timestamp.to_arrow();
    let mut fields =
        vec![Field::new("label", DataType::UInt32, false), Field::new("time", time, false)];
    if let Some(operator) = group.operators(service).next() {
        for key in &operator.view().join_keys {
            fields.push(Field::new(key.name.as_str(), key.data_type.to_arrow(), true));
        }
    }
    Arc::new(Schema::new(fields))
}

impl Operate for LabelQuestions {
    const NAME: &'static str = "LabelScanExec";

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.keys.iter().map(Name::as_str).collect();
        write!(f, "labels={}, keys=[{}]", self.labels.rows(), names.join(", "))
    }

    fn execute(
        self: &Arc<Self>,
        _: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        _: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let state = (Arc::clone(self), rows);
        let questions = stream::try_unfold(state, async |(this, rows)| {
            this.job.check()?;
            let stretch = this.next.fetch_add(1, Ordering::Relaxed);
            if stretch >= this.labels.stretches() {
                return Ok(None);
            }
            let batch = this.stretch(stretch).map_err(|error| this.job.fail(error))?;
            rows.add(batch.num_rows());
            Ok(Some((batch, (this, rows))))
        });
        Ok(batches(&self.schema, questions))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }
}
