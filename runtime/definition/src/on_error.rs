use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What becomes of a row that failed (DESIGN, section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It stays; its outputs are null.
    #[default]
    Null,
    /// The work stops.
    Fail,
    /// It stays; its outputs are their defaults, or null where they have none.
    Default,
}

impl OnError {
    /// Its word: `null`, `fail` or `default`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Fail => "fail",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text is no [`OnError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not what can become of a failed row: null, fail or default")]
pub struct ParseOnErrorError(String);

impl FromStr for OnError {
    type Err = ParseOnErrorError;
    fn from_str(text: &str) -> Result<Self, ParseOnErrorError> {
        [Self::Null, Self::Fail, Self::Default]
            .into_iter()
            .find(|on_error| on_error.name() == text)
            .ok_or_else(|| ParseOnErrorError(text.to_owned()))
    }
}
