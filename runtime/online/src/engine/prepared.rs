//! What a selection of features needs, worked out once and kept.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use unskew_definition::{DataType, Name, OnError};
use unskew_executor::service::{OnDemandOperator, ViewOperator};
use unskew_plan::{
    FeatureField, OnDemandOrigin, OnDemandViewPlan, RequestSourcePlan, ViewId, ViewPlan,
    ViewReference,
};
use unskew_store::TableId;

use crate::engine::measured::{MeasuredModules, ViewMeasure};
use crate::engine::wanted::{Wanted, WantedFeature};
use crate::error::OnlineError;
use crate::project::OnlineProject;

/// A feature view as it is served.
pub(crate) struct ServedView {
    pub(crate) operator: ViewOperator,
    pub(crate) table: TableId,
    /// Whether one failed value fails its entity.
    pub(crate) fails_entities: bool,
    pub(crate) measure: ViewMeasure,
}

/// An on-demand view as it is served.
pub(crate) struct ServedOnDemand {
    pub(crate) operator: OnDemandOperator,
    pub(crate) fails_entities: bool,
    pub(crate) measure: ViewMeasure,
}

/// A join key that a request must give.
#[derive(Clone, Debug)]
pub(crate) struct NeededKey {
    pub(crate) name: Name,
    pub(crate) data_type: DataType,
}

/// A request field that a request must give.
#[derive(Clone, Debug)]
pub(crate) struct NeededField {
    pub(crate) source: Arc<RequestSourcePlan>,
    pub(crate) field: usize,
}

/// Which view of [`Prepared`] a feature comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FromView {
    /// One of `views`.
    Stored(usize),
    /// One of `on_demand`.
    OnDemand(usize),
}

/// A feature that is answered.
pub(crate) struct Output {
    pub(crate) from: FromView,
    /// Its index in the view.
    pub(crate) feature: usize,
    pub(crate) view: ViewId,
    pub(crate) field: FeatureField,
    /// `feature`.
    pub(crate) name: String,
    /// `view__feature`, or `view@vN__feature` where a version was asked for.
    pub(crate) full_name: String,
    /// `view:feature@vN`.
    pub(crate) reference: String,
    /// The modules that computed it, by name and digest.
    pub(crate) modules: Vec<(Name, String)>,
}

/// What a selection of features needs.
pub(crate) struct Prepared {
    pub(crate) outputs: Vec<Output>,
    pub(crate) keys: Vec<NeededKey>,
    pub(crate) fields: Vec<NeededField>,
    pub(crate) views: Vec<Arc<ServedView>>,
    /// Each behind those that it reads.
    pub(crate) on_demand: Vec<Arc<ServedOnDemand>>,
    /// Whether two features have one name.
    pub(crate) names_collide: bool,
}

/// How many selections are kept; services are few, lists of features as many
/// as clients think of.
const MAX_KEPT: usize = 1024;

/// Views bound to their modules, and selections of features, each made once.
pub(crate) struct Preparations {
    modules: MeasuredModules,
    views: RwLock<HashMap<ViewId, Arc<ServedView>>>,
    on_demand: RwLock<HashMap<ViewId, Arc<ServedOnDemand>>>,
    kept: RwLock<HashMap<Box<str>, Arc<Prepared>>>,
}

impl Preparations {
    pub(crate) fn new(modules: MeasuredModules) -> Self {
        Self {
            modules,
            views: RwLock::default(),
            on_demand: RwLock::default(),
            kept: RwLock::default(),
        }
    }

    pub(crate) fn modules(&self) -> &MeasuredModules {
        &self.modules
    }

    /// All views that were bound so far, by id.
    pub(crate) fn served(&self) -> (Vec<Arc<ServedView>>, Vec<Arc<ServedOnDemand>>) {
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner);
        let mut views: Vec<_> = views.values().cloned().collect();
        views.sort_by(|a, b| a.operator.view().id.cmp(&b.operator.view().id));
        let on_demand = self.on_demand.read().unwrap_or_else(PoisonError::into_inner);
        let mut on_demand: Vec<_> = on_demand.values().cloned().collect();
        on_demand.sort_by(|a, b| a.operator.view().id.cmp(&b.operator.view().id));
        (views, on_demand)
    }

    /// What `wanted` needs.
    pub(crate) fn of(
        &self,
        project: &OnlineProject,
        wanted: Wanted<'_>,
    ) -> Result<Arc<Prepared>, OnlineError> {
        let mut key = String::with_capacity(64);
        wanted.key(&mut key);
        {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(prepared) = kept.get(key.as_str()) {
                return Ok(Arc::clone(prepared));
            }
        }
        let prepared = Arc::new(self.prepare(project, wanted)?);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.retain(|key, _| key.starts_with('s'));
        }
        kept.insert(key.into(), Arc::clone(&prepared));
        Ok(prepared)
    }

    /// The feature view, bound to its modules.
    pub(crate) fn view(&self, view: &Arc<ViewPlan>) -> Result<Arc<ServedView>, OnlineError> {
        {
            let known = self.views.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(served) = known.get(&view.id) {
                return Ok(Arc::clone(served));
            }
        }
        let fails_entities = view.on_error == OnError::Fail;
        let plan = match fails_entities {
            false => Arc::clone(view),
            // Online an error ends the entity, not the request.
            true => Arc::new(ViewPlan { on_error: OnError::Null, ..ViewPlan::clone(view) }),
        };
        let served = Arc::new(ServedView {
            operator: ViewOperator::new(plan, &self.modules)?,
            table: TableId::new(&view.id.table_name())?,
            fails_entities,
            measure: ViewMeasure::default(),
        });
        let mut known = self.views.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(view.id.clone()).or_insert(served)))
    }

    fn on_demand(&self, view: &Arc<OnDemandViewPlan>) -> Result<Arc<ServedOnDemand>, OnlineError> {
        {
            let known = self.on_demand.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(served) = known.get(&view.id) {
                return Ok(Arc::clone(served));
            }
        }
        let fails_entities = view.on_error == OnError::Fail;
        let plan = match fails_entities {
            false => Arc::clone(view),
            true => Arc::new(OnDemandViewPlan {
                on_error: OnError::Null,
                ..OnDemandViewPlan::clone(view)
            }),
        };
        let served = Arc::new(ServedOnDemand {
            operator: OnDemandOperator::new(plan, &self.modules)?,
            fails_entities,
            measure: ViewMeasure::default(),
        });
        let mut known = self.on_demand.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(view.id.clone()).or_insert(served)))
    }

    fn prepare(
        &self,
        project: &OnlineProject,
        wanted: Wanted<'_>,
    ) -> Result<Prepared, OnlineError> {
        let wanted = wanted.resolve(&project.plan)?;
        let mut prepared = Prepared {
            outputs: Vec::with_capacity(wanted.len()),
            keys: Vec::new(),
            fields: Vec::new(),
            views: Vec::new(),
            on_demand: Vec::new(),
            names_collide: false,
        };
        for WantedFeature { feature, version } in wanted {
            let from = self.need(&mut prepared, &feature.view)?;
            let (view, field) = (feature.view.id().clone(), feature.field().clone());
            let full_name = match version {
                None => format!("{}__{}", view.name, field.name),
                Some(version) => format!("{}@v{version}__{}", view.name, field.name),
            };
            prepared.outputs.push(Output {
                from,
                feature: feature.feature,
                name: field.name.to_string(),
                full_name,
                reference: format!("{}:{}@v{}", view.name, field.name, view.version),
                modules: modules_of(&feature.view, project),
                view,
                field,
            });
        }
        let mut names: Vec<&str> = prepared.outputs.iter().map(|o| o.name.as_str()).collect();
        names.sort_unstable();
        prepared.names_collide = names.windows(2).any(|pair| pair[0] == pair[1]);
        Ok(prepared)
    }

    /// Adds what a view needs, behind what that needs.
    fn need(&self, prepared: &mut Prepared, view: &ViewReference) -> Result<FromView, OnlineError> {
        match view {
            ViewReference::View(view) => {
                let known = prepared.views.iter().position(|v| v.operator.view().id == view.id);
                if let Some(at) = known {
                    return Ok(FromView::Stored(at));
                }
                for key in &view.join_keys {
                    let given = prepared.keys.iter().find(|known| known.name == key.name);
                    match given {
                        None => prepared.keys.push(NeededKey {
                            name: key.name.clone(),
                            data_type: key.data_type.clone(),
                        }),
                        Some(known) if known.data_type == key.data_type => {}
                        Some(known) => {
                            return Err(OnlineError::Invalid(format!(
                                "the join key {} is {} in one view and {} in {}; ask for their features in two requests",
                                key.name, known.data_type, key.data_type, view.id
                            )));
                        }
                    }
                }
                prepared.views.push(self.view(view)?);
                Ok(FromView::Stored(prepared.views.len() - 1))
            }
            ViewReference::OnDemand(view) => {
                let known = prepared.on_demand.iter().position(|v| v.operator.view().id == view.id);
                if let Some(at) = known {
                    return Ok(FromView::OnDemand(at));
                }
                for input in &view.inputs {
                    match &input.from {
                        OnDemandOrigin::Feature { view, feature: _ } => {
                            self.need(prepared, view)?;
                        }
                        OnDemandOrigin::Request { source, field } => {
                            let known = |needed: &NeededField| {
                                needed.source.name == source.name && needed.field == *field
                            };
                            if !prepared.fields.iter().any(known) {
                                let source = Arc::clone(source);
                                prepared.fields.push(NeededField { source, field: *field });
                            }
                        }
                        OnDemandOrigin::RequestTimestamp => {}
                    }
                }
                prepared.on_demand.push(self.on_demand(view)?);
                Ok(FromView::OnDemand(prepared.on_demand.len() - 1))
            }
        }
    }
}

/// The modules that decide a view's values, with their digests.
fn modules_of(view: &ViewReference, project: &OnlineProject) -> Vec<(Name, String)> {
    let mut names: Vec<Name> = Vec::new();
    modules_read(view, &mut names);
    names.sort();
    names.dedup();
    let digest = |name: Name| {
        let digest = project.digests.get(&name).cloned().unwrap_or_default();
        (name, digest)
    };
    names.into_iter().map(digest).collect()
}

fn modules_read(view: &ViewReference, names: &mut Vec<Name>) {
    use unskew_plan::{AggregateFunctionPlan, StepPlan};
    let of_steps = |steps: &[StepPlan], names: &mut Vec<Name>| {
        for step in steps {
            if let StepPlan::Module { module, .. } = step {
                names.push(module.clone());
            }
        }
    };
    match view {
        ViewReference::View(view) => {
            of_steps(&view.steps, names);
            of_steps(&view.post_steps, names);
            names.extend(view.functions.iter().map(|function| function.module.clone()));
            for aggregate in &view.aggregates {
                if let AggregateFunctionPlan::Module { module, .. } = &aggregate.function {
                    names.push(module.clone());
                }
            }
        }
        ViewReference::OnDemand(view) => {
            of_steps(&view.steps, names);
            names.extend(view.functions.iter().map(|function| function.module.clone()));
            for input in &view.inputs {
                if let OnDemandOrigin::Feature { view, feature: _ } = &input.from {
                    modules_read(view, names);
                }
            }
        }
    }
}
