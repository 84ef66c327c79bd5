//! The window of exponents that the sums of many groups share.

use crate::exact_float::{LEAST_EXPONENT, Parts, parts};

/// Its width: 1 shifted by so much is still a signed integer of 64 bits.
const WIDTH: u32 = 62;
/// It begins so far below the last bit of the value that it is made for.
const BELOW: i32 = 30;
/// The last window ends below the infinities.
const LAST: i32 = 2046 - WIDTH as i32 - 1 + LEAST_EXPONENT;
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

    /// The exponent of its first bit. Before there was a value nothing lies in
    /// the window, so that any exponent will do.
    #[inline]
    pub(super) fn exponent(&self) -> i32 {
        self.exponent.unwrap_or(LEAST_EXPONENT)
    }

    /// What says which floats lie in it.
    #[inline]
    pub(super) fn sieve(&self) -> Sieve {
        // Without a window the exponent field of none is so great.
        let first = self.exponent.map_or(1 << 20, |exponent| exponent - LEAST_EXPONENT + 1);
        Sieve { first: first as u32 }
    }

    /// Makes it for a value, unless it is there or the value says nothing.
    pub(super) fn make_for(&mut self, x: f64) {
        if self.exponent.is_none()
            && x != 0.0
            && let Some(Parts { exponent, .. }) = parts(x)
        {
            self.exponent = Some((exponent - BELOW).clamp(LEAST_EXPONENT, LAST));
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

/// The exponent field of the window's first floats, which is 1 at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sieve {
    first: u32,
}

impl Sieve {
    /// The mantissa of a float that lies in the window, and how far it is
    /// shifted there: by 62 bits at most.
    #[inline(always)]
    pub(super) fn inside(self, x: f64) -> Option<(i64, u32)> {
        let bits = x.to_bits();
        let field = (bits >> 52 & 0x7ff) as u32;
        let shift = field.wrapping_sub(self.first);
        if shift > WIDTH {
            return None;
        }
        // Of a normal number, since the window lies between what is not.
        let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as i64;
        let sign = (bits as i64) >> 63;
        Some(((mantissa ^ sign) - sign, shift))
    }
}
