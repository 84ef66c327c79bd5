//! `unskew materialize` and `unskew materialize-incremental`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde::Serialize;
use unskew_batch::{
    BatchError, MaterializeJob, MaterializeProgress, MaterializeRange, MaterializeStores,
    MaterializeSummary, OfflineTables, PlannedSlice, ViewSummary,
};
use unskew_definition::{DataType, Name};
use unskew_executor::text::ColumnBuilder;
use unskew_plan::{OnDemandOrigin, ViewPlan, ViewReference};
use unskew_registry::Registry;

use crate::context::{Context, now};
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::run::{explained, pair};
use crate::stores::{offline_store, online_store};
use crate::terminal::{self, FAINT, GOOD, WARNING, harmless, paint, thousands};
use crate::train::{ProjectModules, sources_of};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew materialize user_orders --start 2026-01-01 --end 2026-02-01
  unskew materialize fraud --start 2026-01-01 --end 2026-02-01T12:00:00Z --dry-run

Reads the sources' files of that time, a day at a time, writes what views keep of their rows to the
offline store, and fills a new generation of the online store, which is swapped in at once. What was
interrupted, by Ctrl-C or a crash, goes on where it was when the same command runs again.";

pub(crate) const INCREMENTAL_EXAMPLES: &str = "\
Examples:
  unskew materialize-incremental
  unskew materialize-incremental fraud --end 2026-02-02

Goes on from where the last run ended. Files that are new, changed or gone since then are noticed, and
the days that they touch computed again.";

/// Fill the offline and the online store from files
#[derive(Debug, Args)]
pub(crate) struct MaterializeArguments {
    #[command(flatten)]
    what: What,
    /// The first time that is materialized: RFC 3339, or a date; without an
    /// offset UTC
    #[arg(long, value_name = "TIME", value_parser = time)]
    start: i64,
    /// The time before which it ends; not in the future
    #[arg(long, value_name = "TIME", value_parser = time)]
    end: i64,
}

/// Bring the stores up to date with files
#[derive(Debug, Args)]
pub(crate) struct IncrementalArguments {
    #[command(flatten)]
    what: What,
    /// The time before which it ends; not in the future [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    end: Option<i64>,
}

#[derive(Debug, Args)]
struct What {
    /// Feature views (NAME, or NAME@VERSION) and feature services; without any
    /// all views, each in its greatest version
    #[arg(value_name = "VIEW|SERVICE")]
    names: Vec<String>,
    /// The project: a folder with unskew.toml, with a module, or with YAML
    /// files; or one such file
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Compute, and say how many slices, rows and bytes there would be, but
    /// write nothing
    #[arg(long)]
    dry_run: bool,
    /// Read source NAME from PATH (a file, folder or glob), not from what its
    /// definition says; may be given several times
    #[arg(long, value_name = "NAME=PATH", value_parser = pair)]
    source: Vec<(String, String)>,
}

pub(crate) fn run(arguments: &MaterializeArguments, context: &Context) -> anyhow::Result<()> {
    let MaterializeArguments { what, start, end } = arguments;
    execute(what, MaterializeRange::Between(*start, *end), context)
}

pub(crate) fn run_incremental(
    arguments: &IncrementalArguments,
    context: &Context,
) -> anyhow::Result<()> {
    let IncrementalArguments { what, end } = arguments;
    execute(what, MaterializeRange::Until(end.unwrap_or_else(now)), context)
}

fn execute(what: &What, range: MaterializeRange, context: &Context) -> anyhow::Result<()> {
    let project = FeatureProject::open(&what.project, context)?;
    let views = views(&project, &what.names)?;
    let bar = Bar::new(context.progress_wanted());
    let _cleans_up = context.interrupt.defer();
    let begun = Instant::now();
    let done = materialize(&project, views, range, what.dry_run, &what.source, context, &|step| {
        bar.show(step);
    });
    bar.0.finish_and_clear();
    report(&done?, begun.elapsed().as_secs_f64(), context)
}

/// Materializes views of a project into the stores that it is set up with.
/// Blocks until it is done.
pub(crate) fn materialize(
    project: &FeatureProject,
    views: Vec<Arc<ViewPlan>>,
    range: MaterializeRange,
    dry_run: bool,
    sources: &[(String, String)],
    context: &Context,
    progress: &dyn Fn(&MaterializeProgress),
) -> anyhow::Result<MaterializeSummary> {
    let files = sources_of(project, sources)?;
    let digests: RefCell<BTreeMap<Name, String>> = RefCell::default();
    let module_digest = |name: &Name| -> Result<String, BatchError> {
        if let Some(digest) = digests.borrow().get(name) {
            return Ok(digest.clone());
        }
        let module = project.module(name, context).map_err(|error| BatchError::WrongRange {
            reason: format!("module {name}: {error:#}"),
        })?;
        let digest = module.digest().to_string();
        digests.borrow_mut().insert(name.clone(), digest.clone());
        Ok(digest)
    };
    let modules = ProjectModules { project, context };
    let aborts = AbortAt::from_environment();
    let job = MaterializeJob { views, range, now: now(), dry_run };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime of the stores could not be started")?;
    runtime.block_on(async {
        let config = &project.config;
        let online = online_store(config).await?;
        let offline = OfflineTables::new(offline_store(config)?);
        let registry = Registry::open(&config.registry_path).await;
        let registry = registry.map_err(|error| explained(error.into()))?;
        let stores = MaterializeStores { online: &*online, offline: &offline, registry: &registry };
        let cancelled = || context.interrupt.raised();
        let commit_point = |point: &str| aborts.passed(point);
        let done = unskew_batch::materialize(
            &job,
            &project.plan,
            &stores,
            &files,
            &modules,
            &module_digest,
            progress,
            &cancelled,
            &commit_point,
        )
        .await
        .map_err(explained);
        registry.close().await;
        done
    })
}

/// The views that are named, and those that the services that are named need.
fn views(project: &FeatureProject, names: &[String]) -> anyhow::Result<Vec<Arc<ViewPlan>>> {
    let plan = &project.plan;
    let newest = |name: &str| {
        let of_name = plan.views.iter().filter(|view| view.id.name == *name);
        of_name.max_by_key(|view| view.id.version)
    };
    let mut views: Vec<Arc<ViewPlan>> = Vec::new();
    let mut add = |view: &Arc<ViewPlan>| {
        if views.iter().all(|known| known.id != view.id) {
            views.push(Arc::clone(view));
        }
    };
    if names.is_empty() {
        for view in &plan.views {
            newest(view.id.name.as_str()).into_iter().for_each(&mut add);
        }
    }
    for name in names {
        let (bare, version) = match name.split_once('@') {
            Some((bare, version)) => (bare, Some(version.trim_start_matches('v'))),
            None => (name.as_str(), None),
        };
        let view = match version {
            None => newest(bare),
            Some(version) => plan
                .views
                .iter()
                .find(|view| view.id.name == *bare && view.id.version.to_string() == version),
        };
        let service = plan.services.iter().find(|service| service.name == **name);
        match (view, service) {
            (Some(view), _) => add(view),
            (None, Some(service)) => {
                service.features.iter().for_each(|feature| upstream(&feature.view, &mut add));
            }
            (None, None) => {
                let known = plan.views.iter().map(|view| view.id.name.as_str());
                let known: Vec<&str> = known
                    .chain(plan.services.iter().map(|service| service.name.as_str()))
                    .collect();
                let is_on_demand = plan.on_demand_views.iter().any(|view| view.id.name == *bare);
                let help = match is_on_demand {
                    true => {
                        "it is an on-demand view: it is computed when it is asked for".to_owned()
                    }
                    false => unskew_definition::meant(bare, known),
                };
                let what = format!("the project has no feature view or service {name}");
                return Err(UserError::new(what).help(help).into());
            }
        }
    }
    if views.is_empty() {
        return Err(UserError::new("the project has no feature views to materialize").into());
    }
    Ok(views)
}

fn upstream(view: &ViewReference, add: &mut impl FnMut(&Arc<ViewPlan>)) {
    match view {
        ViewReference::View(view) => add(view),
        ViewReference::OnDemand(view) => {
            for input in &view.inputs {
                if let OnDemandOrigin::Feature { view, .. } = &input.from {
                    upstream(view, add);
                }
            }
        }
    }
}

/// Ends the process at a commit point, as a crash would: for tests of what
/// comes after one. It counts commit points, and knows nothing of them.
struct AbortAt {
    at: Option<u64>,
    count: Cell<u64>,
}

impl AbortAt {
    fn from_environment() -> Self {
        let at = std::env::var("UNSKEW_ABORT_AT_COMMIT_POINT").ok();
        Self { at: at.and_then(|at| at.parse().ok()), count: Cell::new(0) }
    }

    fn passed(&self, point: &str) {
        tracing::debug!(point, "commit point");
        if self.at == Some(self.count.get()) {
            std::process::abort();
        }
        self.count.set(self.count.get() + 1);
    }
}

/// A time in microseconds: RFC 3339, or a date.
fn time(text: &str) -> Result<i64, String> {
    let is_date = text.len() == 10;
    let whole = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let mut column = ColumnBuilder::new(&DataType::Timestamp, 1);
    column.push_text(&whole).map_err(|error| {
        format!("{error}; give RFC 3339, such as 2026-02-01T12:00:00Z, or a date")
    })?;
    let column = column.finish();
    let times =
        arrow::array::AsArray::as_primitive::<arrow::datatypes::TimestampMicrosecondType>(&column);
    Ok(times.value(0))
}

/// The progress bar, on a terminal only.
struct Bar(ProgressBar);

impl Bar {
    fn new(wanted: bool) -> Self {
        let bar = terminal::progress_bar(wanted);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} slices  {msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn show(&self, progress: &MaterializeProgress) {
        let MaterializeProgress { view, doing, done, total, rows } = progress;
        self.0.set_length(*total);
        self.0.set_position(*done);
        self.0.set_message(format!("{view}: {doing}, {} rows", thousands(*rows)));
        self.0.tick();
    }
}

fn report(summary: &MaterializeSummary, seconds: f64, context: &Context) -> anyhow::Result<()> {
    if context.json {
        #[derive(Serialize)]
        struct Document<'a> {
            elapsed_seconds: f64,
            #[serde(flatten)]
            summary: &'a MaterializeSummary,
        }
        return terminal::print_json(&Document { elapsed_seconds: seconds, summary });
    }
    let MaterializeSummary { dry_run, views, warnings } = summary;
    let mut text = String::new();
    for view in views {
        let done = if *dry_run { "would write" } else { "materialized" };
        let _ = writeln!(
            text,
            "{} {} from {} to {}: {} rows in {} slices, {}",
            paint(GOOD, done),
            view.view,
            terminal::utc(view.start),
            terminal::utc(view.end),
            thousands(view.rows),
            view.slices.len(),
            HumanBytes(view.bytes),
        );
        if *dry_run {
            for PlannedSlice { date, rows, .. } in &view.slices {
                let _ = writeln!(text, "  {date}: {} rows", thousands(*rows));
            }
            continue;
        }
        let ViewSummary { online_entities, online_parts, generation, .. } = view;
        let generation = match view.new_generation {
            true => format!("generation {generation}, new"),
            false => format!("generation {generation}"),
        };
        let _ = writeln!(
            text,
            "  online: {} parts of {} entities, {generation}{}",
            thousands(*online_parts),
            thousands(*online_entities),
            if view.resumed { "; went on from a run that was interrupted" } else { "" },
        );
        let _ = writeln!(
            text,
            "  {} files read, {} as before; {} slices as before",
            view.files_read, view.files_unchanged, view.unchanged_slices
        );
        for (reason, count) in &view.left_out {
            let _ =
                writeln!(text, "  {} rows left out: {reason}", paint(WARNING, thousands(*count)));
        }
    }
    for warning in warnings {
        let _ = writeln!(text, "{}: {}", paint(WARNING, "warning"), harmless(warning));
    }
    let _ = writeln!(text, "{}", paint(FAINT, format!("({seconds:.1} s)")));
    Ok(terminal::print(&text)?)
}
