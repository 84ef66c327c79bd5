//! States of one aggregate of a query, one for each of its groups, over the
//! kernel by which views fold rows.
//!
//! Between the stages of a query, and when it spills, states travel as their
//! canonical bytes; a group that failed travels as null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use arrow::compute::filter;
use arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result};
use unskew_column::{Conversion, InputFault};
use unskew_definition::OnError;
use unskew_executor::{AggregateKernel, ErrorPolicy, GroupStates, KernelError, RowOrder, RowTie};
use unskew_host::{Outcome, RowError, RowStatus};

use crate::sql::error::RowFailed;
use crate::sql::row_failures::RowFailures;

/// An aggregate as one place of a query uses it.
pub(crate) struct Fold {
    /// What messages call it.
    pub(crate) name: String,
    pub(crate) kernel: Arc<dyn AggregateKernel>,
    /// How what is given becomes the kernel's inputs.
    pub(crate) conversions: Vec<Conversion>,
    /// The columns behind the arguments by which rows are ordered: where the
    /// first of them stands among the values, and how each sorts.
    pub(crate) order: Option<(usize, Vec<SortField>)>,
    pub(crate) policy: ErrorPolicy,
    pub(crate) failures: RowFailures,
}

/// One state for each group so far.
pub(crate) struct QueryStates {
    fold: Arc<Fold>,
    states: Box<dyn GroupStates>,
    /// Where a group's rows of the current batch are folded into, by group.
    places: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

/// What the host could not do, as DataFusion's error.
pub(crate) fn external(error: KernelError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl Fold {
    /// The kernel's inputs of some rows, and by what these are ordered.
    fn inputs(&self, values: &[ArrayRef], rows: usize) -> Result<(Vec<ArrayRef>, RowOrder)> {
        let mut inputs = Vec::with_capacity(self.conversions.len());
        for (conversion, given) in self.conversions.iter().zip(values) {
            let (input, faults) = conversion.apply(given)?;
            let failed = faults.into_iter().map(|InputFault { row, reason }| RowError {
                row,
                status: RowStatus::InvalidInput,
                message: reason,
            });
            let failed: Vec<RowError> = failed.collect();
            self.judge(&failed)?;
            inputs.push(input);
        }
        let order = match &self.order {
            None => unordered(rows),
            Some((first, fields)) => ordered(&values[*first..], &inputs, fields)?,
        };
        Ok((inputs, order))
    }

    fn no_states(&self, count: usize) -> Result<Box<dyn GroupStates>> {
        let empty = |input: &unskew_definition::Field| {
            arrow::array::new_empty_array(&input.data_type.to_arrow())
        };
        let inputs: Vec<ArrayRef> = self.kernel.inputs().iter().map(empty).collect();
        self.kernel.partial(&inputs, &RowOrder::empty(), &[], count).map_err(external)
    }

    /// Counts failures, or ends the query at them.
    fn judge(&self, errors: &[RowError]) -> Result<()> {
        match errors.first() {
            Some(first) if self.policy.on_error() == OnError::Fail => {
                Err(DataFusionError::External(Box::new(RowFailed {
                    function: self.name.clone(),
                    status: first.status,
                    message: first.message.clone(),
                })))
            }
            _ => {
                self.failures.add(&self.name, errors);
                Ok(())
            }
        }
    }
}

/// For aggregates to which the order of rows means nothing.
fn unordered(rows: usize) -> RowOrder {
    let positions = (0..rows as u32).collect::<Vec<u32>>().into();
    RowOrder::new(vec![0; rows].into(), None, RowTie::Position { positions })
}

/// By the columns of ORDER BY, and where these are equal by the values, so that
/// the order is that of the rows' contents alone.
fn ordered(by: &[ArrayRef], inputs: &[ArrayRef], fields: &[SortField]) -> Result<RowOrder> {
    let values = inputs.iter().map(|input| SortField::new(input.data_type().clone()));
    let converter = RowConverter::new(fields.iter().cloned().chain(values).collect())?;
    let columns: Vec<ArrayRef> = by[..fields.len()].iter().chain(inputs).cloned().collect();
    let rows = converter.convert_columns(&columns)?;
    let keys = BinaryArray::from_iter_values(rows.iter());
    Ok(RowOrder::new(vec![0; keys.len()].into(), None, RowTie::Bytes(keys)))
}

impl QueryStates {
    pub(crate) fn new(fold: Arc<Fold>, groups: usize) -> Result<Self> {
        let states = fold.no_states(groups)?;
        Ok(Self { fold, states, places: Vec::new() })
    }

    fn grow(&mut self, groups: usize) -> Result<()> {
        if groups > self.states.len() {
            let more = self.fold.no_states(groups - self.states.len())?;
            self.states.append(more);
        }
        Ok(())
    }

    /// Folds rows into the states of their groups; of `only`, where there is
    /// such a column, those for which it is true.
    pub(crate) fn update(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        only: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.grow(count)?;
        let folded = self.fold_rows(values, groups, only)?;
        if let Some((states, into)) = folded {
            let from: Vec<u32> = (0..into.len() as u32).collect();
            self.states.merge(&into, states.as_ref(), &from).map_err(external)?;
        }
        Ok(())
    }

    /// Takes rows out again that were folded in before.
    pub(crate) fn retract(&mut self, values: &[ArrayRef], groups: &[usize]) -> Result<()> {
        if let Some((states, into)) = self.fold_rows(values, groups, None)? {
            let from: Vec<u32> = (0..into.len() as u32).collect();
            self.states.subtract(&into, states.as_ref(), &from).map_err(external)?;
        }
        Ok(())
    }

    /// The rows folded by themselves, with the group of each of the states.
    fn fold_rows(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        only: Option<&BooleanArray>,
    ) -> Result<Option<(Box<dyn GroupStates>, Vec<u32>)>> {
        let (values, groups) = match only {
            None => (values.to_vec(), groups.to_vec()),
            Some(only) => {
                let values = values.iter().map(|column| filter(column, only));
                let taken = |row: &usize| only.is_valid(*row) && only.value(*row);
                let groups = groups.iter().enumerate().filter(|(row, _)| taken(row));
                (
                    values.collect::<std::result::Result<Vec<_>, _>>()?,
                    groups.map(|(_, group)| *group).collect(),
                )
            }
        };
        if groups.is_empty() {
            return Ok(None);
        }
        let (inputs, order) = self.fold.inputs(&values, groups.len())?;
        let (locals, into) = self.local_groups(&groups);
        let mut states =
            self.fold.kernel.partial(&inputs, &order, &locals, into.len()).map_err(external)?;
        self.fold.judge(&states.take_row_errors())?;
        Ok(Some((states, into)))
    }

    /// The groups of a batch numbered from 0, and which each of them is.
    fn local_groups(&mut self, groups: &[usize]) -> (Vec<u32>, Vec<u32>) {
        let most = groups.iter().copied().max().unwrap_or(0);
        if self.places.len() <= most {
            self.places.resize(most + 1, NOWHERE);
        }
        let mut into: Vec<u32> = Vec::new();
        let mut locals = Vec::with_capacity(groups.len());
        for group in groups {
            let place = &mut self.places[*group];
            if *place == NOWHERE {
                *place = into.len() as u32;
                into.push(*group as u32);
            }
            locals.push(*place);
        }
        into.iter().for_each(|group| self.places[*group as usize] = NOWHERE);
        (locals, into)
    }

    /// Merges states that were sent, each into its group.
    pub(crate) fn merge(&mut self, sent: &ArrayRef, groups: &[usize], count: usize) -> Result<()> {
        self.grow(count)?;
        if groups.is_empty() {
            return Ok(());
        }
        let sent = sent.as_binary_opt::<i32>().ok_or_else(|| {
            DataFusionError::Internal(format!("states of {} are no bytes", self.fold.name))
        })?;
        let mut states = self.fold.kernel.decode(sent).map_err(external)?;
        let (locals, into) = self.local_groups(groups);
        // Those of one group are merged pair by pair first, all groups at once.
        let mut of_group: Vec<Vec<u32>> = vec![Vec::new(); into.len()];
        for (row, local) in locals.iter().enumerate() {
            of_group[*local as usize].push(row as u32);
        }
        while of_group.iter().any(|rows| rows.len() > 1) {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            for rows in &mut of_group {
                for pair in rows.chunks_exact(2) {
                    left.push(pair[0]);
                    right.push(pair[1]);
                }
                let mut at = 0;
                rows.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
            }
            let rights = states.take(&right);
            let from: Vec<u32> = (0..right.len() as u32).collect();
            states.merge(&left, rights.as_ref(), &from).map_err(external)?;
        }
        let from: Vec<u32> = of_group.iter().map(|rows| rows[0]).collect();
        self.states.merge(&into, states.as_ref(), &from).map_err(external)
    }

    /// The first `count` groups as bytes; the others move up.
    pub(crate) fn take_encoded(&mut self, count: usize) -> Result<BinaryArray> {
        Ok(self.take(count)?.encode())
    }

    /// The values of the first `count` groups; the others move up.
    pub(crate) fn take_values(&mut self, count: usize) -> Result<ArrayRef> {
        let taken = self.take(count)?;
        self.finish(taken.as_ref())
    }

    /// The values of all groups, which stay.
    pub(crate) fn values(&self) -> Result<ArrayRef> {
        self.finish(self.states.as_ref())
    }

    /// All groups as bytes; they stay.
    pub(crate) fn encoded(&self) -> BinaryArray {
        self.states.encode()
    }

    fn take(&mut self, count: usize) -> Result<Box<dyn GroupStates>> {
        let all = self.states.len();
        if count >= all {
            self.places = Vec::new();
            let none = self.fold.no_states(0)?;
            let mut taken = std::mem::replace(&mut self.states, none);
            if count > all {
                taken.append(self.fold.no_states(count - all)?);
            }
            return Ok(taken);
        }
        let range = |from: usize, to: usize| (from as u32..to as u32).collect::<Vec<u32>>();
        let taken = self.states.take(&range(0, count));
        self.states = self.states.take(&range(count, all));
        Ok(taken)
    }

    fn finish(&self, states: &dyn GroupStates) -> Result<ArrayRef> {
        let Outcome { mut columns, errors, metrics } = states.finish().map_err(external)?;
        self.fold.failures.add_calls(metrics);
        self.fold.judge(&errors)?;
        self.fold.policy.fill(&mut columns, &errors)?;
        Ok(columns.swap_remove(0))
    }

    /// Each row as the state of a group of its own; of rows that do not count,
    /// the state of no rows.
    pub(crate) fn of_rows(
        fold: &Arc<Fold>,
        values: &[ArrayRef],
        only: Option<&BooleanArray>,
    ) -> Result<BinaryArray> {
        let rows = values.first().map_or_else(|| only.map_or(0, Array::len), Array::len);
        let groups: Vec<usize> = (0..rows).collect();
        let mut states = Self::new(Arc::clone(fold), rows)?;
        states.update(values, &groups, only, rows)?;
        Ok(states.encoded())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.states.memory_bytes() + self.places.capacity() * size_of::<u32>()
    }
}
