//! Filling the stores: rows of sources, as a view sees them, into the offline
//! store slice by slice, and from there into the online store.
//!
//! A **slice** is a day (UTC) of a view's rows. Each is read, computed and
//! written alone, so memory is bounded by a day of rows; but for sources with
//! partition and offset, whose lateness only the whole log tells, and for
//! views whose windows emit, which are evaluated over the source in memory.
//!
//! **Order of work** for a view, with its commit points: the job is noted in
//! the registry (`begun`), its generation begun in the online store
//! (`generation`); each slice is written to the offline store and then noted
//! (`offline`, `slice`); what the online store keeps is made from the offline
//! store (`online`), the table's generation is swapped in or its time advanced
//! (`current`), older generations go (`dropped`), and the registry notes what
//! was read and how far the view is (`finished`). Every step can be done again
//! without harm, so a run that follows a crash does again what was not noted
//! and ends where it would have ended.
//!
//! **Files.** The registry has each input file with its size and a mark
//! (modification time and SHA-256). A new, changed or missing file makes the
//! slices that it touches be computed again; those whose rows are the same as
//! before are not written. Where a slice that was written before changes, the
//! online store gets a new generation made from the offline store; otherwise
//! it gets the new rows and tiles in the current one.
//!
//! This room computes no value: it asks the executor for tables and records,
//! and moves them.

mod inputs;
mod job;
mod offline_tables;
mod online;
mod slices;
mod source_rows;
mod summary;
mod view_run;

pub use job::{MaterializeJob, MaterializeRange, MaterializeStores, materialize};
pub use offline_tables::OfflineTables;
pub use summary::{MaterializeProgress, MaterializeSummary, PlannedSlice, ViewSummary};
