//! What every form of the states of many groups can do.

use crate::state::Body;

/// States of one aggregate, a group each. Rows come in by a way of each form's
/// own. All panic when a group is not there.
pub(super) trait Lanes {
    /// How many groups there are.
    fn len(&self) -> usize;

    /// Makes it so many; new ones have seen no rows.
    fn resize(&mut self, groups: usize);

    /// Makes a group one that has seen no rows.
    fn clear(&mut self, group: usize);

    /// The state of a group.
    fn body(&self, group: usize) -> Body;

    /// Merges a state into a group, or takes it out; false if it is another
    /// aggregate's.
    fn merge(&mut self, group: usize, other: &Body, is_out: bool) -> bool;

    /// What it has allocated, about.
    fn allocated_bytes(&self) -> usize;
}
