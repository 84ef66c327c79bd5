//! What came of the cases, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;
use unskew_definition::ModuleDigest;

use super::compare::Mismatch;
use super::suite::shortened;
use crate::terminal::{BAD, FAINT, GOOD, WARNING, harmless, paint};

/// What came of all cases of a module.
#[derive(Debug, Serialize)]
pub(crate) struct CasesReport {
    pub(super) module: String,
    pub(super) digest: ModuleDigest,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(super) cases: Vec<CaseReport>,
    /// Transforms and aggregates that no case is for.
    pub(super) without_cases: Vec<String>,
}

/// What came of one case.
#[derive(Debug, Serialize)]
pub(super) struct CaseReport {
    pub(super) kind: Kind,
    pub(super) function: String,
    /// Counted from 1.
    pub(super) case: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) passed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) differences: Vec<Difference>,
}

/// What a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Transform,
    Aggregate,
}

/// One thing that is not as it should be.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    /// How the case was run when it showed.
    pub(super) run: String,
    /// The row of the batch that was handed over, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) row: Option<usize>,
    /// The output, and the place in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<String>,
    pub(super) expected: String,
    pub(super) got: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expected_bits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) got_bits: Option<String>,
}

impl Difference {
    /// Two things that have no column: errors, states.
    pub(super) fn plain(run: &str, row: Option<usize>, expected: String, got: String) -> Self {
        Self {
            run: run.to_owned(),
            row,
            column: None,
            expected,
            got,
            expected_bits: None,
            got_bits: None,
        }
    }

    /// Two values of a column.
    pub(super) fn of(run: &str, row: Option<usize>, column: &str, mismatch: Mismatch) -> Self {
        let Mismatch { path, expected, got, bits } = mismatch;
        let (expected_bits, got_bits) = bits.unzip();
        Self {
            run: run.to_owned(),
            row,
            column: Some(format!("{column}{path}")),
            expected,
            got,
            expected_bits,
            got_bits,
        }
    }

    fn write(&self, text: &mut String) {
        let Self { run, row, column, expected, got, expected_bits, got_bits } = self;
        let row = row.map(|row| format!(", row {row}")).unwrap_or_default();
        let column = column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default();
        let _ = writeln!(text, "    {run}{row}{column}");
        for (what, value, bits) in [("expected", expected, expected_bits), ("got", got, got_bits)] {
            let bits = bits.as_ref().map(|bits| format!("  (bits {bits})")).unwrap_or_default();
            let value = shortened(harmless(value).trim_end()).replace('\n', "\n                ");
            let _ = writeln!(text, "      {what:<9} {value}{bits}");
        }
    }
}

impl CasesReport {
    /// The report for people: failures at length, the rest in a line for each
    /// function, and the sum.
    pub(crate) fn to_text(&self) -> String {
        let Self { module: _, digest: _, passed, failed, cases, without_cases } = self;
        let mut text = String::new();
        for case in cases.iter().filter(|case| !case.passed) {
            let CaseReport { kind, function, case, name, passed: _, differences } = case;
            let name = name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
            let failed = paint(BAD, "FAILED");
            let _ = writeln!(text, "{failed} {} {function}, case {case}{name}", kind.word());
            differences.iter().for_each(|difference| difference.write(&mut text));
        }
        for functions in cases.chunk_by(|a, b| (a.kind, &a.function) == (b.kind, &b.function)) {
            let CaseReport { kind, function, .. } = &functions[0];
            let good = functions.iter().filter(|case| case.passed).count();
            let style = if good == functions.len() { GOOD } else { BAD };
            let share = paint(style, format_args!("{good} of {}", functions.len()));
            let _ = writeln!(text, "{} {function}: {share} passed", kind.word());
        }
        for function in without_cases {
            let _ = writeln!(text, "{}: no case for {function}", paint(WARNING, "warning"));
        }
        let style = if *failed > 0 {
            BAD
        } else if *passed > 0 {
            GOOD
        } else {
            FAINT
        };
        let _ =
            writeln!(text, "{}", paint(style, format_args!("{passed} passed, {failed} failed")));
        text
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Aggregate => "aggregate",
        }
    }
}
