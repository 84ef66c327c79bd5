mod execution;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use unskew_batch::{
    FeatureSummary, ParquetCompression, SourceSummary, TrainingJob, TrainingSummary,
};

use crate::context::Context;
use crate::feature_project::FeatureProject;
use crate::terminal::{self, FAINT, GOOD, WARNING, harmless, paint, thousands};

pub(crate) use execution::{InputOptions, ResourceOptions, execute, service};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew train --project shop --labels labels.parquet --service fraud --output train.parquet
  unskew train --labels labels.csv --service fraud --output train.parquet --label-time purchased_at
  unskew train --labels labels.csv --service fraud --output train.jsonl --column user_id=customer --statuses
  unskew train --labels labels.csv --service fraud --output train.parquet --source orders=backfill/*.parquet
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
    /// files; or one such file
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// The file of labels: join keys, a time, and whatever else it has
    #[arg(short, long, value_name = "F")]
    labels: PathBuf,
    /// The feature service
    #[arg(short, long, value_name = "S")]
    service: String,
    /// The file that is written
    #[arg(short, long, value_name = "F")]
    output: PathBuf,

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
    #[command(flatten)]
    resources: ResourceOptions,
}

pub(crate) fn run(arguments: &TrainArguments, context: &Context) -> anyhow::Result<()> {
    let TrainArguments {
        project,
        labels,
        service: name,
        output,
        inputs: InputOptions { label_time, column, source },
        statuses,
        full_feature_names,
        compression,
        resources,
    } = arguments;
    let project = FeatureProject::open(project, context)?;
    let service = service(&project, name)?;
    let job = TrainingJob {
        labels: labels.clone(),
        output: Some(output.clone()),
        label_time: label_time.clone(),
        columns: column.clone(),
        statuses: *statuses,
        full_feature_names: *full_feature_names,
        compression: compression.unwrap_or_default(),
        resources: resources.resources(),
    };
    let begun = Instant::now();
    let summary = execute(&job, &service, source, &project, context)?;
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
