//! Golden cases: rows that a module is given, and what must come out, bit by
//! bit.
//!
//! Beside the golden comparison every case is run in other company (other
//! batches, orders, instances, and for aggregates other parts), which must
//! not change what it yields.

mod compare;
mod document;
mod folder;
mod laws;
mod report;
mod rounds;
mod splits;
mod suite;
mod verdict;

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context as _;
use arrow::array::ArrayRef;
use serde_json::value::RawValue;
use unskew_definition::DataType;
use unskew_executor::text::{ColumnBuilder, ColumnPrinter};
use unskew_host::CompiledModule;

pub(crate) use self::report::CasesReport;

use self::compare::Cell;
use self::suite::Suite;
use crate::failure::UserError;

/// The file of golden cases in a project's folder.
pub(crate) const FILE_NAME: &str = "cases.json";

/// One module in two sandboxes.
pub(crate) struct Sandboxes {
    /// Every call has an instance of its own: the verdict.
    pub(crate) fresh: CompiledModule,
    /// Instances are used again.
    pub(crate) used: CompiledModule,
}

/// Runs the cases in the file `path` against the module that came from
/// `module_path`.
pub(crate) fn run(
    path: &Path,
    module_path: &Path,
    sandboxes: &Sandboxes,
) -> anyhow::Result<CasesReport> {
    let text = read(path)?;
    let manifest = sandboxes.used.manifest();
    let suite = Suite::resolve(&text, path, manifest)?;
    let mut cases = Vec::new();
    for transform in &suite.transforms {
        cases.extend(rounds::run(transform, sandboxes)?);
    }
    for aggregate in &suite.aggregates {
        cases.extend(laws::run(aggregate, sandboxes)?);
    }
    let names = manifest.transforms.iter().map(|t| &t.name);
    let names = names.chain(manifest.aggregates.iter().map(|a| &a.name));
    let passed = cases.iter().filter(|case| case.passed).count();
    Ok(CasesReport {
        module: module_path.display().to_string(),
        digest: sandboxes.used.digest(),
        passed,
        failed: cases.len() - passed,
        without_cases: names
            .map(ToString::to_string)
            .filter(|name| !cases.iter().any(|case| case.function == *name))
            .collect(),
        cases,
    })
}

/// Whether there are cases to read, for use before something takes long.
pub(crate) fn check_readable(path: &Path) -> anyhow::Result<()> {
    read(path).map(drop)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let place = path.display().to_string();
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => UserError::new("no golden cases")
            .at(place)
            .help("write them, beginning with {\"transforms\": {NAME: [{\"in\": {ARGUMENT: value}, \"out\": value}]}}; see `unskew test --help`")
            .into(),
        io::ErrorKind::InvalidData => {
            UserError::new("the file of golden cases is not UTF-8 text").at(place).into()
        }
        io::ErrorKind::IsADirectory | io::ErrorKind::PermissionDenied => {
            UserError::new(format!("the golden cases cannot be read: {error}")).at(place).into()
        }
        _ => anyhow::Error::new(error),
    })
    .with_context(|| format!("{} could not be read", path.display()))
}

/// A column from JSON values. The error names a value by its index, and says
/// what is wrong with it.
fn column(data_type: &DataType, values: &[&RawValue]) -> Result<ArrayRef, (usize, String)> {
    let mut builder = ColumnBuilder::new(data_type, values.len());
    for (index, value) in values.iter().enumerate() {
        builder.push_json(value).map_err(|error| (index, error.to_string()))?;
    }
    Ok(builder.finish())
}

/// A value as JSON text.
fn value_text(cell: &Cell) -> String {
    let mut text = Vec::new();
    match ColumnPrinter::new(&cell.column) {
        Ok(printer) => printer.print_json(cell.row, &mut text),
        Err(error) => return error.to_string(),
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
#[path = "../tests/shared/by_hand.rs"]
mod by_hand;

#[cfg(test)]
mod tests {
    use unskew_host::{Host, HostConfig, Isolation};

    use super::*;

    /// Runs `cases` against the unruly module; gives how each difference was
    /// found, case by case.
    fn runs(cases: &str) -> Vec<Vec<String>> {
        let component = by_hand::unruly_module();
        let load = |isolation| {
            let config = HostConfig { isolation, ..HostConfig::default() };
            Host::new(config).unwrap().load(&component).unwrap()
        };
        let sandboxes = Sandboxes { fresh: load(Isolation::Fresh), used: load(Isolation::Reuse) };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cases.json");
        fs::write(&path, cases).unwrap();
        let report = run(&path, Path::new("m.wasm"), &sandboxes).unwrap();
        let texts = |case: &report::CaseReport| {
            case.differences
                .iter()
                .map(|d| format!("{}: {} / {}", d.run, d.expected, d.got))
                .collect()
        };
        report.cases.iter().map(texts).collect()
    }

    #[track_caller]
    fn assert_has(runs: &[String], parts: &[&str]) {
        for part in parts {
            assert!(runs.iter().any(|run| run.contains(part)), "{part:?} is not in {runs:#?}");
        }
    }

    #[test]
    fn what_depends_on_company_fails() {
        // A fresh instance has seen one call, of no rows, before that of the row.
        let runs = runs(
            r#"{"transforms": {
                "counted": [{"in": 1, "out": 3}, {"in": 5, "out": 7}],
                "double": [{"in": 1, "out": 2}, {"in": -1, "error": "negative"}]
            }}"#,
        );
        let counted = runs[..2].concat();
        let ways = ["alone in a used", "in one batch of all cases,", "reversed", "shuffled"];
        assert_has(&counted, &ways);
        assert!(!counted.iter().any(|run| run.starts_with("alone in a fresh")), "{counted:#?}");
        assert_eq!(runs[2..].concat(), Vec::<String>::new());
    }

    #[test]
    fn an_aggregate_that_breaks_the_laws_fails() {
        let runs = runs(
            r#"{"aggregates": {
                "newest": [{"rows": [7], "out": 7}, {"rows": [1, 2], "out": 2}],
                "total": [{"rows": [7], "out": 7}, {"rows": [1, 2, 3, 4, 5, 6, 7], "out": 28}]
            }}"#,
        );
        // The empty state is no neutral element: newest takes it for a row.
        assert_has(
            &runs[0],
            &[
                "split into a = row 0; b = nothing; c = nothing, merged as (a + b) + c",
                "7 from the state 0x0700000000000000 (8 bytes) / 0 from the state 0x0000000000000000",
            ],
        );
        assert_has(
            &runs[1],
            &["folded with its rows reversed, unlike folded whole", "(8 bytes) / 1"],
        );
        assert_eq!(runs[2..].concat(), Vec::<String>::new());
    }
}
