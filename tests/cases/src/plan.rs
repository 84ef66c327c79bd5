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
            let mut features: Vec<ServiceFeature> =
                names.iter().map(|name| find(plan, name)).collect::<anyhow::Result<_>>()?;
            if let Some(service) = &question.service {
                (names, features) = in_order_of(plan, service, &names, &features)?;
            }
            let is_alike = |group: &&mut (Vec<String>, Vec<ServiceFeature>, Vec<&Question>)| {
                group.0 == names && group.2[0].service == question.service
            };
            match groups.iter_mut().find(is_alike) {
                Some((_, _, questions)) => questions.push(question),
                None => groups.push((names, features, vec![question])),
            }
        }
        Ok(groups)
    }
}

/// What a service serves, in its own order, each with its name among `names`;
/// it must be exactly `features`.
fn in_order_of(
    plan: &FeaturePlan,
    service: &str,
    names: &[String],
    features: &[ServiceFeature],
) -> anyhow::Result<(Vec<String>, Vec<ServiceFeature>)> {
    let found = plan.services.iter().find(|known| known.name == *service);
    let served = found.context("no such service")?.features.clone();
    let name_of = |served: &ServiceFeature| {
        let same =
            |f: &ServiceFeature| f.view.id() == served.view.id() && f.feature == served.feature;
        features.iter().position(same).map(|at| names[at].clone())
    };
    let in_order: Option<Vec<String>> = served.iter().map(name_of).collect();
    match in_order {
        Some(in_order) if in_order.len() == names.len() => Ok((in_order, served)),
        _ => bail!("service {service} does not serve exactly {names:?}"),
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
