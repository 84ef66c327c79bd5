//! Sums of integers of many groups.

use super::lanes::Lanes;
use crate::state::Body;
use crate::sum::{SumState, Total};

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    total: i128,
    count: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct IntegerSums {
    slots: Vec<Slot>,
}

impl IntegerSums {
    /// Takes in values that are there, each with its group.
    #[inline(always)]
    pub(super) fn update(&mut self, rows: impl Iterator<Item = (i128, u32)>) {
        for (x, group) in rows {
            let slot = &mut self.slots[group as usize];
            slot.total = slot.total.wrapping_add(x);
            slot.count = slot.count.wrapping_add(1);
        }
    }
}

impl Lanes for IntegerSums {
    fn len(&self) -> usize {
        self.slots.len()
    }

    fn resize(&mut self, groups: usize) {
        self.slots.resize(groups, Slot::default());
    }

    fn clear(&mut self, group: usize) {
        self.slots[group] = Slot::default();
    }

    fn body(&self, group: usize) -> Body {
        let Slot { total, count } = self.slots[group];
        Body::Sum(SumState { count, total: Total::Integer(total) })
    }

    fn merge(&mut self, group: usize, other: &Body, is_out: bool) -> bool {
        let Body::Sum(SumState { count, total: Total::Integer(total) }) = other else {
            return false;
        };
        let slot = &mut self.slots[group];
        if is_out {
            slot.total = slot.total.wrapping_sub(*total);
            slot.count = slot.count.wrapping_sub(*count);
        } else {
            slot.total = slot.total.wrapping_add(*total);
            slot.count = slot.count.wrapping_add(*count);
        }
        true
    }

    fn allocated_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }
}
