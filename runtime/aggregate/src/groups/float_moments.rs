//! Sums of floats and of their squares of many groups, in a window as that of
//! the sums: the squares lie in one twice as wide, of 256 bits.

use super::lanes::Lanes;
use super::window::Window;
use crate::exact_float::{ExactSum, parts};
use crate::exact_squares::{ExactSquares, square};
use crate::moments::{MomentsState, Squares};
use crate::state::Body;
use crate::sum::{SumState, Total};
use crate::wide::Wide;

/// A group: a count, a sum in units of the window's first bit, and one of
/// squares in squares of that unit.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    sum: [u64; 2],
    squares: [u64; 4],
    count: u64,
}

impl Slot {
    #[inline(always)]
    fn sum(&self) -> i128 {
        ((u128::from(self.sum[1]) << 64) | u128::from(self.sum[0])) as i128
    }

    #[inline(always)]
    fn set_sum(&mut self, sum: i128) {
        self.sum = [sum as u64, (sum >> 64) as u64];
    }

    /// Adds a square of 106 bits, shifted by up to 124.
    #[inline(always)]
    fn add_square(&mut self, square: u128, shift: u32) {
        let at = (shift / 64) as usize;
        // Multiplying is quicker than shifting 128 bits.
        let power = u128::from(1_u64 << (shift % 64));
        let low = u128::from(square as u64) * power;
        let high = (square >> 64) * power + (low >> 64);
        let lower = (high << 64) | u128::from(low as u64);
        let limbs = &mut self.squares;
        let before = (u128::from(limbs[at + 1]) << 64) | u128::from(limbs[at]);
        let (sum, carry) = before.overflowing_add(lower);
        (limbs[at], limbs[at + 1]) = (sum as u64, (sum >> 64) as u64);
        let above = (high >> 64) as u64 + u64::from(carry);
        let (sum, carry) = limbs[at + 2].overflowing_add(above);
        limbs[at + 2] = sum;
        // Of a sum that stays below 2^254 nothing is carried out of its top.
        if at == 0 {
            limbs[3] = limbs[3].wrapping_add(u64::from(carry));
        }
    }

    /// Whether one more square might not fit.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.squares[3] >> 61 != 0
    }
}

/// What lay outside the window.
#[derive(Clone, Debug, Default)]
struct Outside {
    sum: ExactSum,
    squares: ExactSquares,
}

#[derive(Clone, Debug)]
pub(crate) struct FloatMoments {
    window: Window,
    slots: Vec<Slot>,
    /// Of as many groups as there are, or of none.
    outside: Vec<Option<Box<Outside>>>,
}

impl FloatMoments {
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
            if let Some((mantissa, shift)) = sieve.inside(x)
                && !slot.is_full()
            {
                let value = i128::from(mantissa) * i128::from(1_i64 << shift);
                let (sum, is_beyond) = slot.sum().overflowing_add(value);
                if !is_beyond {
                    slot.set_sum(sum);
                    slot.add_square(square(mantissa), 2 * shift);
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
        let outside = self.outside(group);
        outside.sum.add(x);
        if let Some(parts) = parts(x) {
            outside.squares.add(parts);
        }
    }

    fn outside(&mut self, group: usize) -> &mut Outside {
        if self.outside.is_empty() {
            self.outside.resize(self.slots.len(), None);
        }
        self.outside[group].get_or_insert_default()
    }

    #[cold]
    fn leave_window(&mut self, exponent: i32) {
        for group in 0..self.slots.len() {
            let slot = self.slots[group];
            let (sum, squares) = inside(&slot, exponent);
            if slot.squares != [0; 4] {
                let outside = self.outside(group);
                outside.sum.merge(&sum);
                outside.squares.merge(&squares, false);
                self.slots[group] = Slot { count: slot.count, ..Slot::default() };
            }
        }
    }
}

/// What a group has within a window that begins with this exponent.
fn inside(slot: &Slot, exponent: i32) -> (ExactSum, ExactSquares) {
    if slot.squares == [0; 4] {
        return (ExactSum::new(), ExactSquares::default());
    }
    let squares = ExactSquares::from_scaled(Wide::from_limbs(slot.squares), exponent);
    (ExactSum::from_scaled(slot.sum(), exponent), squares)
}

impl Lanes for FloatMoments {
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
        let slot = &self.slots[group];
        let (mut sum, mut squares) = inside(slot, self.window.exponent());
        if let Some(Some(outside)) = self.outside.get(group) {
            sum.merge(&outside.sum);
            squares.merge(&outside.squares, false);
        }
        let sum = SumState { count: slot.count, total: Total::Float(sum) };
        Body::Moments(Box::new(MomentsState { sum, squares: Squares::Float(squares) }))
    }

    fn merge(&mut self, group: usize, other: &Body, is_out: bool) -> bool {
        let Body::Moments(other) = other else { return false };
        let MomentsState {
            sum: SumState { count, total: Total::Float(sum) },
            squares: Squares::Float(squares),
        } = &**other
        else {
            return false;
        };
        let slot = &mut self.slots[group];
        let combine = if is_out { u64::wrapping_sub } else { u64::wrapping_add };
        slot.count = combine(slot.count, *count);
        let outside = self.outside(group);
        if is_out {
            outside.sum.subtract(sum)
        } else {
            outside.sum.merge(sum)
        }
        outside.squares.merge(squares, is_out);
        true
    }

    fn allocated_bytes(&self) -> usize {
        let of_outside = self.outside.iter().flatten().count() * size_of::<Outside>();
        self.slots.capacity() * size_of::<Slot>() + self.outside.capacity() * 8 + of_outside
    }
}
