//! The window of exponents that the sums of many groups share.

use crate::exact_float::{LEAST_EXPONENT, parts};

/// Its width: 1 shifted by so much is still a signed integer of 64 bits.
pub(super) const WIDTH: u32 = 62;
/// It begins so far below the last bit of the value that it is made for.
const BELOW: i32 = 30;
/// It is moved when so many values, and one in so many, lay outside of it.
const STRAYS: u64 = 64;
const STRAYS_PART: u64 = 8;
/// After so many moves the values are all over the place, and it stays.
const MOVES: u32 = 16;

/// Where the window is, and how well that serves.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The exponent of its first bit; none before there was a value.
    pub(super) exponent: Option<i32>,
    rows: u64,
    strays: u64,
    moves: u32,
}

impl Window {
    pub(super) const NONE: Self = Self { exponent: None, rows: 0, strays: 0, moves: 0 };

    /// The exponent of its first bit. Before there was a value it is one that
    /// no float's last bit is near.
    #[inline]
    pub(super) fn exponent(&self) -> i32 {
        self.exponent.unwrap_or(i32::MAX / 2)
    }

    /// Makes it for a value, unless it is there or the value says nothing.
    pub(super) fn make_for(&mut self, x: f64) {
        if self.exponent.is_none()
            && x != 0.0
            && let Some(parts) = parts(x)
        {
            self.exponent = Some((parts.exponent - BELOW).max(LEAST_EXPONENT));
        }
    }

    /// Counts the rows of a batch and those that lay outside. Where it should
    /// be elsewhere it is taken away, and true returned: then the sums in it
    /// must be put elsewhere.
    pub(super) fn is_left(&mut self, rows: usize, strays: u64) -> bool {
        self.rows += rows as u64;
        self.strays += strays;
        let is_bad = self.strays >= STRAYS && self.strays >= self.rows / STRAYS_PART;
        if !is_bad || self.moves == MOVES {
            return false;
        }
        *self = Self { moves: self.moves + 1, ..Self::NONE };
        true
    }
}
