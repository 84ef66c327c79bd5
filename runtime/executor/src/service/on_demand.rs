use std::sync::Arc;

use arrow::array::ArrayRef;
use unskew_definition::OnError;
use unskew_plan::{OnDemandOrigin, OnDemandViewPlan, ViewId};

use crate::evaluation_error::EvaluationError;
use crate::service::answers::{FeatureAnswers, Finding, ViewAnswers, answers};
use crate::service::questions::Questions;
use crate::steps::{ModuleCatalog, StepFailures, StepsOperator};

/// Evaluates an on-demand view for all questions as one batch.
#[derive(Debug)]
pub struct OnDemandOperator {
    view: Arc<OnDemandViewPlan>,
    steps: StepsOperator,
}

impl OnDemandOperator {
    /// Binds the view's steps to the modules that compute them.
    pub fn new(
        view: Arc<OnDemandViewPlan>,
        modules: &dyn ModuleCatalog,
    ) -> Result<Self, EvaluationError> {
        let inputs = &view.columns[..view.inputs.len()];
        let steps = StepsOperator::new(&view.steps, inputs, modules)?;
        Ok(Self { view, steps })
    }

    /// The view.
    pub fn view(&self) -> &Arc<OnDemandViewPlan> {
        &self.view
    }

    /// The answers to all questions. `upstream` gives the values of a feature
    /// of another view, after defaults: statuses do not travel.
    pub fn answer(
        &self,
        questions: &Questions,
        upstream: &dyn Fn(&ViewId, usize) -> Result<ArrayRef, EvaluationError>,
    ) -> Result<ViewAnswers, EvaluationError> {
        let inputs = self.view.inputs.iter().map(|input| match &input.from {
            OnDemandOrigin::Feature { view, feature } => upstream(view.id(), *feature),
            OnDemandOrigin::Request { source, field } => questions.request_field(source, *field),
            OnDemandOrigin::RequestTimestamp => Ok(questions.request_timestamp()),
        });
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let stepped = self.steps.evaluate(inputs, questions.len())?;
        if self.view.on_error == OnError::Fail {
            refuse_failures(&self.view.id, &stepped.failures, |row| format!("question {row}"))?;
        }
        let findings: Vec<Finding> = (0..questions.len() as u32).map(Finding::Row).collect();
        let of = |feature: &unskew_plan::FeatureField| {
            let failed = failures_of(&stepped.failures, feature.column);
            let column = &stepped.columns[feature.column];
            answers(feature, self.view.on_error, column, failed, &findings)
        };
        let features =
            self.view.features.iter().map(of).collect::<Result<Vec<FeatureAnswers>, _>>()?;
        let event_timestamps = questions.times().iter().copied().map(Some).collect();
        Ok(ViewAnswers {
            features,
            event_timestamps,
            at_event_times: Vec::new(),
            fold_failures: Vec::new(),
        })
    }
}

/// The rows that failed in what makes `column`.
pub(crate) fn failures_of(failures: &[StepFailures], column: usize) -> &[unskew_host::RowError] {
    let of = failures.iter().find(|failure| failure.columns.contains(&column));
    of.map_or(&[], |failure| &failure.errors)
}

/// The error for the first row that failed.
pub(crate) fn refuse_failures(
    view: &ViewId,
    failures: &[StepFailures],
    place: impl Fn(usize) -> String,
) -> Result<(), EvaluationError> {
    let Some(StepFailures { name, errors, .. }) = failures.first() else { return Ok(()) };
    let Some(error) = errors.first() else { return Ok(()) };
    Err(EvaluationError::RowFailed {
        view: view.clone(),
        what: name.clone(),
        place: place(error.row),
        status: error.status,
        message: error.message.clone(),
    })
}
