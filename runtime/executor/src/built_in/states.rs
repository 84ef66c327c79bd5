use std::any::Any;

use arrow::array::{Array, ArrayRef, BinaryArray, BinaryBuilder};
use unskew_aggregate::{Aggregate, GroupStates as AggregateStates, RowKeys, Spans};
use unskew_host::Outcome;

use crate::aggregate_kernel::{GroupStates, KernelError};
use crate::built_in::{BuiltInAggregate, OutcomeBuilder, column_of};
use crate::row_order::RowOrder;

/// States of a built-in aggregate, none of which ever fails: only their value
/// may be an error.
pub(crate) struct BuiltInStates {
    states: AggregateStates,
}

impl BuiltInStates {
    pub(crate) fn folded(
        kernel: &BuiltInAggregate,
        inputs: &[ArrayRef],
        order: &RowOrder,
        groups: &[u32],
        group_count: usize,
    ) -> Result<Self, KernelError> {
        let aggregate = *kernel.aggregate();
        let mut states = AggregateStates::new(aggregate);
        states.resize(group_count);
        if groups.is_empty() {
            return Ok(Self { states });
        }
        let column = aggregate.input().map(|kind| column_of(&inputs[0], kind));
        if aggregate.needs_order() {
            let (offsets, bytes) = order.ties();
            let ties = Some(Spans { offsets: &offsets, bytes: &bytes });
            let keys = RowKeys { event_timestamps: order.event_timestamps(), ties };
            states.update(column.as_ref(), groups, Some(&keys));
        } else {
            states.update(column.as_ref(), groups, None);
        }
        Ok(Self { states })
    }

    pub(crate) fn decoded(
        kernel: &BuiltInAggregate,
        bytes: &BinaryArray,
    ) -> Result<Self, KernelError> {
        let mut states = AggregateStates::new(*kernel.aggregate());
        states.resize(bytes.len());
        for (row, bytes) in bytes.iter().enumerate() {
            let wrong = |reason: String| KernelError::Decode {
                aggregate: kernel.output.name.to_string(),
                row,
                reason,
            };
            let bytes = bytes.ok_or_else(|| wrong("it is null".to_owned()))?;
            states.merge_bytes(row as u32, bytes).map_err(|error| wrong(error.to_string()))?;
        }
        Ok(Self { states })
    }

    fn of(other: &dyn GroupStates) -> &Self {
        other.as_any().downcast_ref().expect("states of one kernel are of one form")
    }

    fn aggregate(&self) -> &Aggregate {
        self.states.aggregate()
    }

    fn finished(&self, groups: impl ExactSizeIterator<Item = u32>) -> Outcome {
        let mut values = OutcomeBuilder::new(self.aggregate().output(), groups.len());
        groups.for_each(|group| values.append(self.states.finish(group)));
        values.finish()
    }
}

impl GroupStates for BuiltInStates {
    fn len(&self) -> usize {
        self.states.len()
    }

    fn merge(
        &mut self,
        into: &[u32],
        other: &dyn GroupStates,
        from: &[u32],
    ) -> Result<(), KernelError> {
        let other = Self::of(other);
        for (into, from) in into.iter().zip(from) {
            self.states.merge_state(*into, &other.states.state(*from));
        }
        Ok(())
    }

    fn subtract(
        &mut self,
        into: &[u32],
        other: &dyn GroupStates,
        from: &[u32],
    ) -> Result<(), KernelError> {
        let other = Self::of(other);
        for (into, from) in into.iter().zip(from) {
            self.states.subtract_state(*into, &other.states.state(*from));
        }
        Ok(())
    }

    fn assign(&mut self, into: &[u32], other: &dyn GroupStates, from: &[u32]) {
        let other = Self::of(other);
        for (into, from) in into.iter().zip(from) {
            self.states.clear(*into);
            self.states.merge_state(*into, &other.states.state(*from));
        }
    }

    fn append(&mut self, other: Box<dyn GroupStates>) {
        let other = Self::of(&*other);
        let length = self.states.len();
        self.states.resize(length + other.states.len());
        for group in 0..other.states.len() {
            let into = (length + group) as u32;
            self.states.merge_state(into, &other.states.state(group as u32));
        }
    }

    fn take(&self, groups: &[u32]) -> Box<dyn GroupStates> {
        let mut states = AggregateStates::new(*self.aggregate());
        states.resize(groups.len());
        for (into, from) in groups.iter().enumerate() {
            states.merge_state(into as u32, &self.states.state(*from));
        }
        Box::new(Self { states })
    }

    fn finish(&self) -> Result<Outcome, KernelError> {
        Ok(self.finished(0..self.states.len() as u32))
    }

    fn finish_of(&self, groups: &[u32]) -> Result<Outcome, KernelError> {
        Ok(self.finished(groups.iter().copied()))
    }

    fn encode(&self) -> BinaryArray {
        let mut bytes = Vec::new();
        let mut encoded = BinaryBuilder::with_capacity(self.states.len(), 0);
        for group in 0..self.states.len() {
            bytes.clear();
            self.states.encode(group as u32, &mut bytes);
            encoded.append_value(&bytes);
        }
        encoded.finish()
    }

    fn memory_bytes(&self) -> usize {
        self.states.allocated_bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
