//! Sums of squares of floats, without any rounding.

use crate::bytes::{Reader, StateError};
use crate::exact_float::{LEAST_EXPONENT, Parts, ROOM_BELOW};
use crate::wide::Wide;

/// The squares of all finite floats, 2^63 times over and more.
pub(crate) type SquareUnits = Wide<67>;

/// A sum of the squares of finite floats.
#[derive(Clone, Debug)]
pub(crate) struct ExactSquares(SquaresRepr);

#[derive(Clone, Debug)]
enum SquaresRepr {
    /// `sum * 2^(2 * exponent)`.
    Small { sum: Wide<4>, exponent: i32 },
    /// In units of 2^-2148.
    Large(Box<SquareUnits>),
}

/// So far apart may the last bits of floats be for their squares to fit in a
/// small sum, with room for 2^4 of the greatest; more of them are found out.
pub(crate) const SQUARES_SPREAD: i32 = 70;

impl Default for ExactSquares {
    fn default() -> Self {
        Self(SquaresRepr::Small { sum: Wide::ZERO, exponent: 0 })
    }
}

impl ExactSquares {
    /// Adds the square.
    pub(crate) fn add(&mut self, Parts { mantissa, exponent }: Parts) {
        if mantissa == 0 {
            return;
        }
        let square = square(mantissa);
        if let SquaresRepr::Small { sum, exponent: unit } = &mut self.0 {
            if sum.is_zero() {
                *unit = (exponent - ROOM_BELOW).max(LEAST_EXPONENT);
            }
            let shift = exponent - *unit;
            if (0..=SQUARES_SPREAD).contains(&shift) {
                let before = *sum;
                sum.add_shifted(square, 2 * shift as usize, false);
                if !sum.is_negative() {
                    return;
                }
                *sum = before;
            }
        }
        let shift = 2 * (exponent - LEAST_EXPONENT) as usize;
        self.large().add_shifted(square, shift, false);
    }

    fn large(&mut self) -> &mut SquareUnits {
        if let SquaresRepr::Small { .. } = self.0 {
            self.0 = SquaresRepr::Large(Box::new(self.units()));
        }
        match &mut self.0 {
            SquaresRepr::Large(large) => large,
            SquaresRepr::Small { .. } => unreachable!("it was made large just now"),
        }
    }

    /// `sum * 2^(2 * exponent)`.
    pub(crate) fn from_scaled(sum: Wide<4>, exponent: i32) -> Self {
        Self(SquaresRepr::Small { sum, exponent })
    }

    pub(crate) fn from_units(units: SquareUnits) -> Self {
        Self(SquaresRepr::Large(Box::new(units)))
    }

    pub(crate) fn merge(&mut self, other: &Self, is_out: bool) {
        if let SquaresRepr::Small { sum: more, exponent: unit } = &other.0
            && self.merge_small(more, *unit, is_out)
        {
            return;
        }
        let units = other.units();
        let to = self.large();
        if is_out { to.subtract(&units) } else { to.add(&units) }
    }

    /// Whether it is done: both are small, and stay so in the lesser unit.
    fn merge_small(&mut self, more: &Wide<4>, more_exponent: i32, is_out: bool) -> bool {
        let SquaresRepr::Small { sum, exponent } = &mut self.0 else { return false };
        if more.is_zero() {
            return true;
        }
        if sum.is_zero() {
            *exponent = more_exponent;
        }
        let least = more_exponent.min(*exponent);
        let shift = |value: &Wide<4>, from: i32| {
            let shift = 2 * (from - least) as usize;
            (value.magnitude_bits() + shift < Wide::<4>::BITS - 2)
                .then(|| value.shifted_left(shift))
        };
        let (Some(mut total), Some(more)) = (shift(sum, *exponent), shift(more, more_exponent))
        else {
            return false;
        };
        if is_out {
            total.subtract(&more)
        } else {
            total.add(&more)
        }
        (*sum, *exponent) = (total, least);
        true
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        match &self.0 {
            SquaresRepr::Small { .. } => 0,
            SquaresRepr::Large(_) => size_of::<SquareUnits>(),
        }
    }

    /// In units of 2^-2148.
    pub(crate) fn units(&self) -> SquareUnits {
        match &self.0 {
            SquaresRepr::Small { sum, exponent } if !sum.is_zero() => {
                sum.widen().shifted_left(2 * (exponent - LEAST_EXPONENT) as usize)
            }
            SquaresRepr::Small { .. } => Wide::ZERO,
            SquaresRepr::Large(units) => **units,
        }
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        self.units().encode(to);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, StateError> {
        let units = SquareUnits::decode(from)?;
        if units.is_negative() {
            return Err(StateError::invalid("a sum of squares is below zero"));
        }
        let zeros = units.trailing_zeros() & !1;
        if units.is_zero() || units.magnitude_bits() - zeros < Wide::<4>::BITS - 1 {
            let sum = units.shifted_right(zeros).narrow();
            return Ok(Self::from_scaled(sum, zeros as i32 / 2 + LEAST_EXPONENT));
        }
        Ok(Self::from_units(units))
    }
}

/// 106 bits at most.
#[inline(always)]
pub(crate) fn square(mantissa: i64) -> u128 {
    let mantissa = u128::from(mantissa.unsigned_abs());
    mantissa * mantissa
}
