//! Runs the cases of an aggregate: folded whole in a fresh instance for the
//! verdict, then in other orders and parts, which must not change it.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::Sandboxes;
use super::folder::{Folder, State};
use super::report::{CaseReport, Difference, Kind};
use super::splits::{PARTS, Parts, splits};
use super::suite::AggregateSuite;
use super::verdict::Failure;

/// How the cases are run for their golden verdict.
const WHOLE: &str = "folded whole in a fresh instance";

/// One case in the sandbox, and the state and failed rows that it must keep.
struct Law<'a> {
    folder: &'a Folder<'a>,
    batch: &'a RecordBatch,
    whole: State,
    failed_rows: BTreeMap<usize, Failure>,
}

pub(super) fn run(
    suite: &AggregateSuite<'_>,
    sandboxes: &Sandboxes,
) -> anyhow::Result<Vec<CaseReport>> {
    let fresh = Folder::new(suite, &sandboxes.fresh);
    let used = Folder::new(suite, &sandboxes.used);
    let grouped = used.fold_cases(suite)?;
    let cases = suite.cases.iter().zip(&suite.inputs).enumerate();
    cases
        .map(|(i, (case, (batch, row_errors)))| {
            let (whole, failed_rows) = fresh.fold(batch)?;
            let value = fresh.value(&whole)?;
            let mut differences = value.against_case(case, fresh.outputs(), WHOLE);
            differences.extend(row_differences(row_errors, &failed_rows));
            let law = Law { folder: &used, batch, whole, failed_rows };
            differences.extend(law.keeps(&grouped[i], "folded with all cases as groups")?);
            differences.extend(law.holds_in_any_order()?);
            differences.extend(law.holds_in_parts(suite.signature.subtract)?);
            Ok(CaseReport {
                kind: Kind::Aggregate,
                function: suite.signature.name.to_string(),
                case: i + 1,
                name: case.name.clone(),
                passed: differences.is_empty(),
                differences,
            })
        })
        .collect()
}

/// Rows that fail though they should not, or the other way round.
fn row_differences(
    expected: &BTreeMap<usize, String>,
    found: &BTreeMap<usize, Failure>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (row, failure) in found {
        let got = failure.to_string();
        let expected = match expected.get(row) {
            Some(part) if got.contains(part.as_str()) => continue,
            Some(part) => format!("an error with {part:?}"),
            None => "no error (or name the row in row_errors)".to_owned(),
        };
        differences.push(Difference::plain(WHOLE, Some(*row), expected, got));
    }
    for (row, part) in expected.iter().filter(|(row, _)| !found.contains_key(row)) {
        let expected = format!("an error with {part:?}");
        differences.push(Difference::plain(WHOLE, Some(*row), expected, "no error".to_owned()));
    }
    differences
}

/// Of failures only the status is compared.
fn same(a: &State, b: &State) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => a == b,
        (Err(a), Err(b)) => a.status == b.status,
        _ => false,
    }
}

impl Law<'_> {
    /// How `state` differs from that of the whole; if it does, with both values.
    fn keeps(&self, state: &State, run: &str) -> anyhow::Result<Vec<Difference>> {
        if same(&self.whole, state) {
            return Ok(Vec::new());
        }
        let expected = self.folder.shown(&self.whole)?;
        let got = self.folder.shown(state)?;
        Ok(vec![Difference::plain(&format!("{run}, unlike {WHOLE}"), None, expected, got)])
    }

    /// In a used instance, as the rows are, reversed and shuffled.
    fn holds_in_any_order(&self) -> anyhow::Result<Vec<Difference>> {
        let in_order: Vec<u32> = (0..self.batch.num_rows() as u32).collect();
        let reversed: Vec<u32> = in_order.iter().rev().copied().collect();
        let mut shuffled = in_order.clone();
        // A fixed seed, so that a failure comes again.
        shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
        let mut differences = Vec::new();
        for (run, order) in [
            ("folded whole in a used instance", in_order),
            ("folded with its rows reversed", reversed),
            ("folded with its rows shuffled", shuffled),
        ] {
            let batch = take_record_batch(self.batch, &UInt32Array::from(order.clone()))?;
            let (state, failed_rows) = self.folder.fold(&batch)?;
            differences.extend(self.keeps(&state, run)?);
            differences.extend(self.keeps_rows(&order, &failed_rows, run));
        }
        Ok(differences)
    }

    /// Whether just those rows failed that failed in the whole. `origins` has
    /// for each row handed over the row of the case that it is.
    fn keeps_rows(
        &self,
        origins: &[u32],
        failed_rows: &BTreeMap<usize, Failure>,
        run: &str,
    ) -> Option<Difference> {
        let status = |failure: Option<&Failure>| {
            failure.map_or("no error".to_owned(), |failure| failure.status.clone())
        };
        origins.iter().enumerate().find_map(|(row, origin)| {
            let expected = status(self.failed_rows.get(&(*origin as usize)));
            let got = status(failed_rows.get(&row));
            let run = format!("{run}, unlike {WHOLE}");
            (expected != got)
                .then(|| Difference::plain(&run, Some(*origin as usize), expected, got))
        })
    }

    /// Split into parts and merged in either tree; and, where the aggregate can
    /// subtract, a part taken out again. Of each law the first split that
    /// breaks it is reported.
    fn holds_in_parts(&self, subtract: bool) -> anyhow::Result<Vec<Difference>> {
        let splits = splits(self.batch.num_rows());
        let parts = Parts::of(&splits);
        let batch = take_record_batch(self.batch, &parts.rows)?;
        let folded = self.folder.fold_groups(&batch, &parts.groups, parts.group_count)?;
        let part = |part: usize| -> Vec<&State> {
            parts.of_split.iter().map(|groups| &folded.states[groups[part]]).collect()
        };
        let [a, b, c]: [Vec<&State>; PARTS] = std::array::from_fn(part);
        let ab = self.folder.merge(&a, &b)?;
        let bc = self.folder.merge(&b, &c)?;
        let ab: Vec<&State> = ab.iter().collect();
        let left = self.folder.merge(&ab, &c)?;
        let right = self.folder.merge(&a, &bc.iter().collect::<Vec<_>>())?;

        let run = "folded in parts, all of them as groups of one batch";
        let mut differences: Vec<_> =
            self.keeps_rows(parts.rows.values(), &folded.failed_rows, run).into_iter().collect();
        for (tree, merged) in [("(a + b) + c", &left), ("a + (b + c)", &right)] {
            if let Some(i) = merged.iter().position(|state| !same(&self.whole, state)) {
                let run = format!("{}, merged as {tree}", splits[i]);
                differences.extend(self.keeps(&merged[i], &run)?);
            }
        }
        if subtract {
            let back = self.folder.subtract(&ab, &b)?;
            if let Some(i) = (0..back.len()).find(|i| !same(a[*i], &back[*i])) {
                let run = format!("{}, (a + b) - b, unlike a", splits[i]);
                let (expected, got) = (self.folder.shown(a[i])?, self.folder.shown(&back[i])?);
                differences.push(Difference::plain(&run, None, expected, got));
            }
        }
        Ok(differences)
    }
}
