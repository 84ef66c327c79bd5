//! The states of many groups, updated column by column.

use crate::aggregate::Aggregate;
use crate::bytes::StateError;
use crate::column::{Column, RowKeys};
use crate::order_key::OrderKey;
use crate::state::State;
use crate::sum::Overflow;
use crate::value::Value;

/// One state of an aggregate for each of so many groups, in the form that is
/// quickest to update. Groups are numbered from 0.
#[derive(Clone, Debug)]
pub struct GroupStates {
    aggregate: Aggregate,
    states: Vec<State>,
}

impl GroupStates {
    /// No groups yet.
    pub fn new(aggregate: Aggregate) -> Self {
        Self { aggregate, states: Vec::new() }
    }

    /// The aggregate.
    pub fn aggregate(&self) -> &Aggregate {
        &self.aggregate
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes it so many groups; new ones have seen no rows.
    pub fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups, || self.aggregate.empty());
    }

    /// Takes rows in: row i into the group `groups[i]`. `column` is the input,
    /// none for the count of rows; `keys` are those of the rows, which only
    /// aggregates that need the order look at.
    ///
    /// # Panics
    ///
    /// When a group is not there, the column is not of the input's kind or has
    /// fewer rows, or keys are needed and not given.
    pub fn update(
        &mut self,
        column: Option<&Column<'_>>,
        groups: &[u32],
        keys: Option<&RowKeys<'_>>,
    ) {
        assert!(keys.is_some() || !self.aggregate.needs_order(), "the rows need keys");
        const NO_KEY: OrderKey<'_> = OrderKey { event_timestamp: 0, tie: &[] };
        for (row, group) in groups.iter().enumerate() {
            let value = column.and_then(|column| column.get(row));
            let key = keys.map_or(NO_KEY, |keys| keys.get(row));
            self.aggregate.update(&mut self.states[*group as usize], value, key);
        }
    }

    /// Merges group i of `other` into the group `groups[i]`.
    ///
    /// # Panics
    ///
    /// When a group is not there, or `other` is of another aggregate.
    pub fn merge(&mut self, other: &Self, groups: &[u32]) {
        for (state, group) in other.states.iter().zip(groups) {
            self.aggregate.merge(&mut self.states[*group as usize], state);
        }
    }

    /// Takes group i of `other` out of the group `groups[i]`.
    ///
    /// # Panics
    ///
    /// As of [`merge`](Self::merge), and when the aggregate does not subtract.
    pub fn subtract(&mut self, other: &Self, groups: &[u32]) {
        for (state, group) in other.states.iter().zip(groups) {
            self.aggregate.subtract(&mut self.states[*group as usize], state);
        }
    }

    /// The state of a group.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn state(&self, group: u32) -> State {
        self.states[group as usize].clone()
    }

    /// Merges a state into a group.
    ///
    /// # Panics
    ///
    /// When the group is not there, or the state is another aggregate's.
    pub fn merge_state(&mut self, group: u32, state: &State) {
        self.aggregate.merge(&mut self.states[group as usize], state);
    }

    /// Takes a state out of a group.
    ///
    /// # Panics
    ///
    /// As of [`merge_state`](Self::merge_state), and when the aggregate does
    /// not subtract.
    pub fn subtract_state(&mut self, group: u32, state: &State) {
        self.aggregate.subtract(&mut self.states[group as usize], state);
    }

    /// Makes a group one that has seen no rows.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn clear(&mut self, group: u32) {
        self.states[group as usize] = self.aggregate.empty();
    }

    /// The value of a group, as [`Aggregate::finish`] says.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn finish(&self, group: u32) -> Result<Option<Value>, Overflow> {
        self.aggregate.finish(&self.states[group as usize])
    }

    /// Appends the canonical bytes of a group's state.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn encode(&self, group: u32, to: &mut Vec<u8>) {
        self.aggregate.encode(&self.states[group as usize], to);
    }

    /// Merges a state that is given as its bytes into a group.
    ///
    /// # Panics
    ///
    /// When the group is not there.
    pub fn merge_bytes(&mut self, group: u32, bytes: &[u8]) -> Result<(), StateError> {
        let state = self.aggregate.decode(bytes)?;
        self.merge_state(group, &state);
        Ok(())
    }
}
