use std::collections::BTreeSet;
use std::sync::Arc;

use unskew_aggregate::AggregateFunction;
use unskew_definition::{Name, OnError};
use unskew_executor::service::{ServiceOperator, ViewOperator};
use unskew_plan::{
    AggregateFunctionPlan, OnDemandOrigin, SourcePlan, StepPlan, ViewPlan, ViewReference,
    WindowPlan,
};

use crate::scan::TimeRange;

/// Views of one source whose join keys are the same fields: they are evaluated
/// over the same buckets of rows.
#[derive(Clone, Debug)]
pub(crate) struct ViewGroup {
    pub(crate) source: Arc<SourcePlan>,
    /// The fields of the join keys.
    pub(crate) keys: Vec<usize>,
    /// The names by which labels know them.
    pub(crate) key_names: Vec<Name>,
    /// Indices of [`ServiceOperator::view_operators`].
    pub(crate) views: Vec<usize>,
    /// Of each view the features that somebody needs.
    pub(crate) features: Vec<Vec<usize>>,
    /// Whether rows of other entities decide what counts or what windows emit,
    /// so that all rows are one bucket.
    pub(crate) is_whole: bool,
}

/// The groups of a service's views.
pub(crate) fn view_groups(service: &ServiceOperator) -> Vec<ViewGroup> {
    let mut groups: Vec<ViewGroup> = Vec::new();
    for (at, operator) in service.view_operators().iter().enumerate() {
        let view = operator.view();
        let keys: Vec<usize> = view.join_keys.iter().map(|key| key.field).collect();
        let key_names: Vec<Name> = view.join_keys.iter().map(|key| key.name.clone()).collect();
        let source = &view.source;
        let has_log = source.partition.is_some() || source.broker_timestamp.is_some();
        let is_whole = view.window.emits() && has_log;
        let features = needed_features(service, view);
        let same = |group: &&mut ViewGroup| {
            group.source.name == source.name
                && group.keys == keys
                && group.key_names == key_names
                && group.is_whole == is_whole
        };
        match groups.iter_mut().find(same) {
            Some(group) => {
                group.views.push(at);
                group.features.push(features);
            }
            None => groups.push(ViewGroup {
                source: Arc::clone(source),
                keys,
                key_names,
                views: vec![at],
                features: vec![features],
                is_whole,
            }),
        }
    }
    groups
}

/// The features of a view that are asked for, or that on-demand views read.
fn needed_features(service: &ServiceOperator, view: &ViewPlan) -> Vec<usize> {
    let mut needed = BTreeSet::new();
    for feature in service.features() {
        if let ViewReference::View(asked) = &feature.view
            && asked.id == view.id
        {
            needed.insert(feature.feature);
        }
    }
    for on_demand in service.on_demand_views() {
        for input in &on_demand.inputs {
            if let OnDemandOrigin::Feature { view: read, feature } = &input.from
                && *read.id() == view.id
            {
                needed.insert(*feature);
            }
        }
    }
    needed.into_iter().collect()
}

impl ViewGroup {
    /// The operators of its views.
    pub(crate) fn operators<'a>(
        &'a self,
        service: &'a ServiceOperator,
    ) -> impl Iterator<Item = &'a ViewOperator> + 'a {
        self.views.iter().map(|at| &service.view_operators()[*at])
    }

    /// The fields of the source that evaluation reads, ascending.
    pub(crate) fn fields(&self, service: &ServiceOperator) -> Vec<usize> {
        let source = &self.source;
        let mut fields: BTreeSet<usize> = self.keys.iter().copied().collect();
        fields.insert(source.event_timestamp);
        fields.extend(source.created_timestamp);
        fields.extend(source.broker_timestamp);
        fields.extend(source.partition);
        fields.extend(source.offset);
        for (operator, features) in self.operators(service).zip(&self.features) {
            fields.extend(columns_of(operator.view(), features));
        }
        fields.retain(|field| *field < source.fields.len());
        fields.into_iter().collect()
    }

    /// Whether a row may fail in a view, so that it matters where it came from.
    pub(crate) fn may_fail(&self, service: &ServiceOperator) -> bool {
        self.operators(service).any(|operator| may_fail(operator.view()))
    }

    /// Whether the order of two rows of one entity and one time changes a value:
    /// then all of their fields matter.
    pub(crate) fn tells_ties_apart(&self, service: &ServiceOperator) -> bool {
        self.operators(service).any(|operator| {
            let view = operator.view();
            let by_order = |function: &AggregateFunctionPlan| match function {
                AggregateFunctionPlan::BuiltIn(function) => matches!(
                    function,
                    AggregateFunction::First
                        | AggregateFunction::Last
                        | AggregateFunction::LastN { .. }
                ),
                AggregateFunctionPlan::Module { .. } => true,
            };
            view.window == WindowPlan::Latest
                || view.aggregates.iter().any(|aggregate| by_order(&aggregate.function))
        })
    }

    /// The event times of rows that questions at these times can see: a row
    /// outside of them changes no answer.
    pub(crate) fn range(
        &self,
        service: &ServiceOperator,
        questions: Option<(i64, i64)>,
    ) -> TimeRange {
        let source = &self.source;
        let has_log = source.partition.is_some() || self.is_whole;
        // A view that stops at its first failed row is to see all rows.
        let stops = |view: &ViewPlan| view.on_error == OnError::Fail && may_fail(view);
        let stops = self.operators(service).any(|operator| stops(operator.view()));
        let Some((first, last)) = questions.filter(|_| !has_log && !stops) else {
            return TimeRange::default();
        };
        let reaches = |view: &ViewPlan| -> Option<i64> {
            if view.window != WindowPlan::Trailing {
                return None;
            }
            let tails = view.aggregates.iter().map(|aggregate| aggregate.over);
            let begin = |over: unskew_plan::TrailingWindow| {
                let from = first.saturating_sub(over.size_us);
                from.saturating_sub(from.rem_euclid(over.hop_us))
            };
            tails
                .map(|over| over.map(begin))
                .try_fold(i64::MAX, |least, from| Some(least.min(from?)))
        };
        let mut from = self.operators(service).map(|operator| reaches(operator.view()));
        let from = from.try_fold(i64::MAX, |least, from| Some(least.min(from?)));
        TimeRange { from: from.filter(|from| *from < i64::MAX), to: Some(last) }
    }
}

fn may_fail(view: &ViewPlan) -> bool {
    let by_module = |aggregate: &unskew_plan::AggregatePlan| {
        matches!(aggregate.function, AggregateFunctionPlan::Module { .. })
    };
    view.filter.is_some()
        || !view.steps.is_empty()
        || view.aggregates.iter().any(|a| a.filter.is_some() || by_module(a))
}

/// The columns of `ViewPlan::columns` that a view's evaluation reads.
fn columns_of(view: &ViewPlan, features: &[usize]) -> BTreeSet<usize> {
    let mut columns: BTreeSet<usize> = BTreeSet::new();
    let add_steps = |steps: &[StepPlan], columns: &mut BTreeSet<usize>| {
        for step in steps {
            match step {
                StepPlan::Module { inputs, .. } => columns.extend(inputs.iter().copied()),
                StepPlan::Sql { .. } => {
                    let expressions = step.expressions();
                    columns.extend(expressions.flat_map(|e| e.columns().iter().copied()));
                }
            }
        }
    };
    columns.extend(view.filter.iter().flat_map(|filter| filter.columns().iter().copied()));
    add_steps(&view.steps, &mut columns);
    for aggregate in &view.aggregates {
        columns.extend(aggregate.inputs.iter().copied());
        columns.extend(aggregate.filter.iter().flat_map(|filter| filter.columns().iter().copied()));
    }
    if view.window == WindowPlan::Latest {
        // Its post-steps and features count the same columns.
        add_steps(&view.post_steps, &mut columns);
        columns.extend(features.iter().map(|feature| view.features[*feature].column));
    }
    columns
}
