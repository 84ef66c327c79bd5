//! [`QueryStates`] in the two forms in which DataFusion wants them: many groups
//! at once, and one.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use crate::sql::group_states::{Fold, QueryStates};

/// All groups of an aggregate.
pub(crate) struct KernelGroups {
    fold: Arc<Fold>,
    states: QueryStates,
    /// How many groups there are.
    count: usize,
}

impl KernelGroups {
    pub(crate) fn new(fold: Arc<Fold>) -> Result<Self> {
        let states = QueryStates::new(Arc::clone(&fold), 0)?;
        Ok(Self { fold, states, count: 0 })
    }

    /// How many groups are to be given, which are then gone.
    fn emitted(&mut self, emit: EmitTo) -> usize {
        let emitted = match emit {
            EmitTo::All => self.count,
            EmitTo::First(count) => count,
        };
        self.count = self.count.saturating_sub(emitted);
        emitted
    }
}

impl GroupsAccumulator for KernelGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.count = total_num_groups;
        self.states.update(values, group_indices, opt_filter, total_num_groups)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.count = total_num_groups;
        self.states.merge(&values[0], group_indices, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let count = self.emitted(emit_to);
        self.states.take_values(count)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let count = self.emitted(emit_to);
        Ok(vec![Arc::new(self.states.take_encoded(count)?)])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(QueryStates::of_rows(&self.fold, values, opt_filter)?)])
    }

    fn size(&self) -> usize {
        self.states.bytes()
    }
}

/// One group of an aggregate: a query without GROUP BY, or a window of it.
pub(crate) struct KernelGroup {
    states: QueryStates,
    name: String,
    subtracts: bool,
}

impl KernelGroup {
    pub(crate) fn new(fold: Arc<Fold>) -> Result<Self> {
        let (name, subtracts) = (fold.name.clone(), fold.kernel.subtracts());
        Ok(Self { states: QueryStates::new(fold, 1)?, name, subtracts })
    }
}

impl fmt::Debug for KernelGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelGroup").field("name", &self.name).finish_non_exhaustive()
    }
}

fn one_group(values: &[ArrayRef]) -> Vec<usize> {
    vec![0; values.first().map_or(0, Array::len)]
}

impl Accumulator for KernelGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.states.update(values, &one_group(values), None, 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.states.retract(values, &one_group(values))
    }

    fn supports_retract_batch(&self) -> bool {
        self.subtracts
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.states.merge(&states[0], &one_group(states), 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.states.values()?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::try_from_array(&self.states.encoded(), 0)?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.states.bytes()
    }
}
