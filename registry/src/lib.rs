//! What a project knows between runs, in one SQLite file (`.unskew/registry.sqlite`).
//!
//! Any number of processes have it open at a time (write-ahead log, each change one transaction that waits for others). It holds the *processing
//! state* of what is materialized: how far each view is, from which files, and what an interrupted job was doing, so that the next run goes on there.
//!
//! It may not read data, compute a value, or read a clock: times come in as arguments, in microseconds since the epoch, UTC.

mod error;
mod job;
mod migrations;
mod processing;
mod registry;

pub use error::RegistryError;
pub use job::{Job, JobKind, NewJob};
pub use processing::{InputFile, ProcessingState, Slice};
pub use registry::Registry;
