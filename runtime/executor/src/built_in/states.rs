use std::any::Any;

use arrow::array::{Array, ArrayRef, BinaryArray, BinaryBuilder};
use unskew_aggregate::{Aggregate, GroupStates as AggregateStates, RowKeys, Spans};
use unskew_host::{CallMetrics, Outcome, RowError, RowStatus};

use crate::aggregate_kernel::{GroupStates, KernelError};
use crate::built_in::values::ValueBuilder;
use crate::built_in::{BuiltInAggregate, column_of};
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
        let rows = self.states.len();
        let mut values = ValueBuilder::new(self.aggregate().output(), rows);
        let mut errors = Vec::new();
        for row in 0..rows {
            match self.states.finish(row as u32) {
                Ok(value) => values.append(value.as_ref()),
                Err(overflow) => {
                    values.append(None);
                    let message = overflow.to_string();
                    errors.push(RowError { row, status: RowStatus::Failed, message });
                }
            }
        }
        let failed: Vec<usize> = errors.iter().map(|error| error.row).collect();
        let columns = vec![values.finish(&failed)];
        Ok(Outcome { columns, errors, metrics: CallMetrics::default() })
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
        // What states hold beyond themselves is not known here.
        self.states.len() * size_of::<unskew_aggregate::State>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
