//! Rows that were pushed and archived: further files of their source.

use std::path::PathBuf;

use unskew_plan::SourcePlan;

use crate::config::ProjectConfig;
use crate::serve_archive::source_table;

/// The archived files of a source, sorted; none where the offline store is not
/// on a local disk, or nothing was pushed.
pub(crate) fn archived_files(config: &ProjectConfig, source: &SourcePlan) -> Vec<PathBuf> {
    let url = config.offline_store.url.as_str();
    let folder = url.strip_prefix("file://").unwrap_or(url);
    if folder.contains("://") || !source.push {
        return Vec::new();
    }
    let folder = glob::Pattern::escape(folder);
    let table = format!("view={}", glob::Pattern::escape(&source_table(source)));
    let pattern = format!("{folder}/{table}/date=*/part-*.parquet");
    let found = glob::glob(&pattern).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = found.collect();
    files.sort();
    files
}
