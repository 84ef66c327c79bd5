mod execution;
mod from_manifest;
mod offline;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use unskew_batch::{
    FeatureSummary, ParquetCompression, Recipe, RecipeOptions, SourceSummary, TrainingJob,
    TrainingManifest, TrainingSummary,
};
use unskew_plan::SourcePlan;

use crate::context::Context;
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::run::explained;
use crate::terminal::{self, FAINT, GOOD, WARNING, harmless, paint, thousands};

pub(crate) use execution::{
    InputOptions, ProjectModules, ResourceOptions, execute, service, sources_of,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew train --project shop --labels labels.parquet --service fraud --output train.parquet
  unskew train --labels labels.csv --service fraud --output train.parquet --label-time purchased_at
  unskew train --labels labels.csv --service fraud --output train.jsonl --column user_id=customer --statuses
  unskew train --labels labels.csv --service fraud --output train.parquet --source orders=backfill/*.parquet
  unskew train --from-manifest train.parquet.manifest.json --output again.parquet
  unskew train --labels labels.csv --service fraud --output train.parquet --memory-limit 256MiB --threads 4

The output has the labels' columns, then the service's features. It appears when it is whole: after an
error or Ctrl-C there is none. A label is answered by what was known at its time, and by nothing else:
rows with event_timestamp and, where the source has one, created_timestamp at or before it.";

/// Build a training set: for each label, what the service would have answered
///
/// Reads the label file and the event files of the sources that the service
/// needs, evaluates every feature as of each label's time, and writes labels
/// and features together, in the labels' order. Files larger than the memory
/// limit go through temporary files.
#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    /// The project: a folder with unskew.toml, with a module, or with YAML
    /// files; or one such file [default: the current folder]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// The file of labels: join keys, a time, and whatever else it has
    #[arg(short, long, value_name = "F", required_unless_present = "from_manifest")]
    labels: Option<PathBuf>,
    /// The feature service
    #[arg(short, long, value_name = "S", required_unless_present = "from_manifest")]
    service: Option<String>,
    /// The file that is written; beside it F.manifest.json, which says what it
    /// was made of
    #[arg(short, long, value_name = "F")]
    output: PathBuf,
    /// Build the same training set again: from the same files, modules and
    /// definitions, the same bytes. What changed is named, and nothing written
    #[arg(
        long,
        value_name = "F",
        conflicts_with_all = ["service", "label_time", "column", "statuses", "full_feature_names", "compression"]
    )]
    from_manifest: Option<PathBuf>,

    #[command(flatten)]
    inputs: InputOptions,
    /// Write the status of each feature beside it, as FEATURE__status
    #[arg(long, help_heading = "Columns")]
    statuses: bool,
    /// Name the features' columns VIEW__FEATURE
    #[arg(long, help_heading = "Columns")]
    full_feature_names: bool,

    /// How a Parquet output is compressed: none, snappy or zstd [default: zstd]
    #[arg(long, value_name = "CODEC", help_heading = "Files")]
    compression: Option<ParquetCompression>,
    /// Take the rows that `unskew materialize` left in the offline store, not the
    /// files of sources
    #[arg(long, conflicts_with_all = ["from_manifest", "source"], help_heading = "Files")]
    from_offline: bool,
    #[command(flatten)]
    resources: ResourceOptions,
}

pub(crate) fn run(arguments: &TrainArguments, context: &Context) -> anyhow::Result<()> {
    match &arguments.from_manifest {
        Some(path) => again(arguments, path, context),
        None => anew(arguments, context),
    }
}

fn anew(arguments: &TrainArguments, context: &Context) -> anyhow::Result<()> {
    let TrainArguments {
        project,
        labels,
        service: name,
        output,
        from_manifest: _,
        inputs: InputOptions { label_time, column, source },
        statuses,
        full_feature_names,
        compression,
        from_offline,
        resources,
    } = arguments;
    let (Some(labels), Some(name)) = (labels, name) else {
        unreachable!("they are required without a manifest")
    };
    let path = project.clone().unwrap_or_else(|| PathBuf::from("."));
    let project = FeatureProject::open(&path, context)?;
    let service = service(&project, name)?;
    let mut job = TrainingJob {
        labels: labels.clone(),
        output: Some(output.clone()),
        label_time: label_time.clone(),
        columns: column.clone(),
        statuses: *statuses,
        full_feature_names: *full_feature_names,
        compression: compression.unwrap_or_default(),
        resources: resources.resources(Some(&project.config.batch)),
        offline: None,
        recipe: None,
    };
    let begun = Instant::now();
    let _runtime = match from_offline {
        true => {
            let (runtime, offline) = offline::offline_rows(&project)?;
            job.offline = Some(offline);
            Some(runtime)
        }
        false => None,
    };
    // Of rows in a store no manifest can say which they were.
    if !from_offline {
        job.recipe = Some(from_manifest::recipe(&path, &project, &service, &job, context)?);
    }
    let files = sources_of(&project, source)?;
    let summary = execute(&job, &service, &files, &project, context)?;
    report(&summary, begun.elapsed(), context)
}

/// Builds what a manifest says once more.
fn again(arguments: &TrainArguments, path: &Path, context: &Context) -> anyhow::Result<()> {
    let manifest = TrainingManifest::read(path).map_err(explained)?;
    let Recipe { project, service: name, options, .. } = &manifest.recipe;
    let RecipeOptions { label_time, columns, statuses, full_feature_names, compression, format: _ } =
        options;
    let project_path = arguments.project.as_ref().unwrap_or(project);
    let project = FeatureProject::open(project_path, context)?;
    let service = service(&project, name)?;
    let mut job = TrainingJob {
        labels: arguments.labels.clone().unwrap_or_else(|| manifest.labels.path.clone()),
        output: Some(arguments.output.clone()),
        label_time: label_time.clone(),
        columns: columns.clone(),
        statuses: *statuses,
        full_feature_names: *full_feature_names,
        compression: compression.parse().map_err(|error| {
            UserError::new(format!("compression: {error}")).at(path.display().to_string())
        })?,
        resources: arguments.resources.resources(Some(&project.config.batch)),
        offline: None,
        recipe: None,
    };
    let now = from_manifest::recipe(project_path, &project, &service, &job, context)?;
    if now.0.options.format != options.format {
        let help = format!("give an output that ends in .{}", options.format);
        return Err(UserError::new("the output has another format than before")
            .at(arguments.output.display().to_string())
            .help(help)
            .into());
    }
    job.recipe = Some(now);
    let given = sources_of(&project, &arguments.inputs.source)?;
    let mut sources = from_manifest::recorded_sources(&manifest);
    for source in &project.plan.sources {
        if arguments.inputs.source.iter().any(|(name, _)| source.name == **name) {
            sources.insert(source.name.clone(), given(source).map_err(explained)?);
        }
    }
    from_manifest::check(path, &manifest, &job, &sources, context)?;
    let files = |source: &SourcePlan| match sources.get(&source.name) {
        Some(files) => Ok(files.clone()),
        None => given(source),
    };
    let begun = Instant::now();
    let summary = execute(&job, &service, &files, &project, context)?;
    let made = summary.manifest.as_ref().map(|manifest| &manifest.output);
    if let Some(difference) = made.and_then(|made| made.difference(&manifest.output)) {
        anyhow::bail!(
            "{} was made of the same files, modules and definitions, but is not the same: {difference}; please report it",
            arguments.output.display()
        );
    }
    report(&summary, begun.elapsed(), context)
}

fn report(summary: &TrainingSummary, elapsed: Duration, context: &Context) -> anyhow::Result<()> {
    if context.json {
        #[derive(Serialize)]
        struct Document<'a> {
            elapsed_seconds: f64,
            #[serde(flatten)]
            summary: &'a TrainingSummary,
        }
        return terminal::print_json(&Document { elapsed_seconds: elapsed.as_secs_f64(), summary });
    }
    let TrainingSummary {
        output,
        manifest: _,
        labels,
        sources,
        features,
        left_out,
        warnings,
        labels_at_event_time: _,
        counters,
        plan: _,
    } = summary;
    let mut text = format!(
        "{} {} labels with {} features in {} {}\n",
        paint(GOOD, "written"),
        thousands(*labels),
        features.len(),
        output.as_ref().map_or_else(|| "nothing".to_owned(), |path| path.display().to_string()),
        paint(FAINT, format!("({:.1} s)", elapsed.as_secs_f64())),
    );
    for SourceSummary { source, files, rows, dead_letters, first_dead_letter } in sources {
        let _ = writeln!(text, "  source {source}: {} rows of {files} files", thousands(*rows));
        for (reason, count) in dead_letters {
            let _ = writeln!(text, "    {} left out: {reason}", paint(WARNING, thousands(*count)));
        }
        if let Some(first) = first_dead_letter {
            let _ = writeln!(text, "    the first: {}", harmless(first));
        }
    }
    for (reason, count) in left_out {
        let _ = writeln!(text, "  {} rows left out: {reason}", paint(WARNING, thousands(*count)));
    }
    for FeatureSummary { column, statuses, first_error } in features {
        let counts: Vec<String> = statuses
            .iter()
            .map(|(status, count)| format!("{} {status}", thousands(*count)))
            .collect();
        let _ = writeln!(text, "  {column}: {}", counts.join(", "));
        if let Some(error) = first_error {
            let _ =
                writeln!(text, "    {}: {}", paint(WARNING, "the first error"), harmless(error));
        }
    }
    if counters.bytes_spilled > 0 {
        let bytes = indicatif::HumanBytes(counters.bytes_spilled);
        let _ = writeln!(text, "  {bytes} went through temporary files (--memory-limit)");
    }
    for warning in warnings {
        let _ = writeln!(text, "  {}: {}", paint(WARNING, "warning"), harmless(warning));
    }
    Ok(terminal::print(&text)?)
}
