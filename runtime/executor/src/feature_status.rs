use std::fmt;

use serde::Serialize;

/// What an answer is: the true status, also where a default stands in for the
/// value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FeatureStatus {
    /// A value was found.
    Present,
    /// A value was found, and it is null.
    NullValue,
    /// Nothing is known of the entity at that time.
    NotFound,
    /// What is known is older than the view's ttl.
    OutsideMaxAge,
    /// The feature's computation failed.
    Error,
}

impl FeatureStatus {
    /// Its name as it stands in answers, such as `NOT_FOUND`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "PRESENT",
            Self::NullValue => "NULL_VALUE",
            Self::NotFound => "NOT_FOUND",
            Self::OutsideMaxAge => "OUTSIDE_MAX_AGE",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for FeatureStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
