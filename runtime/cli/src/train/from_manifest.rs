//! Training sets built again from what stands beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use unskew_batch::{
    Recipe, RecipeOptions, TrainingJob, TrainingManifest, definitions_digest, features_of,
    look_at_inputs, modules_of,
};
use unskew_executor::Evaluator;
use unskew_host::Limits;
use unskew_plan::ServicePlan;

use crate::context::Context;
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::run::explained;

/// What a training set of this service would be built of now.
pub(crate) fn recipe(
    path: &Path,
    project: &FeatureProject,
    service: &ServicePlan,
    job: &TrainingJob,
    context: &Context,
) -> anyhow::Result<(Recipe, Evaluator)> {
    let mut modules = BTreeMap::new();
    for name in modules_of(service) {
        let module = project.module(&name, context)?;
        modules.insert(name, module.digest());
    }
    let recipe = Recipe {
        project: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        service: service.name.to_string(),
        features: features_of(service),
        definitions: definitions_digest(&project.plan, service.name.as_str()),
        modules,
        options: RecipeOptions::of(job),
    };
    // The limits of every sandbox of this program.
    Ok((recipe, Evaluator::new(&Limits::default())))
}

/// Refuses to build a training set again that would not be the same, and names
/// what differs.
pub(crate) fn check(
    path: &Path,
    manifest: &TrainingManifest,
    job: &TrainingJob,
    sources: &BTreeMap<unskew_definition::Name, Vec<PathBuf>>,
    context: &Context,
) -> anyhow::Result<()> {
    let Some((recipe, evaluator)) = &job.recipe else { return Ok(()) };
    let cancelled = || context.interrupt.raised();
    let (labels, sources) = look_at_inputs(&job.labels, sources, &cancelled).map_err(explained)?;
    let now = TrainingManifest {
        evaluator_id: evaluator.id(),
        evaluator: evaluator.clone(),
        recipe: recipe.clone(),
        labels,
        sources,
        ..manifest.clone()
    };
    let differences = manifest.differences(&now);
    if differences.is_empty() {
        return Ok(());
    }
    Err(UserError::new(format!(
        "the same training set cannot be built again: {}",
        differences.join("; ")
    ))
    .at(path.display().to_string())
    .help("bring back what changed, or build a new training set without --from-manifest")
    .into())
}

/// The files that a manifest names, where they are now.
pub(crate) fn recorded_sources(
    manifest: &TrainingManifest,
) -> BTreeMap<unskew_definition::Name, Vec<PathBuf>> {
    let paths =
        |files: &Vec<unskew_batch::InputFile>| files.iter().map(|file| file.path.clone()).collect();
    manifest.sources.iter().map(|(name, files)| (name.clone(), paths(files))).collect()
}
