//! Rows that fail when an aggregate folds them: they count for no state, and
//! someone ought to hear of them.

use std::collections::BTreeMap;

use unskew_host::RowError;

/// The rows that failed in the folds of one aggregate. Each counts once, in
/// however many windows it lies.
#[derive(Clone, Debug, Default)]
pub struct FoldFailures(BTreeMap<usize, RowError>);

impl FoldFailures {
    /// Whether no row failed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows, ascending, as they are numbered where they came in, and why
    /// they failed.
    pub fn errors(&self) -> Vec<RowError> {
        self.0.values().cloned().collect()
    }

    /// Takes in rows that failed; `row_of` says which each of them is.
    pub(crate) fn add(&mut self, errors: Vec<RowError>, row_of: impl Fn(usize) -> usize) {
        for error in errors {
            let row = row_of(error.row);
            self.0.entry(row).or_insert(RowError { row, ..error });
        }
    }
}
