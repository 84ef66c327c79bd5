use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Where something was written: a file and a line of it, counted from 1.
///
/// It is no part of what was written: all places are equal, so that two
/// definitions are equal when they say the same.
#[derive(Clone, Debug)]
pub struct Place {
    file: Arc<str>,
    line: u32,
}

impl Place {
    /// A line of a file; line 0 stands for the file as a whole.
    pub fn new(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self { file: file.into(), line }
    }

    /// From the text `features.py:12` that an SDK records under `at`. A text
    /// without a line names the file as a whole.
    pub(crate) fn from_recorded(text: &str) -> Self {
        match text.rsplit_once(':').map(|(file, line)| (file, line.parse())) {
            Some((file, Ok(line))) if !file.is_empty() => Self::new(file, line),
            _ => Self::new(text, 0),
        }
    }

    /// The file's name, as it was given to the reader or recorded by an SDK.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1; 0 where only the file is known.
    pub fn line(&self) -> u32 {
        self.line
    }

    pub(crate) fn with_line(&self, line: u32) -> Self {
        Self { file: Arc::clone(&self.file), line }
    }

    pub(crate) fn with_file_prefix(&self, prefix: &str) -> Self {
        Self::new(format!("{prefix}{}", self.file), self.line)
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::new("", 0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.file, self.line) {
            ("", 0) => f.write_str("the definition"),
            ("", line) => write!(f, "line {line}"),
            (file, 0) => f.write_str(file),
            (file, line) => write!(f, "{file}:{line}"),
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

impl<T> Placed<T> {
    /// `value`, written at `place`.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

impl<T> Deref for Placed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: serde::Serialize> serde::Serialize for Placed<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}
