//! What the value of a feature was at a given time, for any number of
//! questions (entity, time) at once (DESIGN, section 5, the rule of sight): of
//! rows with `event_timestamp <= t` and, where there is one,
//! `created_timestamp <= t`.
//!
//! Rows are sorted once by entity and order key ([`EventIndex`]), questions by
//! entity and time ([`Questions`]). Then
//! * [`latest_rows`] finds the visible row with the greatest order key;
//! * [`latest_windows`] the visible window that ends last, among what windows
//!   emitted;
//! * [`evaluate_trailing`] folds the rows of trailing windows.
//!
//! Trailing windows of any aggregate are evaluated by trees over each entity's
//! rows, whose merges are noted for all entities and questions, and then
//! computed level by level, so that a module is called a few times for
//! thousands of them. Sums of numbers are differences of exact running sums,
//! and extremes come from one stack of candidates for all windows; other
//! built-in aggregates that subtract keep one state for each window, into which
//! rows come and out of which they go. None of this does work that grows with a
//! window's size. Rows that become visible out of the
//! order of their keys are where the quick ways end: entities that have such
//! rows go through the trees, in which a row takes its place when it is seen.

mod emitted;
mod event_index;
mod extremes;
mod latest;
mod mean;
mod questions;
mod running;
mod sums;
mod trailing;
mod trees;

pub use emitted::latest_windows;
pub use event_index::EventIndex;
pub use latest::latest_rows;
pub use questions::Questions;
pub use trailing::{TrailingAggregate, TrailingAnswers, evaluate_trailing};
