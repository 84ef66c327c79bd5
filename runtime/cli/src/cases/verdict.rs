//! What the sandbox made of the rows that it was given.

use std::fmt;

use unskew_definition::Field;
use unskew_host::{CallError, Outcome, RowError};

use super::compare::mismatch;
use super::report::Difference;
use super::suite::{Case, Expected};
use super::{Cell, value_text};

/// What became of one row, or one group of rows.
#[derive(Clone)]
pub(super) enum Verdict {
    /// A value for each output.
    Values(Vec<Cell>),
    /// It failed.
    Failed(Failure),
}

/// How a row failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The word of its status; equal on every path.
    pub(super) status: String,
    /// What else is known. It may name places in memory, so it is not compared.
    pub(super) message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl Failure {
    /// The row of a call, and how it failed.
    pub(super) fn of_row(error: RowError) -> (usize, Self) {
        (error.row, Self { status: error.status.to_string(), message: error.message })
    }
}

/// A call without an answer in time, or with one that is too large, is a
/// failure of all its rows; any other trouble is the host's own.
pub(super) fn deadline_failure(error: CallError) -> anyhow::Result<Failure> {
    match error {
        CallError::DeadlineExceeded { .. } => {
            Ok(Failure { status: "deadline_exceeded".to_owned(), message: error.to_string() })
        }
        CallError::OutcomeTooLarge { .. } => {
            Ok(Failure { status: "outcome_too_large".to_owned(), message: error.to_string() })
        }
        _ => Err(error.into()),
    }
}

/// The verdicts on all rows of a call.
pub(super) fn verdicts(
    outcome: Result<Outcome, CallError>,
    rows: usize,
) -> anyhow::Result<Vec<Verdict>> {
    let Outcome { columns, errors, .. } = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return Ok(vec![Verdict::Failed(deadline_failure(error)?); rows]),
    };
    let values = |row| Verdict::Values(columns.iter().map(|c| Cell::new(c, row)).collect());
    let mut verdicts: Vec<_> = (0..rows).map(values).collect();
    for (row, failure) in errors.into_iter().map(Failure::of_row) {
        verdicts[row] = Verdict::Failed(failure);
    }
    Ok(verdicts)
}

impl Verdict {
    /// How it differs from what the case expects.
    pub(super) fn against_case(
        &self,
        case: &Case,
        outputs: &[Field],
        run: &str,
    ) -> Vec<Difference> {
        match (&case.expected, self) {
            (Expected::Error(part), Self::Failed(failure)) => {
                let got = failure.to_string();
                if got.contains(part.as_str()) {
                    return Vec::new();
                }
                vec![Difference::plain(run, None, format!("an error with {part:?}"), got)]
            }
            (Expected::Error(part), Self::Values(_)) => {
                let expected = format!("an error with {part:?}");
                vec![Difference::plain(run, None, expected, self.to_text(outputs))]
            }
            (Expected::Values(values), _) => {
                Self::Values(values.clone()).differences(self, outputs, case.tolerance, run, None)
            }
        }
    }

    /// How `got` differs from it. Of two failures only the status is compared.
    pub(super) fn differences(
        &self,
        got: &Self,
        outputs: &[Field],
        tolerance: Option<f64>,
        run: &str,
        row: Option<usize>,
    ) -> Vec<Difference> {
        match (self, got) {
            (Self::Values(expected), Self::Values(found)) => outputs
                .iter()
                .zip(expected.iter().zip(found))
                .filter_map(|(field, (e, g))| {
                    let mismatch = mismatch(&field.data_type, e, g, tolerance)?;
                    Some(Difference::of(run, row, field.name.as_str(), mismatch))
                })
                .collect(),
            (Self::Failed(expected), Self::Failed(found)) if expected.status == found.status => {
                Vec::new()
            }
            _ => vec![Difference::plain(run, row, self.to_text(outputs), got.to_text(outputs))],
        }
    }

    /// `{"a":1,"b":2}`, the plain value of a single output, or the failure.
    pub(super) fn to_text(&self, outputs: &[Field]) -> String {
        match self {
            Self::Failed(failure) => failure.to_string(),
            Self::Values(values) => match (outputs, values.as_slice()) {
                ([_], [value]) => value_text(value),
                _ => {
                    let pairs = outputs
                        .iter()
                        .zip(values)
                        .map(|(field, value)| format!("\"{}\":{}", field.name, value_text(value)));
                    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
                }
            },
        }
    }
}
