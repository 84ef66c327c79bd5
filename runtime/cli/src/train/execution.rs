//! What `train` and `explain --analyze` have in common: where labels and rows
//! come from, what the machine may give, and running the job.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use unskew_batch::{
    BatchError, Resources, TrainingJob, TrainingProgress, TrainingSummary, source_files,
};
use unskew_definition::Name;
use unskew_executor::{
    AggregateKernel, EvaluationError, ModuleAggregate, ModuleCatalog, ModuleTransform,
    TransformKernel,
};
use unskew_host::CallMetrics;
use unskew_plan::{ServicePlan, SourcePlan};

use crate::archived_files::archived_files;
use crate::config::{BatchSection, parse_size};
use crate::context::Context;
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::run::{explained, pair};
use crate::terminal;

/// Where labels and rows are found.
#[derive(Debug, Args)]
pub(crate) struct InputOptions {
    /// The column of the labels that holds their times; without an offset UTC
    #[arg(
        long,
        value_name = "COLUMN",
        default_value = "event_timestamp",
        help_heading = "Columns"
    )]
    pub(crate) label_time: String,
    /// Take join key or request field NAME from COLUMN of the labels; without
    /// it, from that of its name
    #[arg(short, long, value_name = "NAME=COLUMN", value_parser = pair, help_heading = "Columns")]
    pub(crate) column: Vec<(String, String)>,
    /// Read source NAME from PATH (a file, folder or glob), not from what its
    /// definition says; may be given several times
    #[arg(long, value_name = "NAME=PATH", value_parser = pair, help_heading = "Files")]
    pub(crate) source: Vec<(String, String)>,
}

/// What the machine may give.
#[derive(Debug, Args)]
pub(crate) struct ResourceOptions {
    /// Memory for rows, such as 256MiB; what does not fit goes through temporary
    /// files [default: batch.memory_limit of the configuration, 2GiB]
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = "Resources")]
    memory_limit: Option<u64>,
    /// Threads that work [default: batch.threads, one for each core]
    #[arg(long, value_name = "N", help_heading = "Resources")]
    threads: Option<usize>,
    /// Where temporary files go [default: batch.temp_dir, the system's]
    #[arg(long, value_name = "DIR", help_heading = "Resources")]
    temp_dir: Option<PathBuf>,
}

impl ResourceOptions {
    /// What is given here, or else what the project's configuration says.
    pub(crate) fn resources(&self, config: Option<&BatchSection>) -> Resources {
        let default = Resources::default();
        let memory = config.map_or(default.memory_limit_bytes, |batch| batch.memory_limit_bytes);
        let threads = config.and_then(|batch| batch.threads).unwrap_or(default.threads);
        let temp_dir = config.and_then(|batch| batch.temp_dir.clone());
        Resources {
            memory_limit_bytes: self.memory_limit.unwrap_or(memory),
            threads: self.threads.unwrap_or(threads),
            temp_dir: self.temp_dir.clone().or(temp_dir),
            buckets: None,
        }
    }
}

fn size(text: &str) -> Result<u64, String> {
    let wrong = "write a number of bytes, or such as 512KiB, 256MiB, 2GiB";
    parse_size(text).ok_or_else(|| wrong.to_owned())
}

/// The files of a project's sources: those that are given, or else those that
/// definitions name.
pub(crate) fn sources_of<'a>(
    project: &'a FeatureProject,
    given: &'a [(String, String)],
) -> anyhow::Result<impl Fn(&SourcePlan) -> Result<Vec<PathBuf>, BatchError> + 'a> {
    let names: Vec<&str> = project.plan.sources.iter().map(|s| s.name.as_str()).collect();
    if let Some((unknown, _)) = given.iter().find(|(name, _)| !names.contains(&&**name)) {
        let help = unskew_definition::meant(unknown, names.iter().copied());
        return Err(UserError::new(format!("the project has no source {unknown}"))
            .help(help)
            .into());
    }
    Ok(|source: &SourcePlan| {
        let paths = given.iter().filter(|(name, _)| source.name == **name);
        let paths: Vec<String> = paths.map(|(_, path)| path.clone()).collect();
        match paths.is_empty() {
            true => {
                // What was pushed is part of the source, beside its files.
                let archived = archived_files(&project.config, source);
                match source_files(source, &project.dir, &source.files) {
                    Err(_) if source.files.is_empty() && !archived.is_empty() => Ok(archived),
                    files => files.map(|files| [files, archived].concat()),
                }
            }
            false => source_files(source, Path::new(""), &paths),
        }
    })
}

/// Runs a job; `files` are those of each source.
pub(crate) fn execute(
    job: &TrainingJob,
    service: &ServicePlan,
    files: &dyn Fn(&SourcePlan) -> Result<Vec<PathBuf>, BatchError>,
    project: &FeatureProject,
    context: &Context,
) -> anyhow::Result<TrainingSummary> {
    let modules = ProjectModules { project, context };
    unskew_batch::report_file_size_limit();
    let bar = Bar::new(context.progress_wanted());
    let _cleans_up = context.interrupt.defer();
    let done = unskew_batch::train(
        job,
        &service.features,
        files,
        &modules,
        &mut |progress| bar.show(&progress),
        &|| context.interrupt.raised(),
    );
    bar.0.finish_and_clear();
    done.map_err(explained)
}

/// The service of that name.
pub(crate) fn service(project: &FeatureProject, name: &str) -> anyhow::Result<Arc<ServicePlan>> {
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

    fn call_metrics(&self) -> CallMetrics {
        let mut metrics = CallMetrics::default();
        self.project.loaded_modules().iter().for_each(|module| metrics += module.metrics());
        metrics
    }
}

/// The progress bar, on a terminal only.
struct Bar(ProgressBar);

impl Bar {
    fn new(wanted: bool) -> Self {
        Self(terminal::progress_bar(wanted))
    }

    fn show(&self, progress: &TrainingProgress) {
        let TrainingProgress {
            rows_read,
            rows_known,
            labels_answered,
            labels_asked,
            labels_written,
            labels,
        } = *progress;
        let is_known = rows_known > 0;
        if is_known && self.0.length().is_none() {
            let style = ProgressStyle::with_template("{wide_bar} {percent}% {msg}, {eta} left");
            self.0.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        // Rows that a view reads, answers that it gives and rows that are
        // written take about as long, each.
        if is_known {
            self.0.set_length(rows_known + labels_asked + labels);
            self.0.set_position(rows_read.min(rows_known) + labels_answered + labels_written);
        }
        self.0.set_message(match (labels_written, labels_answered) {
            (0, 0) => format!("{} rows read", HumanCount(rows_read)),
            (0, answered) => {
                format!("{} of {} answers", HumanCount(answered), HumanCount(labels_asked))
            }
            (written, _) => {
                format!("{} of {} labels written", HumanCount(written), HumanCount(labels))
            }
        });
        self.0.tick();
    }
}
