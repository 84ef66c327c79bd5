use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Schema, SchemaRef, TimestampMicrosecondType, UInt8Type,
};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt as _, stream};
use unskew_executor::service::{Questions, ServiceOperator};
use unskew_plan::{ViewId, ViewReference};

use crate::error::BatchError;
use crate::job_state::JobState;
use crate::operator::{Operate, batches};
use crate::train::label_columns::LabelColumns;
use crate::train::labels::{LabelColumn, Labels, STRETCH};
use crate::train::point_in_time::{ANSWER_AT_EVENT, ANSWER_FEATURES, status_of};
use crate::train::tally::Tally;
use crate::train::view_group::ViewGroup;

/// Puts labels, the answers of all groups of views, and what on-demand views
/// make of them together, stretch by stretch.
#[derive(Debug)]
pub(crate) struct TrainingSet {
    service: Arc<ServiceOperator>,
    groups: Vec<ViewGroup>,
    labels: Arc<Labels>,
    columns: Arc<LabelColumns>,
    time: LabelColumn,
    with_statuses: bool,
    schema: SchemaRef,
    tally: Arc<Tally>,
    job: Arc<JobState>,
    metrics: ExecutionPlanMetricsSet,
}

/// Values of a feature for a stretch of labels, and their statuses, where they
/// are wanted.
#[derive(Clone)]
struct Column {
    values: ArrayRef,
    statuses: Option<ArrayRef>,
}

impl TrainingSet {
    /// `names` are those of the features' columns.
    #[expect(clippy::too_many_arguments, reason = "each is a setting of its own")]
    pub(crate) fn new(
        service: Arc<ServiceOperator>,
        groups: Vec<ViewGroup>,
        labels: Arc<Labels>,
        columns: Arc<LabelColumns>,
        names: &[String],
        with_statuses: bool,
        tally: Arc<Tally>,
        job: Arc<JobState>,
        metrics: ExecutionPlanMetricsSet,
    ) -> Result<Self, BatchError> {
        let mut fields: Vec<FieldRef> = labels.schema().fields().iter().cloned().collect();
        for (feature, name) in service.features().iter().zip(names) {
            let data_type = feature.field().data_type.to_arrow();
            fields.push(Arc::new(Field::new(name, data_type, true)));
            if with_statuses {
                fields.push(Arc::new(Field::new(status_name(name), DataType::Utf8, false)));
            }
        }
        Ok(Self {
            time: labels.time_column()?,
            service,
            groups,
            labels,
            columns,
            with_statuses,
            schema: Arc::new(Schema::new(fields)),
            tally,
            job,
            metrics,
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn stretch(&self, stretch: usize, answers: &[RecordBatch]) -> Result<RecordBatch, BatchError> {
        let labels = self.labels.stretch(stretch)?;
        let mut known: BTreeMap<(ViewId, usize), Column> = BTreeMap::new();
        let mut at_event_time = vec![false; labels.num_rows()];
        for (group, answers) in self.groups.iter().zip(answers) {
            let at_event = answers.column(ANSWER_AT_EVENT).as_boolean();
            for (place, is_at) in at_event_time.iter_mut().zip(at_event.values()) {
                *place |= is_at;
            }
            let mut columns = answers.columns()[ANSWER_FEATURES..].iter();
            for (operator, features) in group.operators(&self.service).zip(&group.features) {
                for feature in features {
                    let Some(values) = columns.next().map(Arc::clone) else { continue };
                    let statuses = match self.with_statuses {
                        true => columns.next().map(spelled),
                        false => None,
                    };
                    let view = operator.view().id.clone();
                    known.insert((view, *feature), Column { values, statuses });
                }
            }
        }
        let at_event_time = at_event_time.into_iter().filter(|is_at| *is_at).count();
        self.tally.add_labels_at_event_time(at_event_time as u64);
        self.add_on_demand(&labels, stretch * STRETCH, &mut known)?;

        let mut all: Vec<ArrayRef> = labels.columns().to_vec();
        for feature in self.service.features() {
            let key = (feature.view.id().clone(), feature.feature);
            let Some(Column { values, statuses }) = known.get(&key) else {
                let reason = format!("{} was not answered", feature.field().name);
                return Err(BatchError::Plan { reason });
            };
            all.push(Arc::clone(values));
            all.extend(statuses.clone());
        }
        RecordBatch::try_new(Arc::clone(&self.schema), all)
            .map_err(|error| BatchError::Plan { reason: error.to_string() })
    }

    /// Evaluates on-demand views over what they read.
    fn add_on_demand(
        &self,
        labels: &RecordBatch,
        first_row: usize,
        known: &mut BTreeMap<(ViewId, usize), Column>,
    ) -> Result<(), BatchError> {
        if self.service.on_demand_operators().is_empty() {
            return Ok(());
        }
        let failed = BatchError::training;
        let times = self.time.values(&self.labels, labels, first_row)?;
        let times = times.as_primitive::<TimestampMicrosecondType>().values().to_vec();
        let mut questions = Questions::new(times);
        for ((source, field), column) in &self.columns.requests {
            let values = column.values(&self.labels, labels, first_row)?;
            questions.set_request_field(source.clone(), field.clone(), values).map_err(failed)?;
        }
        for operator in self.service.on_demand_operators() {
            let upstream = |view: &ViewId, feature: usize| {
                let column = known.get(&(view.clone(), feature));
                column.map(|column| Arc::clone(&column.values)).ok_or_else(|| {
                    unskew_executor::EvaluationError::Labels(format!("no values of {view}"))
                })
            };
            let answers = operator.answer(&questions, &upstream).map_err(|error| {
                // Messages count the labels of the stretch.
                failed(error)
            })?;
            let view = &operator.view().id;
            for (feature, found) in answers.features.iter().enumerate() {
                let is_asked = self.service.features().iter().any(|asked| {
                    matches!(&asked.view, ViewReference::OnDemand(v) if v.id == *view)
                        && asked.feature == feature
                });
                if is_asked {
                    self.tally.add_feature(view, feature, found, |row| first_row + row);
                }
                let statuses = self.with_statuses.then(|| {
                    let names = found.statuses.iter().map(|status| status.as_str());
                    Arc::new(StringArray::from_iter_values(names)) as ArrayRef
                });
                let column = Column { values: Arc::clone(&found.values), statuses };
                known.insert((view.clone(), feature), column);
            }
        }
        Ok(())
    }
}

/// The name of the column of a feature's status.
pub(crate) fn status_name(feature: &str) -> String {
    format!("{feature}__status")
}

/// Statuses by name.
fn spelled(numbers: &ArrayRef) -> ArrayRef {
    let numbers = numbers.as_primitive::<UInt8Type>().values().iter();
    let names = numbers.map(|number| status_of(*number).as_str());
    Arc::new(StringArray::from_iter_values(names))
}

impl Operate for TrainingSet {
    const NAME: &'static str = "TrainingSetExec";

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let features = self.service.features().len();
        write!(f, "labels={}, features={features}", self.labels.rows())?;
        let on_demand: Vec<String> =
            self.service.on_demand_views().map(|view| view.id.to_string()).collect();
        if !on_demand.is_empty() {
            write!(f, ", on_demand=[{}]", on_demand.join(", "))?;
        }
        Ok(())
    }

    /// The inputs are the answers of each group, in the labels' order.
    fn execute(
        self: &Arc<Self>,
        inputs: &[Arc<dyn ExecutionPlan>],
        _: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let answers = inputs.iter().map(|input| input.execute(0, Arc::clone(&context)));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        let state = (Arc::clone(self), answers, 0);
        let rows = stream::try_unfold(state, async |(this, mut answers, stretch)| {
            if stretch == this.labels.stretches() {
                return Ok(None);
            }
            this.job.check()?;
            let mut of_stretch = Vec::with_capacity(answers.len());
            for group in &mut answers {
                let batch = group.next().await.ok_or_else(|| {
                    DataFusionError::Internal("answers ended before the labels".to_owned())
                })?;
                of_stretch.push(batch?);
            }
            let rows = this.stretch(stretch, &of_stretch).map_err(|error| this.job.fail(error))?;
            Ok(Some((rows, (this, answers, stretch + 1))))
        });
        Ok(batches(&self.schema, rows))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }
}
