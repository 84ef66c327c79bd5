//! Sums of floats of many groups.
//!
//! All groups share a window of 62 powers of two: a float whose last bit lies
//! in it is added to its group's 128 bits by one multiplication and one
//! addition. What lies outside goes to a sum of full width beside them, and
//! where much does, the window moves.

use super::lanes::Lanes;
use super::window::Window;
use crate::exact_float::{ExactSum, LargeSum};
use crate::state::Body;
use crate::sum::{SumState, Total};

/// A group: a count, and a sum in units of the window's first bit.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    low: u64,
    high: i64,
    count: u64,
}

impl Slot {
    #[inline(always)]
    fn sum(&self) -> i128 {
        (i128::from(self.high) << 64) | i128::from(self.low)
    }

    #[inline(always)]
    fn set_sum(&mut self, sum: i128) {
        (self.low, self.high) = (sum as u64, (sum >> 64) as i64);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct FloatSums {
    window: Window,
    slots: Vec<Slot>,
    /// What lay outside the window: of as many groups as there are, or of none.
    outside: Vec<Option<Box<ExactSum>>>,
}

impl FloatSums {
    pub(super) const NONE: Self =
        Self { window: Window::NONE, slots: Vec::new(), outside: Vec::new() };

    /// Takes in values that are there, each with its group.
    #[inline(always)]
    pub(super) fn update(&mut self, rows: impl Iterator<Item = (f64, u32)> + Clone) {
        if self.window.exponent.is_none() {
            rows.clone().for_each(|(x, _)| self.window.make_for(x));
        }
        let (window, sieve) = (self.window.exponent(), self.window.sieve());
        let (mut count, mut strays) = (0, 0);
        for (x, group) in rows {
            count += 1;
            let slot = &mut self.slots[group as usize];
            slot.count = slot.count.wrapping_add(1);
            if let Some((mantissa, shift)) = sieve.inside(x) {
                let value = i128::from(mantissa) * i128::from(1_i64 << shift);
                let (sum, is_beyond) = slot.sum().overflowing_add(value);
                if !is_beyond {
                    slot.set_sum(sum);
                    continue;
                }
            }
            if x != 0.0 {
                strays += u64::from(x.is_finite());
                self.add_outside(x, group as usize);
            }
        }
        if self.window.is_left(count, strays) {
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

    #[cold]
    fn leave_window(&mut self, exponent: i32) {
        for group in 0..self.slots.len() {
            let sum = self.slots[group].sum();
            if sum != 0 {
                self.outside(group).merge(&ExactSum::from_scaled(sum, exponent));
                self.slots[group].set_sum(0);
            }
        }
    }

    fn exact(&self, group: usize) -> ExactSum {
        let sum = self.slots[group].sum();
        let inside = || ExactSum::from_scaled(sum, self.window.exponent());
        match self.outside.get(group) {
            Some(Some(outside)) if sum == 0 => (**outside).clone(),
            Some(Some(outside)) => {
                let mut both = (**outside).clone();
                both.merge(&inside());
                both
            }
            _ if sum == 0 => ExactSum::new(),
            _ => inside(),
        }
    }
}

impl Lanes for FloatSums {
    fn len(&self) -> usize {
        self.slots.len()
    }

    fn resize(&mut self, groups: usize) {
        self.slots.resize(groups, Slot::default());
        if !self.outside.is_empty() {
            self.outside.resize(groups, None);
        }
    }

    fn clear(&mut self, group: usize) {
        self.slots[group] = Slot::default();
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
            && let Some(sum) = combine(slot.sum(), value)
        {
            slot.set_sum(sum);
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
        self.slots.capacity() * size_of::<Slot>() + self.outside.capacity() * 8 + of_large
    }
}
