use serde::Serialize;

use crate::duration;

/// A window that emits; all lengths in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// One after the other.
    Tumbling {
        /// its length
        #[serde(rename = "size", serialize_with = "duration::serialize")]
        size_us: i64,
        /// the begin of one of them, after the epoch
        #[serde(rename = "offset", serialize_with = "duration::serialize")]
        offset_us: i64,
    },
    /// Overlapping.
    Sliding {
        /// its length
        #[serde(rename = "size", serialize_with = "duration::serialize")]
        size_us: i64,
        /// from the begin of one to that of the next
        #[serde(rename = "hop", serialize_with = "duration::serialize")]
        hop_us: i64,
        /// the begin of one of them, after the epoch
        #[serde(rename = "offset", serialize_with = "duration::serialize")]
        offset_us: i64,
    },
    /// As long as events follow each other.
    Session {
        /// the pause that ends it
        #[serde(rename = "gap", serialize_with = "duration::serialize")]
        gap_us: i64,
    },
}
