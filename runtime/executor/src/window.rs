//! Windows that emit (DESIGN, section 5): tumbling, sliding and session. They
//! close when the watermark reaches their end; late rows revise what they
//! emitted.
//!
//! [`WindowOperator`] is fed from a log in batches cut anywhere: what it emits
//! is a function of the log alone. Batch over a whole log is the same operator,
//! fed at once and then told that the log ends.
//!
//! **When a row arrives.** A row is visible from the greater of its
//! created_timestamp and its broker time, and reaches its window then. Until
//! the log's clock gets there it is held back. The clock is
//! * with broker times: the greatest broker time so far;
//! * with offsets alone: the greatest event time so far;
//! * without either: there is no order of arrival, so rows arrive in the order
//!   in which they become visible, and none is late.
//!
//! Several partitions are read as one log, ordered by their clocks, then by
//! partition and offset, so that it does not matter in which order their
//! batches come in.
//!
//! **What an emission is visible from**: with broker times, from that of the
//! record whose coming moved the watermark to the window's end; otherwise from
//! `end + out_of_orderness`, and a log that ends closes all its windows. A
//! revision is visible from the time at which its row is, but not before what
//! it revises.
//!
//! **What identifies an emission** is its entity and its end. So a session that
//! a late row makes longer at its end, or bridges with the next one, leaves a
//! tombstone at its old end.

mod emitted;
mod entity_runs;
mod fixed;
mod log_order;
mod operator;
mod records;
mod session;
mod slots;
mod stored;
mod whole_log;

pub use emitted::EmittedWindows;
pub use log_order::LogOrder;
pub use operator::{WindowOperator, WindowSettings};
pub use records::{AggregateRows, LogRecords, NO_ENTITY};

/// The shape of windows that emit. In microseconds: sizes, hops and gaps are
/// above 0, a hop is at most the size; offsets may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmittingWindow {
    /// Each time is in one window.
    Tumbling {
        /// The length.
        size_us: i64,
        /// From the epoch to the begin of a window.
        offset_us: i64,
    },
    /// Each time is in `size / hop` windows or so.
    Sliding {
        /// The length.
        size_us: i64,
        /// From the begin of one to that of the next.
        hop_us: i64,
        /// From the epoch to the begin of a window.
        offset_us: i64,
    },
    /// Rows of one entity of which none is a gap or more after the one before.
    Session {
        /// So long after its last row a session ends.
        gap_us: i64,
    },
}

/// The greatest multiple of `step`, counted from `offset`, that is not above
/// `time`; at the ends of the range the nearest time there is.
pub(crate) fn floor_to(time: i64, step: i64, offset: i64) -> i64 {
    let aligned = match time.checked_sub(offset) {
        Some(distance) => distance
            .checked_sub(distance.rem_euclid(step))
            .and_then(|distance| distance.checked_add(offset)),
        None => None,
    };
    aligned.unwrap_or_else(|| {
        let distance = i128::from(time) - i128::from(offset);
        let aligned = distance - distance.rem_euclid(step.into()) + i128::from(offset);
        aligned.max(i64::MIN.into()) as i64
    })
}
