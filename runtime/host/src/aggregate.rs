//! Aggregates: `partial` over groups of rows, then `merge`, `subtract` and
//! `finish` over states, row by row as a transform.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BinaryArray, BinaryBuilder, UInt32Array, new_empty_array};
use arrow::record_batch::RecordBatch;
use unskew_definition::{DataType, Field, Name};

use crate::arguments::Arguments;
use crate::config::CallShape;
use crate::error::CallError;
use crate::instance::Export;
use crate::metrics::CallMetrics;
use crate::module::{CompiledModule, Inner, Outcome, RowError};
use crate::split::{Evaluation, Part, Parts, contain, function_name};
use crate::transform::outcome;

/// What a fold of rows yields.
#[derive(Debug, Clone)]
pub struct Fold {
    /// One state for each group; null where its rows could not be merged.
    pub states: BinaryArray,
    /// Rows that failed, ascending: they count for no state.
    pub row_errors: Vec<RowError>,
    /// Groups whose states could not be merged, ascending; `row` is the group.
    pub group_errors: Vec<RowError>,
    /// What it took.
    pub metrics: CallMetrics,
}

fn state_field(name: &str) -> Field {
    let name = Name::new(name).expect("a constant name is a name");
    Field { name, data_type: DataType::Binary, nullable: false }
}

impl CompiledModule {
    /// Folds the rows of `batch`, whose columns are the aggregate's inputs,
    /// into `group_count` states; row i belongs to group `groups[i]`. Rows with
    /// a null in an input that is not nullable count for no state; a group
    /// without rows has the empty state.
    ///
    /// # Panics
    ///
    /// When the manifest has no aggregate at `index`.
    pub fn partial(
        &self,
        index: usize,
        batch: &RecordBatch,
        groups: &UInt32Array,
        group_count: usize,
    ) -> Result<Fold, CallError> {
        self.partial_in_shape(index, batch, groups, group_count, self.0.shape())
    }

    /// [`Self::partial`], cut into calls as `shape` says.
    ///
    /// # Panics
    ///
    /// When the manifest has no aggregate at `index`.
    pub fn partial_in_shape(
        &self,
        index: usize,
        batch: &RecordBatch,
        groups: &UInt32Array,
        group_count: usize,
        shape: CallShape,
    ) -> Result<Fold, CallError> {
        let module = &self.0;
        let signature = &module.manifest.aggregates[index];
        let rows = batch.num_rows();
        let wrong = |reason: String| CallError::WrongInput {
            function: function_name(module, Export::Partial, index),
            reason,
        };
        let groups_fit = groups.len() == rows
            && groups.null_count() == 0
            && groups.values().iter().all(|&group| (group as usize) < group_count);
        if !groups_fit || u32::try_from(group_count).is_err() {
            return Err(wrong(format!("{rows} rows need one group below {group_count} each")));
        }
        let arguments = Arguments::new(&signature.inputs, batch.columns(), rows).map_err(wrong)?;
        let groups: Vec<u32> = match &arguments.rows_of {
            Some(rows_of) => rows_of.iter().map(|&row| groups.value(row as usize)).collect(),
            None => groups.values().to_vec(),
        };
        let outputs = [state_field("state")];
        let folding = Evaluation {
            module,
            export: Export::Partial,
            index,
            inputs: &signature.inputs,
            outputs: &outputs,
            arguments: &arguments,
            groups: Some(&groups),
            shape,
            max_errors: None,
        };
        let Parts { parts, errors, metrics, bytes } = folding.run()?;
        let mut fold = Folding { module, index, shape, group_errors: Vec::new(), metrics, bytes };
        let mut has_rows = vec![false; group_count];
        groups.iter().for_each(|group| has_rows[*group as usize] = true);
        let states = match fold.in_place(&parts, &has_rows)? {
            Some(states) => states,
            None => fold.join(&parts, &has_rows)?,
        };
        let Folding { group_errors, metrics, .. } = fold;
        let row_errors = arguments.all_errors(&arguments.errors, errors);
        Ok(Fold { states, row_errors, group_errors, metrics })
    }

    /// Merges states pair by pair. A pair with a null yields null.
    ///
    /// # Panics
    ///
    /// When the manifest has no aggregate at `index`.
    pub fn merge(
        &self,
        index: usize,
        left: &BinaryArray,
        right: &BinaryArray,
    ) -> Result<Outcome, CallError> {
        self.merge_in_shape(index, left, right, self.0.shape())
    }

    /// [`Self::merge`], cut into calls as `shape` says.
    ///
    /// # Panics
    ///
    /// When the manifest has no aggregate at `index`.
    pub fn merge_in_shape(
        &self,
        index: usize,
        left: &BinaryArray,
        right: &BinaryArray,
        shape: CallShape,
    ) -> Result<Outcome, CallError> {
        pairwise(&self.0, Export::Merge, index, left, right, shape)
    }

    /// Takes the states of `right` out of those of `left`, pair by pair.
    ///
    /// # Panics
    ///
    /// When the manifest has no aggregate at `index`.
    pub fn subtract(
        &self,
        index: usize,
        left: &BinaryArray,
        right: &BinaryArray,
    ) -> Result<Outcome, CallError> {
        if !self.0.manifest.aggregates[index].subtract {
            return Err(CallError::WrongInput {
                function: function_name(&self.0, Export::Subtract, index),
                reason: "its manifest says that it cannot subtract".to_owned(),
            });
        }
        pairwise(&self.0, Export::Subtract, index, left, right, self.0.shape())
    }

    /// Turns states into values of the aggregate's output.
    ///
    /// # Panics
    ///
    /// When the manifest has no aggregate at `index`.
    pub fn finish(&self, index: usize, states: &BinaryArray) -> Result<Outcome, CallError> {
        self.finish_in_shape(index, states, self.0.shape())
    }

    /// [`Self::finish`], cut into calls as `shape` says.
    ///
    /// # Panics
    ///
    /// When the manifest has no aggregate at `index`.
    pub fn finish_in_shape(
        &self,
        index: usize,
        states: &BinaryArray,
        shape: CallShape,
    ) -> Result<Outcome, CallError> {
        let output = self.0.manifest.aggregates[index].output.clone();
        let columns: [ArrayRef; 1] = [Arc::new(states.clone())];
        let inputs = [state_field("state")];
        over_states(&self.0, Export::Finish, index, &inputs, &columns, output, shape)
    }
}

fn pairwise(
    module: &Inner,
    export: Export,
    index: usize,
    left: &BinaryArray,
    right: &BinaryArray,
    shape: CallShape,
) -> Result<Outcome, CallError> {
    let columns: [ArrayRef; 2] = [Arc::new(left.clone()), Arc::new(right.clone())];
    let inputs = [state_field("left"), state_field("right")];
    over_states(module, export, index, &inputs, &columns, state_field("state"), shape)
}

fn over_states(
    module: &Inner,
    export: Export,
    index: usize,
    inputs: &[Field],
    columns: &[ArrayRef],
    output: Field,
    shape: CallShape,
) -> Result<Outcome, CallError> {
    let rows = columns[0].len();
    let arguments = Arguments::new(inputs, columns, rows).map_err(|reason| {
        CallError::WrongInput { function: function_name(module, export, index), reason }
    })?;
    let outputs = [output];
    let evaluation = Evaluation {
        module,
        export,
        index,
        inputs,
        outputs: &outputs,
        arguments: &arguments,
        groups: None,
        shape,
        max_errors: None,
    };
    let parts = evaluation.run()?;
    outcome(&evaluation, parts, rows)
}

/// Joins the states that several calls gave for the same groups.
struct Folding<'a> {
    module: &'a Inner,
    index: usize,
    shape: CallShape,
    group_errors: Vec<RowError>,
    metrics: CallMetrics,
    /// Bytes of all states so far, the merged ones included.
    bytes: usize,
}

/// Where a group's state stands so far.
#[derive(Clone, Copy)]
enum State {
    Empty,
    At { array: usize, row: usize },
    Failed,
}

impl Folding<'_> {
    /// The states of one call for all groups, as they came. None where they
    /// are not all there, or a group without rows has another state than the
    /// empty one.
    fn in_place(
        &mut self,
        parts: &[Part],
        has_rows: &[bool],
    ) -> Result<Option<BinaryArray>, CallError> {
        let [part] = parts else { return Ok(None) };
        let is_each = part.groups.len() == has_rows.len()
            && part.groups.iter().zip(0..).all(|(group, at)| *group == at);
        if !is_each {
            return Ok(None);
        }
        let states = part.columns[0].as_binary::<i32>();
        let mut without = has_rows.iter().enumerate().filter(|(_, has)| !**has).peekable();
        if without.peek().is_some() {
            let Ok(empty) = self.empty_state()? else { return Ok(None) };
            let empty = empty.as_binary::<i32>().value(0);
            if !without.all(|(group, _)| states.value(group) == empty) {
                return Ok(None);
            }
        }
        Ok(Some(states.clone()))
    }

    fn join(&mut self, parts: &[Part], has_rows: &[bool]) -> Result<BinaryArray, CallError> {
        let mut arrays: Vec<BinaryArray> = Vec::with_capacity(parts.len());
        let mut states = vec![State::Empty; has_rows.len()];
        for part in parts {
            let array = arrays.len();
            arrays.push(part.columns[0].as_binary::<i32>().clone());
            let mut both = Vec::new();
            for (row, &group) in part.groups.iter().enumerate() {
                match states[group as usize] {
                    // What a call says of groups without rows does not count.
                    _ if !has_rows[group as usize] => {}
                    State::Empty => states[group as usize] = State::At { array, row },
                    State::At { array, row: before } => both.push((group, array, before, row)),
                    State::Failed => {}
                }
            }
            if both.is_empty() {
                continue;
            }
            let left = BinaryArray::from_iter_values(both.iter().map(|b| arrays[b.1].value(b.2)));
            let right =
                BinaryArray::from_iter_values(both.iter().map(|b| arrays[array].value(b.3)));
            let merged =
                pairwise(self.module, Export::Merge, self.index, &left, &right, self.shape)?;
            self.metrics += merged.metrics;
            for (row, (group, ..)) in both.iter().enumerate() {
                states[*group as usize] = State::At { array: arrays.len(), row };
            }
            for mut error in merged.errors {
                let group = both[error.row].0;
                states[group as usize] = State::Failed;
                error.row = group as usize;
                self.group_errors.push(error);
            }
            let merged = merged.columns[0].as_binary::<i32>().clone();
            self.bytes = self.bytes.saturating_add(merged.values().len());
            contain(self.module, Export::Merge, self.index, self.bytes)?;
            arrays.push(merged);
        }
        self.gather(&states, &arrays)
    }

    fn gather(
        &mut self,
        states: &[State],
        arrays: &[BinaryArray],
    ) -> Result<BinaryArray, CallError> {
        let any_empty = states.iter().any(|state| matches!(state, State::Empty));
        let empty = if any_empty { Some(self.empty_state()?) } else { None };
        // Many groups without rows may share one large empty state.
        let lengths = states.iter().map(|state| match (state, &empty) {
            (State::At { array, row }, _) => arrays[*array].value(*row).len(),
            (State::Empty, Some(Ok(empty))) => empty.as_binary::<i32>().value(0).len(),
            _ => 0,
        });
        let bytes = lengths.fold(0, usize::saturating_add);
        contain(self.module, Export::Partial, self.index, bytes)?;
        let mut gathered = BinaryBuilder::with_capacity(states.len(), bytes);
        for (group, state) in states.iter().enumerate() {
            match (state, &empty) {
                (State::At { array, row }, _) => gathered.append_value(arrays[*array].value(*row)),
                (State::Empty, Some(Ok(empty))) => {
                    gathered.append_value(empty.as_binary::<i32>().value(0));
                }
                (State::Empty, Some(Err(error))) => {
                    self.group_errors.push(RowError { row: group, ..error.clone() });
                    gathered.append_null();
                }
                (State::Empty | State::Failed, _) => gathered.append_null(),
            }
        }
        self.group_errors.sort_by_key(|error| error.row);
        Ok(gathered.finish())
    }

    /// The state of no rows at all, or how the module fails to give it.
    fn empty_state(&mut self) -> Result<Result<ArrayRef, RowError>, CallError> {
        let inputs = &self.module.manifest.aggregates[self.index].inputs;
        let columns =
            inputs.iter().map(|input| new_empty_array(&input.data_type.to_arrow())).collect();
        let arguments = Arguments { columns, rows: 0, rows_of: None, errors: Vec::new() };
        let folding = Evaluation {
            module: self.module,
            export: Export::Partial,
            index: self.index,
            inputs,
            outputs: &[state_field("state")],
            arguments: &arguments,
            groups: Some(&[]),
            shape: self.shape,
            max_errors: None,
        };
        folding.empty_state(&mut self.metrics)
    }
}
