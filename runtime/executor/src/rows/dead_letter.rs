use std::fmt;
use std::sync::Arc;

use unskew_definition::Name;

/// A row of a source that counts for no feature, and why. It is reported,
/// never silently dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The file that it came from.
    pub place: Arc<str>,
    /// Its row there, counted from 0.
    pub row: u64,
    /// Why it counts for nothing.
    pub reason: DeadLetterReason,
    /// What was found, in words.
    pub detail: String,
    /// Its partition and offset, where the source has them.
    pub position: Option<(u32, i64)>,
}

/// Why a row is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeadLetterReason {
    /// Its event time is null or cannot be read.
    EventTimestamp,
    /// Its created time is null or cannot be read.
    CreatedTimestamp,
    /// Its partition or offset is null or cannot be read.
    Position,
    /// The value of this field is none of its type.
    Field(Name),
    /// It came later than `allowed_lateness` permits.
    Late,
    /// An earlier row has its event id and event time, or its partition and offset.
    Duplicate,
    /// A join key of this view is null: it counts for other views.
    JoinKey(Name),
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventTimestamp => f.write_str("event_timestamp"),
            Self::CreatedTimestamp => f.write_str("created_timestamp"),
            Self::Position => f.write_str("position"),
            Self::Field(field) => write!(f, "field:{field}"),
            Self::Late => f.write_str("late"),
            Self::Duplicate => f.write_str("duplicate"),
            Self::JoinKey(view) => write!(f, "join_key:{view}"),
        }
    }
}
