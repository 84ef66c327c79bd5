use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget};
use serde::Serialize;
use unskew_batch::{
    FeatureSummary, ParquetCompression, SourceSummary, TrainingJob, TrainingSummary, source_files,
};
use unskew_definition::Name;
use unskew_executor::{
    AggregateKernel, EvaluationError, ModuleAggregate, ModuleCatalog, ModuleTransform,
    TransformKernel,
};
use unskew_plan::{ServicePlan, SourcePlan};

use crate::context::Context;
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::run::{explained, pair};
use crate::terminal::{self, FAINT, GOOD, WARNING, harmless, paint, thousands};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew train --project shop --labels labels.parquet --service fraud --output train.parquet
  unskew train --labels labels.csv --service fraud --output train.parquet --label-time purchased_at
  unskew train --labels labels.csv --service fraud --output train.jsonl --column user_id=customer --statuses
  unskew train --labels labels.csv --service fraud --output train.parquet --source orders=backfill/*.parquet

The output has the labels' columns, then the service's features. It appears when it is whole: after an
error or Ctrl-C there is none. A label is answered by what was known at its time, and by nothing else:
rows with event_timestamp and, where the source has one, created_timestamp at or before it.";

/// Build a training set: for each label, what the service would have answered
///
/// Reads the label file and the event files of the sources that the service
/// needs, evaluates every feature as of each label's time, and writes labels
/// and features together. All of it is held in memory.
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

    /// The column of the labels that holds their times; without an offset UTC
    #[arg(
        long,
        value_name = "COLUMN",
        default_value = "event_timestamp",
        help_heading = "Columns"
    )]
    label_time: String,
    /// Take join key or request field NAME from COLUMN of the labels; without
    /// it, from that of its name
    #[arg(short, long, value_name = "NAME=COLUMN", value_parser = pair, help_heading = "Columns")]
    column: Vec<(String, String)>,
    /// Write the status of each feature beside it, as FEATURE__status
    #[arg(long, help_heading = "Columns")]
    statuses: bool,
    /// Name the features' columns VIEW__FEATURE
    #[arg(long, help_heading = "Columns")]
    full_feature_names: bool,

    /// Read source NAME from PATH (a file, folder or glob), not from what its
    /// definition says; may be given several times
    #[arg(long, value_name = "NAME=PATH", value_parser = pair, help_heading = "Files")]
    source: Vec<(String, String)>,
    /// How a Parquet output is compressed: none, snappy or zstd [default: zstd]
    #[arg(long, value_name = "CODEC", help_heading = "Files")]
    compression: Option<ParquetCompression>,
}

pub(crate) fn run(arguments: &TrainArguments, context: &Context) -> anyhow::Result<()> {
    let project = FeatureProject::open(&arguments.project, context)?;
    let service = service(&project, &arguments.service)?;
    let names: Vec<&str> = project.plan.sources.iter().map(|s| s.name.as_str()).collect();
    if let Some((unknown, _)) = arguments.source.iter().find(|(name, _)| !names.contains(&&**name))
    {
        let help = unskew_definition::meant(unknown, names.iter().copied());
        return Err(UserError::new(format!("the project has no source {unknown}"))
            .help(help)
            .into());
    }
    let job = TrainingJob {
        labels: arguments.labels.clone(),
        output: arguments.output.clone(),
        label_time: arguments.label_time.clone(),
        columns: arguments.column.clone(),
        statuses: arguments.statuses,
        full_feature_names: arguments.full_feature_names,
        compression: arguments.compression.unwrap_or_default(),
    };
    let files = |source: &SourcePlan| {
        let given = arguments.source.iter().filter(|(name, _)| source.name == **name);
        let given: Vec<String> = given.map(|(_, path)| path.clone()).collect();
        match given.is_empty() {
            true => source_files(source, &project.dir, &source.files),
            false => source_files(source, std::path::Path::new(""), &given),
        }
    };
    let modules = ProjectModules { project: &project, context };

    unskew_batch::report_file_size_limit();
    let bar = ProgressBar::with_draw_target(
        None,
        match context.progress_wanted() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        },
    );
    let _cleans_up = context.interrupt.defer();
    let begun = Instant::now();
    let done = unskew_batch::train(
        &job,
        &service.features,
        &files,
        &modules,
        &mut |source, rows| {
            bar.set_message(format!("{source}: {} rows read", HumanCount(rows)));
            bar.tick();
        },
        &|| context.interrupt.raised(),
    );
    bar.finish_and_clear();
    report(&done.map_err(explained)?, begun.elapsed(), context)
}

fn service(project: &FeatureProject, name: &str) -> anyhow::Result<Arc<ServicePlan>> {
    let services = &project.plan.services;
    if let Some(service) = services.iter().find(|service| service.name == *name) {
        return Ok(Arc::clone(service));
    }
    let names = services.iter().map(|service| service.name.as_str());
    let help = match services.is_empty() {
        true => {
            "define one: feature_services: [{name: ..., features: [\"view\", \"view:feature\"]}]"
                .to_owned()
        }
        false => unskew_definition::meant(name, names),
    };
    Err(UserError::new(format!("the project has no feature service {name}")).help(help).into())
}

/// The modules of a project as what computes its plan.
pub(crate) struct ProjectModules<'a> {
    pub(crate) project: &'a FeatureProject,
    pub(crate) context: &'a Context,
}

impl ProjectModules<'_> {
    fn module(&self, name: &Name) -> Result<unskew_host::CompiledModule, EvaluationError> {
        self.project.module(name, self.context).map_err(|error| EvaluationError::Module {
            module: name.to_string(),
            reason: format!("{error:#}"),
        })
    }
}

impl ModuleCatalog for ProjectModules<'_> {
    fn transform(
        &self,
        module: &Name,
        transform: &Name,
    ) -> Result<Arc<dyn TransformKernel>, EvaluationError> {
        Ok(Arc::new(ModuleTransform::find(&self.module(module)?, transform.as_str())?))
    }

    fn aggregate(
        &self,
        module: &Name,
        aggregate: &Name,
    ) -> Result<Arc<dyn AggregateKernel>, EvaluationError> {
        Ok(Arc::new(ModuleAggregate::find(&self.module(module)?, aggregate.as_str())?))
    }
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
    } = summary;
    let mut text = format!(
        "{} {} labels with {} features in {} {}\n",
        paint(GOOD, "written"),
        thousands(*labels),
        features.len(),
        output.display(),
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
    for warning in warnings {
        let _ = writeln!(text, "  {}: {}", paint(WARNING, "warning"), harmless(warning));
    }
    Ok(terminal::print(&text)?)
}
