//! The rows of a source, read from its files on all threads: as few columns and
//! row groups as will do.

mod drop_scan;
mod positioned_file;
mod read_plan;
mod source_scan;
mod unit;

pub(crate) use drop_scan::DropScan;
pub(crate) use read_plan::{ReadPlan, TimeRange};
pub(crate) use source_scan::{SourceCounts, SourceScan};
