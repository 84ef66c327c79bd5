//! Sums of floats of many groups.
//!
//! All groups share a window of 62 powers of two: a float whose last bit lies
//! in it is added to its group's 128 bits by one multiplication and one
//! addition. What lies outside goes to a sum of full width beside them, and
//! where much does, the window moves.
//!
//! Quicker still are runs of floats that all lie in the middle of the window:
//! see [`Grid`].

use super::grid::{GRID_ROWS, Grid, Pending};
use super::lanes::Lanes;
use super::window::Window;
use crate::exact_float::{ExactSum, LargeSum};
use crate::state::Body;
use crate::sum::{SumState, Total};

/// So many rows are looked at together.
const CHUNK: usize = 256;

/// With more groups, sums do not wait in the grid: settling all of them would
/// take longer than adding rows to it saves.
const GRID_GROUPS: usize = 1 << 14;

#[derive(Clone, Debug)]
pub(crate) struct FloatSums {
    window: Window,
    /// A group: how many values there were, and which part of their sum waits.
    slots: Vec<Pending>,
    /// Its sum in units of the window's first bit, but for what waits.
    totals: Vec<i128>,
    /// How many rows wait at most.
    pending: usize,
    /// What lay outside the window: of as many groups as there are, or of none.
    outside: Vec<Option<Box<ExactSum>>>,
}

impl FloatSums {
    pub(super) const NONE: Self = Self {
        window: Window::NONE,
        slots: Vec::new(),
        totals: Vec::new(),
        pending: 0,
        outside: Vec::new(),
    };

    /// Takes in values that are there, each with its group.
    pub(super) fn update(&mut self, rows: impl Iterator<Item = (f64, u32)>) {
        let (mut values, mut groups) = ([0.0; CHUNK], [0; CHUNK]);
        let mut count = 0;
        for (x, group) in rows {
            (values[count], groups[count]) = (x, group);
            count += 1;
            if count == CHUNK {
                self.take_in(&values, &groups);
                count = 0;
            }
        }
        self.take_in(&values[..count], &groups[..count]);
    }

    /// The same of values that are all there.
    pub(super) fn update_all(&mut self, values: &[f64], groups: &[u32]) {
        for (values, groups) in values.chunks(CHUNK).zip(groups.chunks(CHUNK)) {
            self.take_in(values, groups);
        }
    }

    fn take_in(&mut self, values: &[f64], groups: &[u32]) {
        if self.window.exponent.is_none() {
            values.iter().for_each(|x| self.window.make_for(*x));
        }
        if self.slots.len() <= GRID_GROUPS {
            if self.pending + values.len() > GRID_ROWS {
                self.settle();
            }
            let grid = Grid::new(self.window.exponent());
            if grid.is_some_and(|grid| grid.add(values, groups, &mut self.slots)) {
                self.pending += values.len();
                return;
            }
        }
        self.add_one_by_one(values, groups);
    }

    fn add_one_by_one(&mut self, values: &[f64], groups: &[u32]) {
        let (window, sieve) = (self.window.exponent(), self.window.sieve());
        let mut strays = 0;
        for (x, group) in values.iter().zip(groups) {
            let (x, group) = (*x, *group as usize);
            let slot = &mut self.slots[group];
            slot.count = slot.count.wrapping_add(1);
            if let Some((mantissa, shift)) = sieve.inside(x) {
                let value = i128::from(mantissa) * i128::from(1_i64 << shift);
                let (sum, is_beyond) = self.totals[group].overflowing_add(value);
                if !is_beyond {
                    self.totals[group] = sum;
                    continue;
                }
            }
            if x != 0.0 {
                strays += u64::from(x.is_finite());
                self.add_outside(x, group);
            }
        }
        if self.window.is_left(values.len(), strays) {
            self.leave_window(window);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_outside(&mut self, x: f64, group: usize) {
        self.outside(group).add(x);
    }

    fn outside(&mut self, group: usize) -> &mut ExactSum {
        if self.outside.is_empty() {
            self.outside.resize(self.slots.len(), None);
        }
        self.outside[group].get_or_insert_default()
    }

    /// What waits of a group's sum, in units of the window's first bit, which
    /// has this exponent.
    fn waiting(&self, group: usize, exponent: i32) -> i128 {
        match Grid::new(exponent) {
            Some(grid) => grid.waiting(&self.slots[group]),
            None => 0,
        }
    }

    /// Adds what waits to the groups' sums.
    fn settle(&mut self) {
        if self.pending == 0 {
            return;
        }
        self.pending = 0;
        let exponent = self.window.exponent();
        for group in 0..self.slots.len() {
            let waiting = self.waiting(group, exponent);
            if waiting == 0 {
                continue;
            }
            self.slots[group].empty();
            match self.totals[group].checked_add(waiting) {
                Some(sum) => self.totals[group] = sum,
                None => {
                    self.outside(group).merge(&ExactSum::from_scaled(waiting, exponent));
                }
            }
        }
    }

    #[cold]
    fn leave_window(&mut self, exponent: i32) {
        for group in 0..self.slots.len() {
            let waiting = self.waiting(group, exponent);
            self.slots[group].empty();
            for part in [waiting, std::mem::take(&mut self.totals[group])] {
                if part != 0 {
                    self.outside(group).merge(&ExactSum::from_scaled(part, exponent));
                }
            }
        }
        self.pending = 0;
    }

    fn exact(&self, group: usize) -> ExactSum {
        let exponent = self.window.exponent();
        let (total, waiting) = (self.totals[group], self.waiting(group, exponent));
        let mut sum = match self.outside.get(group) {
            Some(Some(outside)) => (**outside).clone(),
            _ => ExactSum::new(),
        };
        match total.checked_add(waiting) {
            Some(total) => sum.merge(&ExactSum::from_scaled(total, exponent)),
            None => {
                sum.merge(&ExactSum::from_scaled(total, exponent));
                sum.merge(&ExactSum::from_scaled(waiting, exponent));
            }
        }
        sum
    }
}

impl Lanes for FloatSums {
    fn len(&self) -> usize {
        self.slots.len()
    }

    fn resize(&mut self, groups: usize) {
        self.slots.resize(groups, Pending::default());
        self.totals.resize(groups, 0);
        if !self.outside.is_empty() {
            self.outside.resize(groups, None);
        }
    }

    fn clear(&mut self, group: usize) {
        self.slots[group] = Pending::default();
        self.totals[group] = 0;
        if let Some(outside) = self.outside.get_mut(group) {
            *outside = None;
        }
    }

    fn body(&self, group: usize) -> Body {
        let total = Total::Float(self.exact(group));
        Body::Sum(SumState { count: self.slots[group].count, total })
    }

    fn merge(&mut self, group: usize, other: &Body, is_out: bool) -> bool {
        let Body::Sum(SumState { count, total: Total::Float(sum) }) = other else { return false };
        let slot = &mut self.slots[group];
        let combine = if is_out { u64::wrapping_sub } else { u64::wrapping_add };
        slot.count = combine(slot.count, *count);
        if let Some(value) = sum.scaled_to(self.window.exponent())
            && let combine = if is_out { i128::checked_sub } else { i128::checked_add }
            && let Some(sum) = combine(self.totals[group], value)
        {
            self.totals[group] = sum;
            return true;
        }
        let outside = self.outside(group);
        if is_out {
            outside.subtract(sum)
        } else {
            outside.merge(sum)
        }
        true
    }

    fn allocated_bytes(&self) -> usize {
        let of_large = self.outside.iter().flatten().count() * size_of::<LargeSum>();
        let of_each = size_of::<Pending>() + size_of::<i128>();
        self.slots.capacity() * of_each + self.outside.capacity() * 8 + of_large
    }
}
