use std::collections::BTreeSet;
use std::sync::Arc;

use unskew_definition::{FeatureReference, FeatureService, ServiceReference};

use crate::on_demand_view_plan::{ServiceFeature, ServicePlan};
use crate::resolve::{Found, Resolver};

impl Resolver<'_> {
    pub(super) fn services(&self) -> Vec<Arc<ServicePlan>> {
        let services = self.definition.sections.feature_services.iter();
        let mut services: Vec<_> =
            services.map(|service| Arc::new(self.service(service))).collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        services
    }

    fn service(&self, service: &FeatureService) -> ServicePlan {
        let subject = format!("feature service {}", service.name);
        let mut features: Vec<ServiceFeature> = Vec::new();
        // A view and one of its features may both be named; it is served once.
        let mut seen = BTreeSet::new();
        for reference in &service.features {
            let missing = |what: String, fix: String| {
                self.mistake(&reference.place, &subject, format!("{reference}: {what}"), fix);
            };
            let ServiceReference { view, feature, version } = &reference.value;
            let found = match feature {
                Some(feature) => {
                    let (view, feature, version) = (view.clone(), feature.clone(), *version);
                    match self.feature(&FeatureReference { view, feature, version }) {
                        Found::Known((view, at)) => vec![(view, at)],
                        Found::Broken => Vec::new(),
                        Found::Missing(what, fix) => {
                            missing(what, fix);
                            Vec::new()
                        }
                    }
                }
                None => match self.view_id(view.as_str(), *version) {
                    Found::Known(id) => {
                        let view = self.views.get(&id).cloned().flatten();
                        let all = |view: crate::ViewReference| {
                            (0..view.features().len()).map(|at| (view.clone(), at)).collect()
                        };
                        view.map(all).unwrap_or_default()
                    }
                    Found::Broken => Vec::new(),
                    Found::Missing(what, fix) => {
                        missing(what, fix);
                        Vec::new()
                    }
                },
            };
            for (view, feature) in found {
                if seen.insert((view.id().clone(), feature)) {
                    features.push(ServiceFeature { view, feature });
                }
            }
        }
        ServicePlan { name: service.name.clone(), features, about: service.about.clone() }
    }
}
