use std::collections::BTreeSet;
use std::sync::Arc;

use crate::FeaturePlan;
use crate::lineage::{Lineage, LineageNode};
use crate::on_demand_view_plan::{OnDemandOrigin, OnDemandViewPlan, ViewReference};
use crate::step_plan::ViewId;

impl FeaturePlan {
    /// The part of the plan that one thing needs: a view of either kind (all
    /// its versions) or a service, with the views and sources that it reads.
    /// `None` if there is neither of that name.
    pub fn only(&self, name: &str) -> Option<Self> {
        let services: Vec<_> =
            self.services.iter().filter(|service| service.name == *name).cloned().collect();
        let mut wanted: BTreeSet<ViewId> = BTreeSet::new();
        let mut waiting: Vec<ViewReference> = Vec::new();
        for service in &services {
            waiting.extend(service.features.iter().map(|feature| feature.view.clone()));
        }
        let views = self.views.iter().filter(|view| view.id.name == *name);
        waiting.extend(views.map(|view| ViewReference::View(Arc::clone(view))));
        let on_demand = self.on_demand_views.iter().filter(|view| view.id.name == *name);
        waiting.extend(on_demand.map(|view| ViewReference::OnDemand(Arc::clone(view))));
        if waiting.is_empty() && services.is_empty() {
            return None;
        }
        while let Some(view) = waiting.pop() {
            if wanted.insert(view.id().clone())
                && let ViewReference::OnDemand(view) = &view
            {
                waiting.extend(read_by(view));
            }
        }
        let views: Vec<_> =
            self.views.iter().filter(|view| wanted.contains(&view.id)).cloned().collect();
        let on_demand_views: Vec<_> =
            self.on_demand_views.iter().filter(|view| wanted.contains(&view.id)).cloned().collect();
        let sources: BTreeSet<_> = views.iter().map(|view| &view.source.name).collect();
        let requests: BTreeSet<_> = on_demand_views
            .iter()
            .flat_map(|view| &view.inputs)
            .filter_map(|input| match &input.from {
                OnDemandOrigin::Request { source, .. } => Some(&source.name),
                _ => None,
            })
            .collect();
        let sources =
            self.sources.iter().filter(|source| sources.contains(&source.name)).cloned().collect();
        let request_sources = self.request_sources.iter();
        let request_sources =
            request_sources.filter(|source| requests.contains(&source.name)).cloned().collect();
        let mut part = Self {
            sources,
            request_sources,
            views,
            on_demand_views,
            services,
            lineage: Lineage::default(),
        };
        part.lineage = Lineage::of(&part);
        Some(part)
    }

    /// The nodes of the lineage that are features.
    pub fn feature_nodes(&self) -> Vec<LineageNode> {
        let views = self.views.iter().map(|view| ViewReference::View(Arc::clone(view)));
        let on_demand =
            self.on_demand_views.iter().map(|view| ViewReference::OnDemand(Arc::clone(view)));
        let node = |view: &ViewReference, feature: usize| LineageNode::Feature {
            view: view.id().clone(),
            feature: view.features()[feature].name.clone(),
        };
        views
            .chain(on_demand)
            .flat_map(|view| {
                (0..view.features().len()).map(|at| node(&view, at)).collect::<Vec<_>>()
            })
            .collect()
    }
}

fn read_by(view: &OnDemandViewPlan) -> impl Iterator<Item = ViewReference> + '_ {
    view.inputs.iter().filter_map(|input| match &input.from {
        OnDemandOrigin::Feature { view, .. } => Some(view.clone()),
        _ => None,
    })
}
