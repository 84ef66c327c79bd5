use arrow::array::cast::AsArray;
use arrow::array::{Array, BinaryArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use unskew_host::{CallShape, CompiledModule, Fold, Outcome, RowError, RowStatus};

use crate::purity::{GateError, text};

/// What a group or a pair yields: bytes of a state (of a value, from finish),
/// or why there are none.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Bytes(Vec<u8>, String),
    Failed(RowStatus, String),
}

impl PartialEq for State {
    /// By the bytes; all failures are alike, for what a module says of them
    /// may name what it came upon first.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(one, _), Self::Bytes(other, _)) => one == other,
            (Self::Failed(..), Self::Failed(..)) => true,
            _ => false,
        }
    }
}

impl State {
    fn of(bytes: &[u8]) -> Self {
        const SHOWN: usize = 24;
        let hex: String = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
        let more = if bytes.len() > SHOWN { "..." } else { "" };
        Self::Bytes(bytes.to_vec(), format!("{} bytes 0x{hex}{more}", bytes.len()))
    }

    /// Of a row that the aggregate did not take.
    pub(crate) fn refused() -> Self {
        Self::Failed(RowStatus::Failed, "the row is refused".to_owned())
    }

    /// Whether the module broke down instead of reporting an error.
    pub(crate) fn is_trap(&self) -> bool {
        matches!(self, Self::Failed(status, _) if *status != RowStatus::Failed)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes, _) => bytes.len(),
            Self::Failed(..) => 0,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(_, shown) => f.write_str(shown),
            Self::Failed(status, message) => write!(f, "an error ({status}: {message})"),
        }
    }
}

/// The states of a fold, and which of its rows failed.
pub(crate) struct Folded {
    pub(crate) states: Vec<State>,
    pub(crate) failed: Vec<bool>,
}

/// Calls an aggregate on generated rows and the states it makes of them.
#[derive(Clone, Copy)]
pub(crate) struct Folder<'a> {
    pub(crate) module: &'a CompiledModule,
    pub(crate) index: usize,
    pub(crate) batch: &'a RecordBatch,
}

impl Folder<'_> {
    pub(crate) fn name(&self) -> String {
        self.module.manifest().aggregates[self.index].name.to_string()
    }

    /// Folds the generated rows named by `rows` into groups.
    pub(crate) fn partial(
        &self,
        rows: &[u32],
        groups: &[u32],
        count: usize,
        shape: CallShape,
    ) -> Result<Folded, GateError> {
        let batch = match self.batch.num_columns() {
            0 => self.batch.slice(0, rows.len().min(self.batch.num_rows())),
            _ => take_record_batch(self.batch, &UInt32Array::from(rows.to_vec()))?,
        };
        let groups = UInt32Array::from(groups[..batch.num_rows()].to_vec());
        let Fold { states, row_errors, group_errors, .. } =
            self.module.partial_in_shape(self.index, &batch, &groups, count, shape)?;
        let mut failed = vec![false; rows.len()];
        for error in row_errors {
            failed[error.row] = true;
        }
        Ok(Folded { states: states_of(&states, group_errors), failed })
    }

    /// The state of no rows.
    pub(crate) fn empty(&self) -> Result<State, GateError> {
        let none = self.batch.slice(0, 0);
        let groups = UInt32Array::from(Vec::<u32>::new());
        let Fold { states, group_errors, .. } =
            self.module.partial(self.index, &none, &groups, 1)?;
        Ok(states_of(&states, group_errors).remove(0))
    }

    pub(crate) fn merge(
        &self,
        left: &[State],
        right: &[State],
        shape: CallShape,
    ) -> Result<Vec<State>, GateError> {
        let (left_bytes, right_bytes) = (bytes_of(left), bytes_of(right));
        let outcome = self.module.merge_in_shape(self.index, &left_bytes, &right_bytes, shape)?;
        Ok(combined(left, right, outcome))
    }

    pub(crate) fn subtract(
        &self,
        left: &[State],
        right: &[State],
    ) -> Result<Vec<State>, GateError> {
        let outcome = self.module.subtract(self.index, &bytes_of(left), &bytes_of(right))?;
        Ok(combined(left, right, outcome))
    }

    /// The values of states, as bytes that are equal where the values are, bit
    /// for bit.
    pub(crate) fn finish(
        &self,
        states: &[State],
        shape: CallShape,
    ) -> Result<Vec<State>, GateError> {
        let Outcome { columns, errors, .. } =
            self.module.finish_in_shape(self.index, &bytes_of(states), shape)?;
        let column = &columns[0];
        let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
        let rows = converter.convert_columns(&columns)?;
        let mut values = Vec::with_capacity(states.len());
        for (at, state) in states.iter().enumerate() {
            values.push(match state {
                State::Failed(..) => state.clone(),
                State::Bytes(..) => State::Bytes(rows.row(at).as_ref().to_vec(), text(column, at)?),
            });
        }
        for RowError { row, status, message } in errors {
            values[row] = State::Failed(status, message);
        }
        Ok(values)
    }

    /// A state, and the value that comes of it.
    pub(crate) fn shown(&self, state: &State) -> Result<String, GateError> {
        if let State::Failed(..) = state {
            return Ok(state.to_string());
        }
        let reused = CallShape { rows_per_call: 1, isolation: unskew_host::Isolation::Reuse };
        let value = self.finish(std::slice::from_ref(state), reused)?.remove(0);
        Ok(format!("{value} (state: {state})"))
    }

    pub(crate) fn shown_rows(&self, rows: &[u32]) -> Result<Vec<Vec<(String, String)>>, GateError> {
        let inputs = &self.module.manifest().aggregates[self.index].inputs;
        let of = |row: &u32| {
            let arguments = inputs.iter().zip(self.batch.columns());
            arguments
                .map(|(input, column)| Ok((input.name.to_string(), text(column, *row as usize)?)))
                .collect()
        };
        rows.iter().map(of).collect()
    }
}

fn states_of(states: &BinaryArray, errors: Vec<RowError>) -> Vec<State> {
    let nothing = || State::Failed(RowStatus::Failed, "no state".to_owned());
    let mut found: Vec<State> =
        states.iter().map(|state| state.map_or_else(nothing, State::of)).collect();
    for RowError { row, status, message } in errors {
        found[row] = State::Failed(status, message);
    }
    found
}

fn bytes_of(states: &[State]) -> BinaryArray {
    states
        .iter()
        .map(|state| match state {
            State::Bytes(bytes, _) => Some(bytes.as_slice()),
            State::Failed(..) => None,
        })
        .collect()
}

/// What pairs yield; of a pair with a failure that failure.
fn combined(left: &[State], right: &[State], outcome: Outcome) -> Vec<State> {
    let Outcome { columns, errors, .. } = outcome;
    let mut states = states_of(columns[0].as_binary::<i32>(), errors);
    for ((state, left), right) in states.iter_mut().zip(left).zip(right) {
        for before in [right, left] {
            if let State::Failed(..) = before {
                *state = before.clone();
            }
        }
    }
    states
}
