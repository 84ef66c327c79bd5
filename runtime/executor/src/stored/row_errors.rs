//! Errors of a stored row, as a short JSON text: rows that failed are rare, and
//! whoever reads the table should see why.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use unskew_host::{RowError, RowStatus};

use crate::steps::StepFailures;

const STATUSES: [RowStatus; 7] = [
    RowStatus::Failed,
    RowStatus::Trapped,
    RowStatus::OutOfFuel,
    RowStatus::OutOfMemory,
    RowStatus::StackOverflow,
    RowStatus::InvalidReply,
    RowStatus::InvalidInput,
];

/// An error of one row: which columns are null for it, and why.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRowError {
    /// The first column and the one behind the last.
    columns: (usize, usize),
    name: String,
    status: String,
    message: String,
}

/// The text of each row that has errors.
pub(crate) fn written(failures: &[StepFailures]) -> BTreeMap<usize, String> {
    let mut by_row: BTreeMap<usize, Vec<StoredRowError>> = BTreeMap::new();
    for StepFailures { columns, name, errors } in failures {
        for RowError { row, status, message } in errors {
            by_row.entry(*row).or_default().push(StoredRowError {
                columns: (columns.start, columns.end),
                name: name.clone(),
                status: status.as_str().to_owned(),
                message: message.clone(),
            });
        }
    }
    let text = |errors: &Vec<StoredRowError>| serde_json::to_string(errors).unwrap_or_default();
    by_row.iter().map(|(row, errors)| (*row, text(errors))).collect()
}

/// Collects the errors of rows, which come in ascending order.
#[derive(Default)]
pub(crate) struct RowErrors {
    failures: BTreeMap<(usize, usize, String), Vec<RowError>>,
}

impl RowErrors {
    /// Takes the text of a row; `columns` is how many there are.
    pub(crate) fn push(&mut self, row: usize, text: &str, columns: usize) -> Result<(), String> {
        let errors: Vec<StoredRowError> =
            serde_json::from_str(text).map_err(|error| format!("errors: {error}"))?;
        for StoredRowError { columns: (start, end), name, status, message } in errors {
            let status = STATUSES.into_iter().find(|known| known.as_str() == status);
            let status = status.ok_or("errors: an unknown status")?;
            if start > end || end > columns {
                return Err("errors: there are no such columns".to_owned());
            }
            let of = self.failures.entry((start, end, name)).or_default();
            of.push(RowError { row, status, message });
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<StepFailures> {
        let failures = self.failures.into_iter().map(|((start, end, name), errors)| StepFailures {
            columns: Range { start, end },
            name,
            errors,
        });
        failures.collect()
    }
}
