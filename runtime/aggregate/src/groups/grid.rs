//! Exact sums by additions of floats.
//!
//! A float that lies in the middle of a window of exponents is cut into two
//! parts on a fixed grid: its nearest multiple of 2^q, and what is left, a
//! multiple of 2^l. Either part adds up without rounding in a float of its own
//! for as many rows as its 53 bits have room for. (The idea is that of
//! indexed, or pre-rounded, summation: J. Demmel and H. D. Nguyen, "Parallel
//! Reproducible Summation", IEEE Transactions on Computers 64 (7), 2015.)

use crate::exact_float::LEAST_EXPONENT;

/// After so many rows what waits must be settled.
pub(super) const GRID_ROWS: usize = 1 << 16;

/// Above the first bit of the window are those of the lesser and the greater
/// part, and the end of the last bits that floats may have.
const LESSER: i32 = 19;
const GREATER: i32 = LESSER + 38;
/// So many rows of the lesser part, half of 2^38 at most, are 2^53 at most; so
/// many of the greater, 2^(22 + 53 - 38) at most, too.
const SPREAD: i32 = 22;

/// A group: how many values it has, and the parts of a sum that waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    greater: f64,
    lesser: f64,
    pub(super) count: u64,
}

/// The grid of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Floats from `least` to below `beyond`, of either sign, and zero fit.
    least: f64,
    beyond: f64,
    /// Adding this and taking it away rounds to a multiple of 2^q.
    rounder: f64,
    /// 2^-q and 2^-l.
    greater_scale: f64,
    lesser_scale: f64,
}

impl Grid {
    /// That of the window whose first bit has this exponent; none at the ends
    /// of the floats' range.
    pub(super) fn new(exponent: i32) -> Option<Self> {
        if !(LEAST_EXPONENT + 100..=800).contains(&exponent) {
            return None;
        }
        let power = |exponent: i32| f64::from_bits(((exponent + 1023) as u64) << 52);
        let (l, q) = (exponent + LESSER, exponent + GREATER);
        Some(Self {
            least: power(l + 52),
            beyond: power(l + SPREAD + 53),
            rounder: 1.5 * power(q + 52),
            greater_scale: power(-q),
            lesser_scale: power(-l),
        })
    }

    /// Adds values to their groups, unless one of them does not fit: then none
    /// is added, and the answer is false.
    pub(super) fn add(self, values: &[f64], groups: &[u32], to: &mut [Pending]) -> bool {
        let Self { least, beyond, rounder, .. } = self;
        let fits = |x: f64| {
            let size = x.abs();
            ((size >= least) | (size == 0.0)) & (size < beyond)
        };
        if !values.iter().fold(true, |all, x| all & fits(*x)) {
            return false;
        }
        for (x, group) in values.iter().zip(groups) {
            let greater = (*x + rounder) - rounder;
            let lesser = *x - greater;
            let to = &mut to[*group as usize];
            to.greater += greater;
            to.lesser += lesser;
            to.count = to.count.wrapping_add(1);
        }
        true
    }

    /// What waits, in units of the window's first bit.
    #[inline]
    pub(super) fn waiting(self, pending: &Pending) -> i128 {
        let greater = (pending.greater * self.greater_scale) as i64;
        let lesser = (pending.lesser * self.lesser_scale) as i64;
        (i128::from(greater) << GREATER) + (i128::from(lesser) << LESSER)
    }
}

impl Pending {
    /// Leaves nothing waiting.
    pub(super) fn empty(&mut self) {
        (self.greater, self.lesser) = (0.0, 0.0);
    }
}
