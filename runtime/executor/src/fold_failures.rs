//! Rows that fail when an aggregate folds them: they count for no state, and
//! someone ought to hear of them.

use std::collections::HashSet;

use unskew_host::RowError;

/// The rows that failed in the folds of one aggregate. Each counts once, in
/// however many windows it lies.
#[derive(Clone, Debug, Default)]
pub struct FoldFailures {
    rows: HashSet<u64>,
    first: Option<RowError>,
}

impl FoldFailures {
    /// How many rows failed.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The first of them, as rows are numbered where they came in, and why it
    /// failed.
    pub fn first(&self) -> Option<&RowError> {
        self.first.as_ref()
    }

    /// Takes in rows that failed; `row_of` says which each of them is.
    pub(crate) fn add(&mut self, errors: Vec<RowError>, row_of: impl Fn(usize) -> usize) {
        for error in errors {
            let error = RowError { row: row_of(error.row), ..error };
            self.rows.insert(error.row as u64);
            if self.first.as_ref().is_none_or(|first| error.row < first.row) {
                self.first = Some(error);
            }
        }
    }
}
