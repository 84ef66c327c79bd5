use std::fmt;
use std::sync::Arc;

use unskew_host::RowStatus;
use unskew_plan::ViewId;

/// Rows that failed in one transform or expression of a view, though the view
/// goes on: worth a second look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowWarning {
    /// The view.
    pub view: ViewId,
    /// The transform or the expression.
    pub what: String,
    /// How many rows.
    pub rows: u64,
    /// The first of them: its file and its row there; in words, where the file
    /// is not known.
    pub first: (Arc<str>, Option<u64>),
    /// How that one failed.
    pub status: RowStatus,
    /// Why.
    pub message: String,
}

impl RowWarning {
    /// Adds rows of the same view and the same transform or expression that
    /// were evaluated elsewhere. The order in which parts are added does not
    /// matter.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        if other.first < self.first {
            self.first.clone_from(&other.first);
            self.status = other.status;
            self.message.clone_from(&other.message);
        }
    }
}

impl fmt::Display for RowWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { view, what, rows, first: (file, row), status, message } = self;
        write!(f, "view {view}: {what}: {rows} rows failed, the first {file}")?;
        if let Some(row) = row {
            write!(f, ", row {row}")?;
        }
        write!(f, ": {status}: {message}")
    }
}
