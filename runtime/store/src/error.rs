//! What can go wrong with a store. Each message says what, where, and what to do.

use std::fmt;
use std::time::Duration;

use crate::TableId;

/// Another process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub process: u32,
    /// Its program, where that could be told.
    pub program: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.process)?;
        self.program.iter().try_for_each(|program| write!(f, " ({program})"))
    }
}

/// Why a store did not do what it was asked. Nothing is half-written after any of them, unless the variant says so.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store does not answer at all. Trying again later may help.
    #[error("{place} cannot be reached: {why}. Is it running, and is the address right?")]
    Unreachable {
        /// The store's address, without secrets.
        place: String,
        /// What the system said.
        why: String,
    },
    /// The store did not answer in time. A write may have been done or not; writing the same again is harmless.
    #[error(
        "{place} did not {operation} within {limit:?}. It is slow or stalled; try again, or raise `online_store.timeout`"
    )]
    Deadline {
        /// The store's address, without secrets.
        place: String,
        /// What was asked for, as a verb.
        operation: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// Another process holds the store's lock for writing.
    #[error(
        "{place} is locked for writing by {holder}, for longer than {limit:?}. Wait for it, or end it; readers are not hindered"
    )]
    Locked {
        /// The store's folder.
        place: String,
        /// Who holds it.
        holder: Holder,
        /// How long was waited.
        limit: Duration,
    },
    /// There is no room left.
    #[error("{place} is full: {why}. Nothing of this write was kept; make room, and write again")]
    Full {
        /// The store's folder or address.
        place: String,
        /// Disk, map or memory.
        why: String,
    },
    /// What is stored is damaged.
    #[error(
        "{place} is damaged: {what}. Move it away and materialize again, or restore a copy of it"
    )]
    Corrupted {
        /// The file, folder or key.
        place: String,
        /// What was found.
        what: String,
    },
    /// The generation is neither current nor being built: a newer one took its place.
    #[error(
        "generation {generation} of {table} in {place} is no longer written to: generation {current} took its place. Begin a new one"
    )]
    Superseded {
        /// The store's folder or address.
        place: String,
        /// The table.
        table: TableId,
        /// The generation that was asked for.
        generation: u64,
        /// The generation that is current.
        current: u64,
    },
    /// The store said no: no permission, wrong password, a read-only replica, a missing bucket.
    #[error("{place} refused to {operation}: {why}")]
    Refused {
        /// The store's folder or address.
        place: String,
        /// What was asked for, as a verb.
        operation: &'static str,
        /// What it said, and what to do.
        why: String,
    },
    /// What the caller asked for makes no sense.
    #[error("{what}")]
    Invalid {
        /// What is wrong, and what would be right.
        what: String,
    },
}
