//! Training sets: labels in, what a service would have answered at each
//! label's time out.

mod attempt;
mod feature_names;
mod label_columns;
mod label_order;
mod labels;
mod manifest;
mod point_in_time;
mod questions;
mod recipe;
mod tally;
mod training_set;
mod view_group;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use unskew_definition::Name;
use unskew_executor::service::ServiceOperator;
use unskew_executor::{Evaluator, FeatureStatus, ModuleCatalog};
use unskew_plan::{ServiceFeature, SourcePlan};

use crate::error::BatchError;
use crate::job::ParquetCompression;
use crate::resources::Resources;
use crate::source_files::source_notes;
use crate::train::attempt::Attempt;
use crate::train::manifest::TRAINING_MANIFEST_FORM;

pub use crate::train::manifest::{InputFile, Recipe, RecipeOptions, TrainingManifest};
pub use crate::train::recipe::{definitions_digest, features_of, modules_of};

/// What a training set is made of.
#[derive(Clone, Debug)]
pub struct TrainingJob {
    /// The file of labels: entities, times, and whatever else it has, which is
    /// kept.
    pub labels: PathBuf,
    /// The file that is written; none to see what it takes.
    pub output: Option<PathBuf>,
    /// The column of the labels that holds their times.
    pub label_time: String,
    /// Columns of join keys and request fields, where they have other names:
    /// (join key or field, column).
    pub columns: Vec<(String, String)>,
    /// Whether a status column stands beside each feature.
    pub statuses: bool,
    /// Whether features are named `view__feature`.
    pub full_feature_names: bool,
    /// How a Parquet output is compressed.
    pub compression: ParquetCompression,
    /// What it may use of the machine.
    pub resources: Resources,
    /// What it is built of, with the evaluator: then a manifest is written
    /// beside the output.
    pub recipe: Option<(Recipe, Evaluator)>,
}

/// What became of a training set.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingSummary {
    /// The file that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<PathBuf>,
    /// The manifest beside it.
    #[serde(skip)]
    pub manifest: Option<TrainingManifest>,
    /// Labels read and rows written.
    pub labels: u64,
    /// What was read of each source.
    pub sources: Vec<SourceSummary>,
    /// How many labels got which status, by feature.
    pub features: Vec<FeatureSummary>,
    /// Rows that views left out: how many, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// How many labels are at the very time of an event of their entity, whose
    /// source does not say when it was known.
    pub labels_at_event_time: u64,
    /// What is worth a second look.
    pub warnings: Vec<String>,
    /// What it took.
    pub counters: TrainingCounters,
    /// The plan that was run, with what its operators counted.
    #[serde(skip)]
    pub plan: String,
}

/// What was read of a source.
#[derive(Clone, Debug, Serialize)]
pub struct SourceSummary {
    /// Its name.
    pub source: Name,
    /// Files read.
    pub files: usize,
    /// Rows that count, and that some label's time lets matter.
    pub rows: u64,
    /// Rows that do not count: how many, by reason.
    pub dead_letters: BTreeMap<String, u64>,
    /// The first of them, in words.
    pub first_dead_letter: Option<String>,
}

/// How the answers of a feature turned out.
#[derive(Clone, Debug, Serialize)]
pub struct FeatureSummary {
    /// Its column.
    pub column: String,
    /// How many labels have which status.
    pub statuses: BTreeMap<FeatureStatus, u64>,
    /// The first error, in words.
    pub first_error: Option<String>,
}

/// What a training set took. None of it depends on the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrainingCounters {
    /// Row groups of Parquet files that were read, and that were not, since
    /// their event times lie outside of what labels can see.
    pub row_groups_read: u64,
    /// See above.
    pub row_groups_pruned: u64,
    /// Columns of a Parquet file that were read, of each scan, and that nothing
    /// needs.
    pub columns_read: u64,
    /// See above.
    pub columns_pruned: u64,
    /// Rows of sources read, and those of them that no label can see.
    pub rows_read: u64,
    /// See above.
    pub rows_outside_time: u64,
    /// Parts of the entities that were sorted, and those that came in order.
    pub sorts: u64,
    /// See above.
    pub sorts_skipped: u64,
    /// Bytes that did not fit the memory limit and went through temporary
    /// files.
    pub bytes_spilled: u64,
    /// How often they did.
    pub spills: u64,
    /// Calls into modules.
    pub wasm_calls: u64,
    /// Rows handed to modules.
    pub wasm_rows: u64,
}

/// How far a training set is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrainingProgress {
    /// Rows of sources read.
    pub rows_read: u64,
    /// Rows to read, as far as files say.
    pub rows_known: u64,
    /// Answers that views gave, and all that they will give.
    pub labels_answered: u64,
    /// See above.
    pub labels_asked: u64,
    /// Labels written, with their features.
    pub labels_written: u64,
    /// All labels.
    pub labels: u64,
}

/// Builds a training set: answers each label as of its time, and writes labels
/// and features together, in the labels' order. What does not fit the memory
/// limit goes through temporary files. The output appears when it is whole, or
/// not at all.
pub fn train(
    job: &TrainingJob,
    features: &[ServiceFeature],
    files: &dyn Fn(&SourcePlan) -> Result<Vec<PathBuf>, BatchError>,
    modules: &dyn ModuleCatalog,
    progress: &mut dyn FnMut(TrainingProgress),
    cancelled: &dyn Fn() -> bool,
) -> Result<TrainingSummary, BatchError> {
    job.resources.check()?;
    let service = ServiceOperator::new(features, modules).map_err(BatchError::training)?;
    let service = Arc::new(service);
    let mut inputs = BTreeMap::new();
    let mut notes = Vec::new();
    for source in service.sources() {
        let files = files(&source)?;
        notes.extend(source_notes(&source, &files, cancelled)?);
        inputs.insert(source.name.clone(), files);
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looked_at = job.recipe.is_some().then(|| {
            let (stop, inputs) = (&stop, &inputs);
            scope.spawn(|| {
                let stop = || stop.load(Ordering::Relaxed);
                look_at_inputs(&job.labels, inputs, &stop)
            })
        });
        let mut whole_rows = BTreeSet::new();
        let done = loop {
            let attempt = Attempt {
                job,
                service: &service,
                inputs: &inputs,
                modules,
                whole_rows: &whole_rows,
            };
            match attempt.run(progress, cancelled) {
                // Seldom; and each source comes to this once.
                Err(BatchError::UnreadColumns { source_name })
                    if whole_rows.insert(source_name.clone()) => {}
                done => break done,
            }
        };
        if done.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        let looked_at = looked_at.map(|thread| {
            thread.join().unwrap_or_else(|_| {
                Err(BatchError::Plan { reason: "its files could not be looked at".to_owned() })
            })
        });
        let mut summary = done?;
        summary.warnings.extend(notes);
        if let (Some(looked_at), Some((recipe, evaluator)), Some(output)) =
            (looked_at, &job.recipe, &job.output)
        {
            let (labels, sources) = looked_at?;
            let manifest = TrainingManifest {
                training_manifest: TRAINING_MANIFEST_FORM,
                evaluator_id: evaluator.id(),
                evaluator: evaluator.clone(),
                recipe: recipe.clone(),
                labels,
                sources,
                output: InputFile::of(output, cancelled)?,
                rows: summary.labels,
            };
            manifest.write(output)?;
            summary.manifest = Some(manifest);
        }
        Ok(summary)
    })
}

/// What tells whether the files of a training set are the same another time.
pub fn look_at_inputs(
    labels: &Path,
    sources: &BTreeMap<Name, Vec<PathBuf>>,
    cancelled: &dyn Fn() -> bool,
) -> Result<(InputFile, BTreeMap<Name, Vec<InputFile>>), BatchError> {
    let labels = InputFile::of(labels, cancelled)?;
    let of = |files: &Vec<PathBuf>| -> Result<Vec<InputFile>, BatchError> {
        files.iter().map(|file| InputFile::of(file, cancelled)).collect()
    };
    let sources = sources.iter().map(|(name, files)| Ok((name.clone(), of(files)?)));
    Ok((labels, sources.collect::<Result<_, BatchError>>()?))
}
