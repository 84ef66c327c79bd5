//! Integers of a fixed width that no sum of events overflows.

use crate::bytes::{Reader, StateError, write_unsigned};

/// A two's complement integer of `N` limbs of 64 bits, the lowest first.
/// Arithmetic wraps; the widths in use leave room for 2^63 values at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wide<const N: usize>([u64; N]);

impl<const N: usize> Wide<N> {
    pub(crate) const ZERO: Self = Self([0; N]);
    pub(crate) const BITS: usize = N * 64;

    pub(crate) fn from_i128(value: i128) -> Self {
        let mut limbs = [(value >> 127) as u64; N];
        limbs[0] = value as u64;
        limbs[1] = (value >> 64) as u64;
        Self(limbs)
    }

    pub(crate) const fn from_limbs(limbs: [u64; N]) -> Self {
        Self(limbs)
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0.iter().all(|limb| *limb == 0)
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.0[N - 1] >> 63 == 1
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mut carry = false;
        for (limb, other) in self.0.iter_mut().zip(&other.0) {
            let (sum, a) = limb.overflowing_add(*other);
            let (sum, b) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = a | b;
        }
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (limb, other) in self.0.iter_mut().zip(&other.0) {
            let (difference, a) = limb.overflowing_sub(*other);
            let (difference, b) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = a | b;
        }
    }

    fn negate(&mut self) {
        let mut zero = Self::ZERO;
        zero.subtract(self);
        *self = zero;
    }

    /// Adds `value * 2^shift`, or takes it away. `value` is below 2^126, so
    /// that it covers three limbs at most.
    #[inline]
    pub(crate) fn add_shifted(&mut self, value: u128, shift: usize, is_negative: bool) {
        let (at, bit) = (shift / 64, shift % 64);
        let low = value << bit;
        let high = if bit == 0 { 0 } else { (value >> (128 - bit)) as u64 };
        let parts = [low as u64, (low >> 64) as u64, high];
        let mut carry = false;
        for (i, limb) in self.0.iter_mut().skip(at).enumerate() {
            let part = parts.get(i).copied().unwrap_or(0);
            if i >= 3 && !carry {
                break;
            }
            let (result, a, b);
            if is_negative {
                let (first, borrowed) = limb.overflowing_sub(part);
                (result, b) = first.overflowing_sub(u64::from(carry));
                a = borrowed;
            } else {
                let (first, carried) = limb.overflowing_add(part);
                (result, b) = first.overflowing_add(u64::from(carry));
                a = carried;
            }
            *limb = result;
            carry = a | b;
        }
    }

    /// Whether it is below zero, and its absolute value: limbs without zeros
    /// at the upper end.
    pub(crate) fn magnitude(&self) -> (bool, Vec<u64>) {
        let is_negative = self.is_negative();
        let mut value = *self;
        if is_negative {
            value.negate();
        }
        let length = N - value.0.iter().rev().take_while(|limb| **limb == 0).count();
        (is_negative, value.0[..length].to_vec())
    }

    /// The same value in more limbs.
    pub(crate) fn widen<const M: usize>(&self) -> Wide<M> {
        let sign = if self.is_negative() { u64::MAX } else { 0 };
        Wide(std::array::from_fn(|at| self.0.get(at).copied().unwrap_or(sign)))
    }

    pub(crate) fn shifted_left(&self, shift: usize) -> Self {
        let (words, bit) = (shift / 64, shift % 64);
        let limb =
            |at: usize, back: usize| at.checked_sub(words + back).map_or(0, |from| self.0[from]);
        Self(std::array::from_fn(|at| match bit {
            0 => limb(at, 0),
            _ => limb(at, 0) << bit | limb(at, 1) >> (64 - bit),
        }))
    }

    /// Of a value that is not below zero.
    pub(crate) fn shifted_right(&self, shift: usize) -> Self {
        let (words, bit) = (shift / 64, shift % 64);
        let limb = |at: usize| self.0.get(at).copied().unwrap_or(0);
        Self(std::array::from_fn(|at| match bit {
            0 => limb(at + words),
            _ => limb(at + words) >> bit | limb(at + words + 1) << (64 - bit),
        }))
    }

    /// The lowest limbs.
    pub(crate) fn narrow<const M: usize>(&self) -> Wide<M> {
        Wide(std::array::from_fn(|at| self.0[at]))
    }

    /// The bits of the absolute value.
    pub(crate) fn magnitude_bits(&self) -> usize {
        let (_, limbs) = self.magnitude();
        limbs.last().map_or(0, |last| limbs.len() * 64 - last.leading_zeros() as usize)
    }

    /// The zero bits at the lower end; of zero none.
    pub(crate) fn trailing_zeros(&self) -> usize {
        let first = self.0.iter().position(|limb| *limb != 0);
        first.map_or(0, |first| first * 64 + self.0[first].trailing_zeros() as usize)
    }

    /// The value as `small * 2^shift`, where that is possible; zero has none.
    pub(crate) fn scaled(&self) -> Option<(i128, usize)> {
        let (is_negative, limbs) = self.magnitude();
        let first = limbs.iter().position(|limb| *limb != 0)?;
        let zeros = 64 * first + limbs[first].trailing_zeros() as usize;
        if 64 * limbs.len() - limbs[limbs.len() - 1].leading_zeros() as usize > zeros + 127 {
            return None;
        }
        let bit = |at: usize| limbs.get(at).copied().map_or(0, u128::from);
        let low = bit(first) | bit(first + 1) << 64;
        let shift = zeros % 64;
        let above = if shift == 0 { 0 } else { bit(first + 2) << (128 - shift) };
        let value = (low >> shift | above) as i128;
        Some((if is_negative { -value } else { value }, zeros))
    }

    /// The value where it fits.
    pub(crate) fn to_i128(self) -> Option<i128> {
        let value = (u128::from(self.0[1]) << 64 | u128::from(self.0[0])) as i128;
        (Self::from_i128(value) == self).then_some(value)
    }

    /// Twice its number of significant bytes, plus one if it is below zero;
    /// for all but zero then the number of zero bytes at the lower end and the
    /// bytes above them, the lowest first.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let (is_negative, limbs) = self.magnitude();
        let Some(first) = limbs.iter().position(|limb| *limb != 0) else {
            to.push(0);
            return;
        };
        let zeros = 8 * first + limbs[first].trailing_zeros() as usize / 8;
        let last = limbs[limbs.len() - 1];
        let end = 8 * limbs.len() - last.leading_zeros() as usize / 8;
        write_unsigned(to, (end - zeros) as u64 * 2 + u64::from(is_negative));
        write_unsigned(to, zeros as u64);
        to.extend((zeros..end).map(|at| (limbs[at / 8] >> (at % 8 * 8)) as u8));
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, StateError> {
        const OTHER_FORM: StateError = StateError::invalid("a sum has another form than it should");
        let head = from.unsigned()?;
        if head == 0 {
            return Ok(Self::ZERO);
        }
        let count = usize::try_from(head / 2).map_err(|_| StateError::TOO_SHORT)?;
        let zeros = from.unsigned()?;
        let bytes = from.bytes(count)?;
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return Err(OTHER_FORM);
        };
        if *first == 0 || *last == 0 {
            return Err(OTHER_FORM);
        }
        let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros < 8 * N);
        let zeros = zeros.filter(|zeros| zeros + count <= 8 * N);
        let zeros = zeros.ok_or(StateError::invalid("a sum is too great"))?;
        let mut value = Self::ZERO;
        for (at, byte) in (zeros..).zip(bytes) {
            value.0[at / 8] |= u64::from(*byte) << (at % 8 * 8);
        }
        if value.is_negative() {
            return Err(StateError::invalid("a sum is too great"));
        }
        if head % 2 == 1 {
            value.negate();
        }
        Ok(value)
    }
}
