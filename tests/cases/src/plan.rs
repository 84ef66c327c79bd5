use std::path::Path;

use anyhow::{Context as _, bail};
use unskew_definition::DefinitionReader;
use unskew_plan::{FeaturePlan, ServiceFeature, ViewReference};

use crate::case::{Case, Question};

impl Case {
    /// The definition's plan, or all its mistakes as one text.
    pub fn plan(&self, path: &Path) -> anyhow::Result<FeaturePlan> {
        let document = serde_json::to_vec(&self.definition)?;
        let mut reader = DefinitionReader::new();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("case.yaml");
        reader.read_document(name, &document);
        FeaturePlan::new(&reader.finish(None)).map_err(|mistakes| anyhow::anyhow!("{mistakes}"))
    }

    /// Questions that ask for the same features together, each with what they
    /// ask for, in one order.
    pub fn asked<'a>(
        &'a self,
        plan: &FeaturePlan,
    ) -> anyhow::Result<Vec<(Vec<String>, Vec<ServiceFeature>, Vec<&'a Question>)>> {
        let mut groups: Vec<(Vec<String>, Vec<ServiceFeature>, Vec<&Question>)> = Vec::new();
        for question in &self.questions {
            let mut names: Vec<String> = question.expect.keys().cloned().collect();
            if names.is_empty() {
                // A run that is to be refused: everything is asked.
                let views = plan.views.iter().map(|view| ViewReference::View(view.clone()));
                let on_demand = plan.on_demand_views.iter();
                let views = views.chain(on_demand.map(|v| ViewReference::OnDemand(v.clone())));
                for view in views {
                    let id = view.id().clone();
                    let full = |f: &unskew_plan::FeatureField| {
                        format!("{}:{}@v{}", id.name, f.name, id.version)
                    };
                    names.extend(view.features().iter().map(full));
                }
            }
            if let Some(group) = groups
                .iter_mut()
                .find(|(known, _, asked)| *known == names && asked[0].service == question.service)
            {
                group.2.push(question);
                continue;
            }
            let features: Vec<ServiceFeature> =
                names.iter().map(|name| find(plan, name)).collect::<anyhow::Result<_>>()?;
            let Some(service) = &question.service else {
                groups.push((names, features, vec![question]));
                continue;
            };
            let service = plan.services.iter().find(|s| s.name == **service);
            let served = service.context("no such service")?.features.clone();
            // In the service's order, which is not that of `expect`.
            let name_of = |served: &ServiceFeature| {
                let same = |f: &ServiceFeature| {
                    f.view.id() == served.view.id() && f.feature == served.feature
                };
                features.iter().position(same).map(|at| names[at].clone())
            };
            let in_order: Option<Vec<String>> = served.iter().map(name_of).collect();
            match in_order {
                Some(in_order) if in_order.len() == names.len() => {
                    groups.push((in_order, served, vec![question]));
                }
                _ => bail!(
                    "service {} does not serve exactly {names:?}",
                    question.service.as_deref().unwrap_or("")
                ),
            }
        }
        Ok(groups)
    }
}

/// `view:feature` or `view:feature@vN`; without a version the greatest.
fn find(plan: &FeaturePlan, text: &str) -> anyhow::Result<ServiceFeature> {
    let (name, version) = match text.split_once("@v") {
        Some((name, version)) => (name, Some(version.parse::<u32>()?)),
        None => (text, None),
    };
    let (view_name, feature_name) = name.split_once(':').context("no view:feature")?;
    let views = plan.views.iter().map(|view| ViewReference::View(view.clone()));
    let views =
        views.chain(plan.on_demand_views.iter().map(|v| ViewReference::OnDemand(v.clone())));
    let view = views
        .filter(|view| view.id().name == *view_name)
        .filter(|view| version.is_none_or(|version| view.id().version == version))
        .max_by_key(|view| view.id().version)
        .with_context(|| format!("no view {view_name}"))?;
    let feature = view.features().iter().position(|feature| feature.name == *feature_name);
    Ok(ServiceFeature { feature: feature.with_context(|| format!("no feature {text}"))?, view })
}
