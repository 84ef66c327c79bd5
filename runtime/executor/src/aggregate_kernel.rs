use std::any::Any;

use arrow::array::{ArrayRef, BinaryArray};
use unskew_definition::Field;
use unskew_host::{CallError, Outcome, RowError};

use crate::built_in::BuiltInAggregate;
use crate::row_order::RowOrder;
use crate::state_bytes::StateBytesError;

/// What folds rows: a built-in aggregate, or one of a module in the sandbox.
/// Windows, tiles and point-in-time evaluation know aggregates by this trait
/// alone.
///
/// Its states are a commutative monoid (DESIGN, section 6), so callers merge
/// them in whatever tree is cheapest.
pub trait AggregateKernel: Send + Sync {
    /// The columns that it folds, of exactly these types.
    fn inputs(&self) -> &[Field];

    /// What [`GroupStates::finish`] yields.
    fn output(&self) -> &Field;

    /// Whether [`GroupStates::subtract`] works.
    fn subtracts(&self) -> bool;

    /// Whether [`partial`](Self::partial) looks at the rows' order keys. Where
    /// it does not, it may be given none.
    fn needs_order(&self) -> bool {
        true
    }

    /// Folds rows into `group_count` new states: row i, whose order key is row
    /// i of `order`, into that at `groups[i]`. A group without rows has the
    /// empty state. Rows come in any order; with no rows the states are empty
    /// ones. Takes at most one call into a module, whatever the rows.
    ///
    /// A row that fails (a module's error for it, or a trap on it alone) counts
    /// for no state: its neighbours are untouched. The states
    /// [tell](GroupStates::take_row_errors) of it.
    fn partial(
        &self,
        inputs: &[ArrayRef],
        order: &RowOrder,
        groups: &[u32],
        group_count: usize,
    ) -> Result<Box<dyn GroupStates>, KernelError>;

    /// Reads what [`GroupStates::encode`] wrote. Null is a failed state.
    fn decode(&self, states: &BinaryArray) -> Result<Box<dyn GroupStates>, KernelError>;

    /// A built-in aggregate is known to those who have a quicker way for it.
    fn as_built_in(&self) -> Option<&BuiltInAggregate> {
        None
    }
}

/// States of one kernel, one for each group, which are the rows of this column
/// so to speak.
///
/// A state whose merge or fold failed stays failed whatever is merged into it
/// or from it, and `finish` reports it; its neighbours are untouched.
/// `other` is always of the same kernel; anything else may panic. So may
/// indices out of bounds.
pub trait GroupStates: Send + Sync {
    /// How many groups.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Merges `other[from[i]]` into `self[into[i]]`. No two of `into` are
    /// equal; `from` may repeat.
    fn merge(
        &mut self,
        into: &[u32],
        other: &dyn GroupStates,
        from: &[u32],
    ) -> Result<(), KernelError>;

    /// Takes `other[from[i]]` out of `self[into[i]]`, which it was merged into
    /// before. Called only if the kernel subtracts. No two of `into` are equal.
    fn subtract(
        &mut self,
        into: &[u32],
        other: &dyn GroupStates,
        from: &[u32],
    ) -> Result<(), KernelError>;

    /// Overwrites `self[into[i]]` by `other[from[i]]`. No two of `into` are
    /// equal.
    fn assign(&mut self, into: &[u32], other: &dyn GroupStates, from: &[u32]);

    /// Puts the states of `other` behind its own.
    fn append(&mut self, other: Box<dyn GroupStates>);

    /// Copies of these states, in this order; one may be wanted several times.
    fn take(&self, groups: &[u32]) -> Box<dyn GroupStates>;

    /// The value of each state, in one column of the kernel's output; failed
    /// ones, and those whose value is an error (an overflow), are null and
    /// listed in ascending order.
    fn finish(&self) -> Result<Outcome, KernelError>;

    /// The values of these states alone, in this order.
    fn finish_of(&self, groups: &[u32]) -> Result<Outcome, KernelError> {
        self.take(groups).finish()
    }

    /// The rows that failed in the [`partial`](AggregateKernel::partial) that
    /// made these states, ascending, as they were numbered there. Told once.
    fn take_row_errors(&mut self) -> Vec<RowError> {
        Vec::new()
    }

    /// The canonical bytes of each state; null for a failed one.
    fn encode(&self) -> BinaryArray;

    /// About how many bytes it holds on to.
    fn memory_bytes(&self) -> usize;

    /// For the kernel's own merges.
    fn as_any(&self) -> &dyn Any;

    /// For the kernel's own appends.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// Why a kernel has no states to give: trouble of the host or of the caller,
/// never of a single row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The arguments are not what the kernel takes.
    #[error("aggregate {aggregate}: {reason}")]
    WrongInput {
        /// the aggregate's name
        aggregate: String,
        /// what is wrong
        reason: String,
    },
    /// Stored states are damaged, or of another aggregate or version.
    #[error(
        "aggregate {aggregate}: stored state {row} cannot be read: {reason}; delete the stored states and let them be computed anew"
    )]
    Decode {
        /// the aggregate's name
        aggregate: String,
        /// which of the states
        row: usize,
        /// what is wrong
        reason: String,
    },
    /// The stored state of a window operator is damaged, or of another one.
    #[error(transparent)]
    StateBytes(#[from] StateBytesError),
    /// The host could not call the module.
    #[error(transparent)]
    Call(#[from] CallError),
}
