//! From a definition to its plan. What is wrong is noted, and resolving goes
//! on with what is left; of what depends on a mistake nothing more is said.

mod aggregate;
mod columns;
mod depends_on;
mod feature;
mod functions;
mod on_demand;
mod order;
mod service;
mod source;
mod sql;
mod step;
mod view;
mod window;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use unskew_definition::{
    Definition, Feature, FeatureReference, Mistake, Mistakes, Name, Place, Section, Step, meant,
};

use crate::FeaturePlan;
use crate::lineage::Lineage;
use crate::on_demand_view_plan::ViewReference;
use crate::source_plan::{RequestSourcePlan, SourcePlan};
use crate::step_plan::ViewId;

impl FeaturePlan {
    /// Resolves a definition. The mistakes are all there are: those of its
    /// documents and those that show only when everything is seen together.
    pub fn new(definition: &Definition) -> Result<Self, Mistakes> {
        let mut resolver = Resolver::new(definition);
        resolver.check_entities();
        let (sources, request_sources) = resolver.sources();
        let views = resolver.feature_views();
        let on_demand_views = resolver.on_demand_views();
        let services = resolver.services();
        let mut plan = Self {
            sources,
            request_sources,
            views,
            on_demand_views,
            services,
            lineage: Lineage::default(),
        };
        let mut mistakes = resolver.mistakes.into_inner();
        // Only a plan without mistakes has a lineage to compare with.
        if mistakes.is_empty() {
            plan.lineage = Lineage::of(&plan);
            mistakes.extend(depends_on::check(definition, &plan));
        }
        mistakes.or(plan)
    }
}

struct Resolver<'a> {
    definition: &'a Definition,
    mistakes: RefCell<Mistakes>,
    sources: BTreeMap<String, Arc<SourcePlan>>,
    request_sources: BTreeMap<String, Arc<RequestSourcePlan>>,
    /// Every view that was defined; `None` where it has mistakes.
    views: BTreeMap<ViewId, Option<ViewReference>>,
}

/// What a reference comes to.
enum Found<T> {
    Known(T),
    /// It has a mistake of its own, which has been noted.
    Broken,
    /// Why there is none, and what to do.
    Missing(String, String),
}

impl<'a> Resolver<'a> {
    fn new(definition: &'a Definition) -> Self {
        Self {
            definition,
            mistakes: RefCell::new(definition.mistakes().clone()),
            sources: BTreeMap::new(),
            request_sources: BTreeMap::new(),
            views: BTreeMap::new(),
        }
    }

    fn mistake(
        &self,
        place: &Place,
        subject: &str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.mistakes.borrow_mut().push(Mistake {
            place: place.clone(),
            subject: subject.to_owned(),
            what: what.into(),
            fix: fix.into(),
        });
    }

    /// How many mistakes there are so far.
    fn count(&self) -> usize {
        self.mistakes.borrow().len()
    }

    /// The view of a name, of the version or the greatest.
    fn view_id(&self, name: &str, version: Option<u32>) -> Found<ViewId> {
        let mut ids = self.views.keys().filter(|id| id.name == *name);
        let found = match version {
            Some(version) => ids.find(|id| id.version == version),
            None => ids.max_by_key(|id| id.version),
        };
        if let Some(id) = found {
            return Found::Known(id.clone());
        }
        if self.definition.unread().has(Section::View, name) {
            return Found::Broken;
        }
        let versions: Vec<String> = self
            .views
            .keys()
            .filter(|id| id.name == *name)
            .map(|id| format!("v{}", id.version))
            .collect();
        match (versions.is_empty(), version) {
            (false, Some(version)) => Found::Missing(
                format!("the view {name} has no version {version}"),
                format!("it has {}", versions.join(", ")),
            ),
            _ => {
                let mut names: Vec<&str> = self.views.keys().map(|id| id.name.as_str()).collect();
                names.dedup();
                Found::Missing(format!("there is no view {name:?}"), meant(name, names))
            }
        }
    }

    /// A feature of a view that has been resolved.
    fn feature(&self, reference: &FeatureReference) -> Found<(ViewReference, usize)> {
        let FeatureReference { view, feature, version } = reference;
        let id = match self.view_id(view.as_str(), *version) {
            Found::Known(id) => id,
            Found::Broken => return Found::Broken,
            Found::Missing(what, fix) => return Found::Missing(what, fix),
        };
        let Some(Some(view)) = self.views.get(&id) else {
            return match self.may_serve(&id, feature) {
                true => Found::Broken,
                false => Found::Missing(
                    format!("the view {id} has no feature {:?}", feature.as_str()),
                    "name one of its features".to_owned(),
                ),
            };
        };
        match view.features().iter().position(|field| field.name == *feature) {
            Some(at) => Found::Known((view.clone(), at)),
            None => {
                let names = view.features().iter().map(|field| field.name.as_str());
                let fix = meant(feature.as_str(), names);
                Found::Missing(
                    format!("the view {id} has no feature {feature:?}", feature = feature.as_str()),
                    fix,
                )
            }
        }
    }

    /// Whether a view with mistakes has a feature of that name, as far as one
    /// can see.
    fn may_serve(&self, id: &ViewId, feature: &Name) -> bool {
        let unread = self.definition.unread();
        let view = id.name.as_str();
        if unread.has_any_part(Section::View, view)
            || unread.has_part(Section::View, view, feature.as_str())
        {
            return true;
        }
        let made = |steps: &[Step]| {
            steps.iter().any(|step| match step {
                Step::Sql(step) => step.outputs.iter().any(|(name, _)| name == feature),
                // Its outputs may not be known.
                Step::Module(_) => true,
            })
        };
        let named = |features: &[Feature]| features.iter().any(|f| f.name == *feature);
        let sections = &self.definition.sections;
        let views = sections.feature_views.iter();
        let mut views = views.filter(|v| v.name == id.name && v.version == id.version);
        if let Some(view) = views.next() {
            return match &view.features {
                Some(features) => named(features),
                None => {
                    view.aggregates.iter().any(|aggregate| aggregate.name == *feature)
                        || made(&view.transforms)
                        || made(&view.post_transforms)
                }
            };
        }
        let views = sections.on_demand_feature_views.iter();
        let mut views = views.filter(|v| v.name == id.name && v.version == id.version);
        views.next().is_none_or(|view| match &view.features {
            Some(features) => named(features),
            None => made(&view.transforms),
        })
    }
}
