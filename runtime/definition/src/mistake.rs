use std::fmt;

use crate::place::Place;

/// One mistake of a definition: where it is, what it is about, what is wrong
/// and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// File and line.
    pub place: Place,
    /// What it is about, from the outside in: `feature view user_orders,
    /// aggregate spend_7d`. Empty for a mistake of the document as a whole.
    pub subject: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// As `{file, line, subject, what, fix}`.
impl serde::Serialize for Mistake {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let Self { place, subject, what, fix } = self;
        let mut fields = serializer.serialize_struct("Mistake", 5)?;
        fields.serialize_field("file", place.file())?;
        fields.serialize_field("line", &place.line())?;
        fields.serialize_field("subject", subject)?;
        fields.serialize_field("what", what)?;
        fields.serialize_field("fix", fix)?;
        fields.end()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.subject.is_empty() {
            write!(f, "{}: ", self.subject)?;
        }
        f.write_str(&self.what)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

/// All mistakes that were found, in the order of their places. Never empty
/// when it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// Adds those of `other`.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.0.iter()
    }

    /// `value` if there is no mistake, else the mistakes by file and line.
    pub fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort_by(|a, b| {
            (a.place.file(), a.place.line()).cmp(&(b.place.file(), b.place.line()))
        });
        let mut seen = std::collections::HashSet::new();
        self.0.retain(|mistake| seen.insert(mistake.to_string()));
        Err(self)
    }
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [mistake] => mistake.fmt(f),
            mistakes => {
                write!(f, "{} mistakes:", mistakes.len())?;
                mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
        }
    }
}

impl std::error::Error for Mistakes {}
