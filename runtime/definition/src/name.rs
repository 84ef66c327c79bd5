use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a module, transform, aggregate or field: an ASCII letter or
/// underscore, then letters, digits and underscores, at most 128 in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name is empty; give it at least one letter")]
    Empty,
    /// More than 128 bytes.
    #[error("the name that begins with \"{0}\" has more than 128 characters; shorten it")]
    TooLong(String),
    /// A character that is not allowed there.
    #[error(
        "the name {0:?} is not allowed: use ASCII letters, digits and underscores, beginning with a letter or underscore"
    )]
    Character(String),
}

const MAX_LENGTH: usize = 128;

impl Name {
    /// Checks `text` and takes it as a name.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(NameError::TooLong(text.chars().take(32).collect()));
        }
        let mut bytes = text.bytes();
        let first_fits = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if first_fits && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(Self(text))
        } else {
            Err(NameError::Character(text))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ascii_identifiers() {
        for good in ["a", "_a9", "Rate", &"x".repeat(128)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "9a", "a-b", "a b", "é", "a\0", &"x".repeat(129)] {
            assert!(Name::new(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
