use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use unskew_definition::Name;
use unskew_executor::ModuleCatalog;
use unskew_executor::rows::AcceptedRows;
use unskew_executor::service::RowWarning;
use unskew_plan::{FeaturePlan, SourcePlan, ViewPlan};
use unskew_registry::Registry;
use unskew_store::OnlineStore;

use crate::error::BatchError;
use crate::materialize::offline_tables::OfflineTables;
use crate::materialize::summary::{MaterializeProgress, MaterializeSummary};
use crate::materialize::view_run::ViewRun;

/// What is to be materialized.
#[derive(Clone, Debug)]
pub struct MaterializeJob {
    /// The views; of each a job of its own.
    pub views: Vec<Arc<ViewPlan>>,
    /// Which times.
    pub range: MaterializeRange,
    /// The time at which it begins, in microseconds; no end may be after it.
    pub now: i64,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}

/// Which times are materialized, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaterializeRange {
    /// All from the first moment to before the second: a backfill, into a new
    /// generation.
    Between(i64, i64),
    /// From where the last run ended to before this; all there is where there
    /// was no run.
    Until(i64),
}

/// Where it is written to, and noted.
pub struct MaterializeStores<'a> {
    /// The online store.
    pub online: &'a dyn OnlineStore,
    /// The offline store.
    pub offline: &'a OfflineTables,
    /// Processing state.
    pub registry: &'a Registry,
}

/// What a run asks of whoever started it.
pub(crate) struct Surroundings<'a> {
    pub(crate) plan: &'a FeaturePlan,
    pub(crate) files: &'a dyn Fn(&SourcePlan) -> Result<Vec<PathBuf>, BatchError>,
    pub(crate) modules: &'a dyn ModuleCatalog,
    pub(crate) module_digest: &'a dyn Fn(&Name) -> Result<String, BatchError>,
    pub(crate) progress: &'a dyn Fn(&MaterializeProgress),
    pub(crate) cancelled: &'a dyn Fn() -> bool,
    pub(crate) commit_point: &'a dyn Fn(&str),
}

/// Materializes views one after the other.
///
/// `files` gives the input files of a source, `module_digest` the digest of a
/// module's code, `commit_point` is called with the name of each commit point
/// when it was passed. After an error, or where `cancelled` says so, what is
/// written is sound, and the same job goes on where it stopped.
#[expect(clippy::too_many_arguments, reason = "each is one thing a driver is given")]
pub async fn materialize(
    job: &MaterializeJob,
    plan: &FeaturePlan,
    stores: &MaterializeStores<'_>,
    files: &dyn Fn(&SourcePlan) -> Result<Vec<PathBuf>, BatchError>,
    modules: &dyn ModuleCatalog,
    module_digest: &dyn Fn(&Name) -> Result<String, BatchError>,
    progress: &dyn Fn(&MaterializeProgress),
    cancelled: &dyn Fn() -> bool,
    commit_point: &dyn Fn(&str),
) -> Result<MaterializeSummary, BatchError> {
    check_range(job)?;
    let around =
        Surroundings { plan, files, modules, module_digest, progress, cancelled, commit_point };
    let mut summary =
        MaterializeSummary { dry_run: job.dry_run, views: Vec::new(), warnings: Vec::new() };
    // Rows of sources that are read whole, for all of their views.
    let mut whole: BTreeMap<Name, AcceptedRows> = BTreeMap::new();
    let mut warnings: Vec<RowWarning> = Vec::new();
    for view in &job.views {
        let run = ViewRun::plan(job, view, stores, &around).await?;
        summary.views.push(run.execute(&mut whole, &mut warnings).await?);
    }
    summary.warnings = warnings.iter().map(ToString::to_string).collect();
    Ok(summary)
}

fn check_range(job: &MaterializeJob) -> Result<(), BatchError> {
    let (start, end) = match job.range {
        MaterializeRange::Between(start, end) => (Some(start), end),
        MaterializeRange::Until(end) => (None, end),
    };
    let shown = |time: i64| {
        let mut text = Vec::new();
        unskew_executor::text::print_utc(time, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    if end > job.now {
        return Err(BatchError::WrongRange {
            reason: format!(
                "the end, {}, is in the future (it is {}): what happens until then would never be read; give an end that has passed",
                shown(end),
                shown(job.now)
            ),
        });
    }
    if let Some(start) = start.filter(|start| *start >= end) {
        return Err(BatchError::WrongRange {
            reason: format!("the start, {}, is not before the end, {}", shown(start), shown(end)),
        });
    }
    Ok(())
}
