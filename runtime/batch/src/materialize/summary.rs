use std::collections::BTreeMap;

use serde::Serialize;

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterializeProgress {
    /// Name, `@` and version of the view.
    pub view: String,
    /// What is being done.
    pub doing: &'static str,
    /// Slices done.
    pub done: u64,
    /// Slices in all.
    pub total: u64,
    /// Rows written so far.
    pub rows: u64,
}

/// What a run did, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct MaterializeSummary {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Each view.
    pub views: Vec<ViewSummary>,
    /// What is worth a second look.
    pub warnings: Vec<String>,
}

/// What became of a view.
#[derive(Clone, Debug, Serialize)]
pub struct ViewSummary {
    /// Name, `@` and version.
    pub view: String,
    /// The first moment of what was asked for, in microseconds.
    pub start: i64,
    /// The moment after its last.
    pub end: i64,
    /// Whether the online store got a new generation.
    pub new_generation: bool,
    /// The generation that is current.
    pub generation: u64,
    /// Whether a run that was interrupted was gone on with.
    pub resumed: bool,
    /// The slices that were computed.
    pub slices: Vec<PlannedSlice>,
    /// Slices that were computed and turned out as they were.
    pub unchanged_slices: u64,
    /// Rows of the slices that were computed.
    pub rows: u64,
    /// Bytes of these in the offline store; with a dry run about so many.
    pub bytes: u64,
    /// Entities that were written to the online store, and its parts.
    pub online_entities: u64,
    /// Parts that were written to the online store.
    pub online_parts: u64,
    /// Input files read, and those that were as before.
    pub files_read: u64,
    /// Input files that were as they had been.
    pub files_unchanged: u64,
    /// Rows that count for nothing: how many, by reason.
    pub left_out: BTreeMap<String, u64>,
}

/// A slice of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedSlice {
    /// Its day.
    pub date: String,
    /// The first moment that is computed, in microseconds.
    pub start: i64,
    /// The moment after the last.
    pub end: i64,
    /// Its rows.
    pub rows: u64,
}
