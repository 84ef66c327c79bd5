use std::collections::BTreeSet;

use serde_json::Value;
use unskew_definition::Name;
use unskew_plan::{
    AggregateFunctionPlan, FeaturePlan, OnDemandOrigin, ServicePlan, StepPlan, ViewReference,
};

use crate::train::TrainingJob;
use crate::train::manifest::RecipeOptions;

/// The modules that the features of a service call, directly or through other
/// views.
pub fn modules_of(service: &ServicePlan) -> BTreeSet<Name> {
    let mut modules = BTreeSet::new();
    let mut waiting: Vec<&ViewReference> =
        service.features.iter().map(|feature| &feature.view).collect();
    let add_steps = |steps: &[StepPlan], modules: &mut BTreeSet<Name>| {
        for step in steps {
            if let StepPlan::Module { module, .. } = step {
                modules.insert(module.clone());
            }
        }
    };
    while let Some(view) = waiting.pop() {
        match view {
            ViewReference::View(view) => {
                add_steps(&view.steps, &mut modules);
                add_steps(&view.post_steps, &mut modules);
                modules.extend(view.functions.iter().map(|function| function.module.clone()));
                modules.extend(view.aggregates.iter().filter_map(|a| match &a.function {
                    AggregateFunctionPlan::Module { module, .. } => Some(module.clone()),
                    AggregateFunctionPlan::BuiltIn(_) => None,
                }));
            }
            ViewReference::OnDemand(view) => {
                add_steps(&view.steps, &mut modules);
                modules.extend(view.functions.iter().map(|function| function.module.clone()));
                waiting.extend(view.inputs.iter().filter_map(|input| match &input.from {
                    OnDemandOrigin::Feature { view, .. } => Some(view),
                    _ => None,
                }));
            }
        }
    }
    modules
}

/// The features of a service, in their order.
pub fn features_of(service: &ServicePlan) -> Vec<String> {
    let name = |feature: &unskew_plan::ServiceFeature| {
        format!("{}:{}", feature.view.id(), feature.field().name)
    };
    service.features.iter().map(name).collect()
}

/// A digest of all definitions that a service reads: of the plan that they come
/// to, without the places of files.
pub fn definitions_digest(plan: &FeaturePlan, service: &str) -> String {
    let mut part = plan.only(service).unwrap_or_default().to_json();
    if let Some(sources) = part.get_mut("sources").and_then(Value::as_array_mut) {
        for source in sources {
            if let Some(source) = source.as_object_mut() {
                source.remove("files");
            }
        }
    }
    format!("blake3:{}", blake3::hash(part.to_string().as_bytes()).to_hex())
}

impl RecipeOptions {
    /// Those of a job.
    pub fn of(job: &TrainingJob) -> Self {
        let TrainingJob {
            labels: _,
            output,
            label_time,
            columns,
            statuses,
            full_feature_names,
            compression,
            resources: _,
            recipe: _,
        } = job;
        let name = output.as_ref().and_then(|path| path.file_name());
        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            label_time: label_time.clone(),
            columns: columns.clone(),
            statuses: *statuses,
            full_feature_names: *full_feature_names,
            compression: compression.to_string(),
            format: name.split_once('.').map_or_else(String::new, |(_, ending)| ending.to_owned()),
        }
    }
}
