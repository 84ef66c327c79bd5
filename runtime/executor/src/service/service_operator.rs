use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use unskew_definition::Name;
use unskew_plan::{
    FeatureField, OnDemandOrigin, OnDemandViewPlan, ServiceFeature, SourcePlan, ViewId, ViewPlan,
    ViewReference,
};

use crate::evaluation_error::EvaluationError;
use crate::rows::{AcceptedRows, DeadLetter};
use crate::service::answers::{FeatureAnswers, ViewAnswers};
use crate::service::on_demand::OnDemandOperator;
use crate::service::questions::Questions;
use crate::service::row_warning::RowWarning;
use crate::service::view::ViewOperator;
use crate::steps::ModuleCatalog;

/// Answers questions about a list of features, which may come from any number
/// of views of both kinds. Each view is evaluated once.
#[derive(Debug)]
pub struct ServiceOperator {
    views: Vec<ViewOperator>,
    /// Each behind those that it reads.
    on_demand_views: Vec<OnDemandOperator>,
    features: Vec<ServiceFeature>,
}

/// What a service answers, one row for each question.
#[derive(Clone, Debug)]
pub struct ServiceAnswers {
    /// One for each feature that was asked for, in that order.
    pub features: Vec<ServiceFeatureAnswers>,
    /// The rows that views left out beyond those that their source did.
    pub dead_letters: Vec<DeadLetter>,
    /// What is worth a second look, though all was answered.
    pub warnings: Vec<RowWarning>,
    /// How many questions are at the very time of an event of their entity,
    /// which counts, though its source does not say when it was known.
    pub at_event_time: usize,
}

/// What a service answers of one feature.
#[derive(Clone, Debug)]
pub struct ServiceFeatureAnswers {
    /// The view.
    pub view: ViewId,
    /// The feature.
    pub field: FeatureField,
    /// Values and statuses.
    pub answers: FeatureAnswers,
    /// The event time of what was found, in microseconds.
    pub event_timestamps: Vec<Option<i64>>,
}

impl ServiceOperator {
    /// Binds all views that `features` need to the modules that compute them.
    pub fn new(
        features: &[ServiceFeature],
        modules: &dyn ModuleCatalog,
    ) -> Result<Self, EvaluationError> {
        let mut needed = Needed::default();
        features.iter().for_each(|feature| needed.add(&feature.view));
        let Needed { views, on_demand_views } = needed;
        let views = views.into_values().map(|view| ViewOperator::new(view, modules));
        let on_demand =
            on_demand_views.into_iter().map(|view| OnDemandOperator::new(view, modules));
        Ok(Self {
            views: views.collect::<Result<_, _>>()?,
            on_demand_views: on_demand.collect::<Result<_, _>>()?,
            features: features.to_vec(),
        })
    }

    /// The sources whose rows [`Self::answer`] needs, each once.
    pub fn sources(&self) -> Vec<Arc<SourcePlan>> {
        let mut sources: Vec<Arc<SourcePlan>> = Vec::new();
        for view in &self.views {
            let source = &view.view().source;
            if sources.iter().all(|known| known.name != source.name) {
                sources.push(Arc::clone(source));
            }
        }
        sources
    }

    /// What evaluates each feature view.
    pub fn view_operators(&self) -> &[ViewOperator] {
        &self.views
    }

    /// What evaluates each on-demand view, each behind those that it reads.
    pub fn on_demand_operators(&self) -> &[OnDemandOperator] {
        &self.on_demand_views
    }

    /// The features that were asked for.
    pub fn features(&self) -> &[ServiceFeature] {
        &self.features
    }

    /// The feature views that it evaluates.
    pub fn views(&self) -> impl Iterator<Item = &Arc<ViewPlan>> {
        self.views.iter().map(ViewOperator::view)
    }

    /// The on-demand views that it evaluates.
    pub fn on_demand_views(&self) -> impl Iterator<Item = &Arc<OnDemandViewPlan>> {
        self.on_demand_views.iter().map(OnDemandOperator::view)
    }

    /// Answers all questions over the rows of the sources, by their names.
    pub fn answer(
        &self,
        rows: &BTreeMap<Name, AcceptedRows>,
        questions: &Questions,
    ) -> Result<ServiceAnswers, EvaluationError> {
        let mut known: BTreeMap<ViewId, ViewAnswers> = BTreeMap::new();
        let (mut dead_letters, mut warnings) = (Vec::new(), Vec::new());
        let mut at_event_time = vec![false; questions.len()];
        for operator in &self.views {
            let view = operator.view();
            let source = rows.get(&view.source.name).ok_or_else(|| {
                EvaluationError::Labels(format!("no rows of the source {}", view.source.name))
            })?;
            let prepared = operator.prepare(source)?;
            let answers = prepared.answer(questions)?;
            warnings.extend(prepared.warnings().iter().cloned());
            answers.at_event_times.iter().for_each(|question| at_event_time[*question] = true);
            dead_letters.extend(prepared.into_dead_letters());
            known.insert(view.id.clone(), answers);
        }
        for operator in &self.on_demand_views {
            let upstream = |view: &ViewId, feature: usize| -> Result<ArrayRef, EvaluationError> {
                Ok(Arc::clone(&known[view].features[feature].values))
            };
            let answers = operator.answer(questions, &upstream)?;
            known.insert(operator.view().id.clone(), answers);
        }
        let of = |feature: &ServiceFeature| {
            let answers = &known[feature.view.id()];
            ServiceFeatureAnswers {
                view: feature.view.id().clone(),
                field: feature.field().clone(),
                answers: answers.features[feature.feature].clone(),
                event_timestamps: answers.event_timestamps.clone(),
            }
        };
        Ok(ServiceAnswers {
            features: self.features.iter().map(of).collect(),
            dead_letters,
            warnings,
            at_event_time: at_event_time.into_iter().filter(|is_so| *is_so).count(),
        })
    }
}

/// The views that features need, directly or through others.
#[derive(Default)]
struct Needed {
    views: BTreeMap<ViewId, Arc<ViewPlan>>,
    on_demand_views: Vec<Arc<OnDemandViewPlan>>,
}

impl Needed {
    fn add(&mut self, view: &ViewReference) {
        match view {
            ViewReference::View(view) => {
                self.views.entry(view.id.clone()).or_insert_with(|| Arc::clone(view));
            }
            ViewReference::OnDemand(view) => {
                if self.on_demand_views.iter().any(|known| known.id == view.id) {
                    return;
                }
                for input in &view.inputs {
                    if let OnDemandOrigin::Feature { view: upstream, feature: _ } = &input.from {
                        self.add(upstream);
                    }
                }
                self.on_demand_views.push(Arc::clone(view));
            }
        }
    }
}
