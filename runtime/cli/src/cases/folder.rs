//! One aggregate in one sandbox: rows to states, states to values.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use unskew_definition::Field;
use unskew_host::{CallError, CompiledModule, Fold, Outcome};

use super::suite::AggregateSuite;
use super::verdict::{Failure, Verdict, deadline_failure, verdicts};

/// The bytes of a state, or why there are none.
pub(super) type State = Result<Vec<u8>, Failure>;

pub(super) struct Folder<'a> {
    module: &'a CompiledModule,
    index: usize,
    output: &'a Field,
}

/// The states of some groups of rows, and the rows that count for none.
pub(super) struct Folded {
    pub(super) states: Vec<State>,
    pub(super) failed_rows: BTreeMap<usize, Failure>,
}

/// `merge` or `subtract`.
type Pairwise =
    fn(&CompiledModule, usize, &BinaryArray, &BinaryArray) -> Result<Outcome, CallError>;

impl<'a> Folder<'a> {
    pub(super) fn new(suite: &AggregateSuite<'a>, module: &'a CompiledModule) -> Self {
        Self { module, index: suite.index, output: &suite.signature.output }
    }

    pub(super) fn outputs(&self) -> &[Field] {
        std::slice::from_ref(self.output)
    }

    /// All rows of `batch` into one state.
    pub(super) fn fold(
        &self,
        batch: &RecordBatch,
    ) -> anyhow::Result<(State, BTreeMap<usize, Failure>)> {
        let groups = UInt32Array::from(vec![0; batch.num_rows()]);
        let Folded { mut states, failed_rows } = self.fold_groups(batch, &groups, 1)?;
        Ok((states.swap_remove(0), failed_rows))
    }

    /// The rows of each group into one state.
    pub(super) fn fold_groups(
        &self,
        batch: &RecordBatch,
        groups: &UInt32Array,
        count: usize,
    ) -> anyhow::Result<Folded> {
        match self.module.partial(self.index, batch, groups, count) {
            Ok(Fold { states, row_errors, group_errors, .. }) => {
                let mut folded: Vec<State> =
                    (0..count).map(|group| Ok(states.value(group).to_vec())).collect();
                for (group, failure) in group_errors.into_iter().map(Failure::of_row) {
                    folded[group] = Err(failure);
                }
                let failed_rows = row_errors.into_iter().map(Failure::of_row).collect();
                Ok(Folded { states: folded, failed_rows })
            }
            Err(error) => {
                let failure = deadline_failure(error)?;
                Ok(Folded { states: vec![Err(failure); count], failed_rows: BTreeMap::new() })
            }
        }
    }

    /// The state of each case, all of them folded in one call.
    pub(super) fn fold_cases(&self, suite: &AggregateSuite<'_>) -> anyhow::Result<Vec<State>> {
        let Some((first, _)) = suite.inputs.first() else { return Ok(Vec::new()) };
        let all = concat_batches(&first.schema(), suite.inputs.iter().map(|(batch, _)| batch))?;
        let groups =
            suite.inputs.iter().enumerate().flat_map(|(group, (batch, _))| {
                std::iter::repeat_n(group as u32, batch.num_rows())
            });
        Ok(self.fold_groups(&all, &groups.collect(), suite.inputs.len())?.states)
    }

    /// Left and right, pair by pair.
    pub(super) fn merge(&self, left: &[&State], right: &[&State]) -> anyhow::Result<Vec<State>> {
        self.pairwise(left, right, CompiledModule::merge)
    }

    /// Right out of left, pair by pair.
    pub(super) fn subtract(&self, left: &[&State], right: &[&State]) -> anyhow::Result<Vec<State>> {
        self.pairwise(left, right, CompiledModule::subtract)
    }

    /// What has failed before stays failed, and is not handed over.
    fn pairwise(
        &self,
        left: &[&State],
        right: &[&State],
        operation: Pairwise,
    ) -> anyhow::Result<Vec<State>> {
        let mut results: Vec<State> = Vec::with_capacity(left.len());
        let mut good: Vec<(usize, &[u8], &[u8])> = Vec::with_capacity(left.len());
        for (i, pair) in left.iter().zip(right).enumerate() {
            match pair {
                (Ok(left), Ok(right)) => {
                    good.push((i, left, right));
                    results.push(Ok(Vec::new()));
                }
                (Err(failure), _) | (_, Err(failure)) => results.push(Err(failure.clone())),
            }
        }
        let lefts = BinaryArray::from_iter_values(good.iter().map(|(_, left, _)| left));
        let rights = BinaryArray::from_iter_values(good.iter().map(|(_, _, right)| right));
        match operation(self.module, self.index, &lefts, &rights) {
            Ok(Outcome { columns, errors, .. }) => {
                let states = columns[0].as_binary::<i32>();
                for (row, (i, ..)) in good.iter().enumerate() {
                    results[*i] = Ok(states.value(row).to_vec());
                }
                for (row, failure) in errors.into_iter().map(Failure::of_row) {
                    results[good[row].0] = Err(failure);
                }
            }
            Err(error) => {
                let failure = deadline_failure(error)?;
                good.iter().for_each(|(i, ..)| results[*i] = Err(failure.clone()));
            }
        }
        Ok(results)
    }

    /// What `finish` makes of a state.
    pub(super) fn value(&self, state: &State) -> anyhow::Result<Verdict> {
        match state {
            Err(failure) => Ok(Verdict::Failed(failure.clone())),
            Ok(bytes) => {
                let states = BinaryArray::from_iter_values([bytes]);
                let outcome = self.module.finish(self.index, &states);
                Ok(verdicts(outcome, states.len())?.swap_remove(0))
            }
        }
    }

    /// The value of a state and its bytes, for people.
    pub(super) fn shown(&self, state: &State) -> anyhow::Result<String> {
        let value = self.value(state)?.to_text(self.outputs());
        Ok(match state {
            Ok(bytes) => format!("{value} from the state {}", hexadecimal(bytes)),
            Err(_) => value,
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const SHOWN: usize = 96;
    let digits: String = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let rest = if bytes.len() > SHOWN { "..." } else { "" };
    format!("0x{digits}{rest} ({} bytes)", bytes.len())
}
