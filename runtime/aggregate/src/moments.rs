//! `variance` and `stddev`: exact sums of the numbers and of their squares.

use crate::bytes::{Reader, StateError};
use crate::exact_float::{LEAST_EXPONENT, parts};
use crate::exact_squares::ExactSquares;
use crate::round::{Ratio, difference, multiply};
use crate::sum::{SumState, Total, push_power_of_ten};
use crate::value::{Value, ValueRef};
use crate::value_kind::NumberKind;
use crate::wide::Wide;

/// Squares of 64 bits, 2^63 times.
pub(crate) type IntegerSquares = Wide<4>;
/// Squares of 127 bits, 2^63 times.
pub(crate) type DecimalSquares = Wide<6>;

#[derive(Clone, Debug)]
pub(crate) enum Squares {
    Integer(IntegerSquares),
    Decimal(DecimalSquares),
    /// Of what is finite.
    Float(ExactSquares),
}

/// The state of the four of them.
#[derive(Clone, Debug)]
pub(crate) struct MomentsState {
    pub(crate) sum: SumState,
    pub(crate) squares: Squares,
}

/// Which of the four it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) of_population: bool,
    pub(crate) is_root: bool,
}

impl MomentsState {
    pub(crate) fn new(kind: NumberKind) -> Self {
        let squares = match kind {
            NumberKind::Signed | NumberKind::Unsigned => Squares::Integer(Wide::ZERO),
            NumberKind::Decimal { .. } => Squares::Decimal(Wide::ZERO),
            NumberKind::Float => Squares::Float(ExactSquares::default()),
        };
        Self { sum: SumState::new(kind), squares }
    }

    pub(crate) fn update(&mut self, value: ValueRef<'_>) {
        self.sum.update(value);
        match (&mut self.squares, value) {
            (Squares::Integer(squares), ValueRef::Int(x)) => {
                add_square(squares, x.unsigned_abs().into());
            }
            (Squares::Integer(squares), ValueRef::UInt(x)) => add_square(squares, x.into()),
            (Squares::Decimal(squares), ValueRef::Decimal(x)) => {
                add_square(squares, x.unsigned_abs());
            }
            (Squares::Float(squares), ValueRef::Float(x)) => {
                if let Some(parts) = parts(x) {
                    squares.add(parts);
                }
            }
            (squares, value) => panic!("{value:?} has no square to be added to {squares:?}"),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, is_out: bool) {
        let Self { sum, squares } = other;
        self.sum.merge(sum, is_out);
        match (&mut self.squares, squares) {
            (Squares::Integer(to), Squares::Integer(from)) => combine(to, from, is_out),
            (Squares::Decimal(to), Squares::Decimal(from)) => combine(to, from, is_out),
            (Squares::Float(to), Squares::Float(from)) => to.merge(from, is_out),
            (to, from) => panic!("{to:?} and {from:?} are of different kinds"),
        }
    }

    /// With the sums S and Q of the numbers and of their squares the variance
    /// of n numbers is `(n Q - S^2) / (n (n - 1))`, that of a population
    /// `(n Q - S^2) / n^2`.
    pub(crate) fn finish(&self, spread: Spread, input: NumberKind) -> Option<Value> {
        let count = self.sum.count;
        let Spread { of_population, is_root } = spread;
        if count < if of_population { 1 } else { 2 } {
            return None;
        }
        if let Total::Float(sum) = &self.sum.total
            && sum.has_specials()
        {
            return Some(Value::Float(crate::value::one_nan(f64::NAN)));
        }
        let (sum, squares, exponent) = match (&self.sum.total, &self.squares) {
            (Total::Integer(sum), Squares::Integer(squares)) => {
                (crate::round::limbs_of(sum.unsigned_abs()), squares.magnitude().1, 0)
            }
            (Total::Decimal(sum), Squares::Decimal(squares)) => {
                (sum.magnitude().1, squares.magnitude().1, 0)
            }
            (Total::Float(sum), Squares::Float(squares)) => {
                (sum.magnitude().1, squares.units().magnitude().1, 2 * i64::from(LEAST_EXPONENT))
            }
            _ => unreachable!("both sums are of the input's kind"),
        };
        let mut divisors = vec![count, if of_population { count } else { count - 1 }];
        if let NumberKind::Decimal { scale } = input {
            push_power_of_ten(&mut divisors, 2 * u32::from(scale));
        }
        let limbs = difference(multiply(&squares, &[count]), &multiply(&sum, &sum));
        let variance = Ratio { limbs, exponent, divisors: &divisors };
        Some(Value::Float(if is_root { variance.root_to_f64() } else { variance.to_f64() }))
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        let of_squares = match &self.squares {
            Squares::Float(squares) => squares.allocated_bytes(),
            Squares::Integer(_) | Squares::Decimal(_) => 0,
        };
        self.sum.allocated_bytes() + of_squares
    }

    /// As of `sum`, then the squares unless the count is 0.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let Self { sum, squares } = self;
        sum.encode(to);
        if sum.count > 0 {
            match squares {
                Squares::Integer(squares) => squares.encode(to),
                Squares::Decimal(squares) => squares.encode(to),
                Squares::Float(squares) => squares.encode(to),
            }
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>, kind: NumberKind) -> Result<Self, StateError> {
        let sum = SumState::decode(from, kind)?;
        if sum.count == 0 {
            return Ok(Self::new(kind));
        }
        let squares = match kind {
            NumberKind::Signed | NumberKind::Unsigned => Squares::Integer(Wide::decode(from)?),
            NumberKind::Decimal { .. } => Squares::Decimal(Wide::decode(from)?),
            NumberKind::Float => Squares::Float(ExactSquares::decode(from)?),
        };
        let state = Self { sum, squares };
        state.check()?;
        Ok(state)
    }

    /// Whether there are numbers with these sums, as far as Cauchy and Schwarz
    /// know: `S^2 <= n Q`.
    fn check(&self) -> Result<(), StateError> {
        let (sum, squares) = match (&self.sum.total, &self.squares) {
            (Total::Integer(sum), Squares::Integer(squares)) => {
                (Wide::<3>::from_i128(*sum).magnitude(), squares.magnitude())
            }
            (Total::Decimal(sum), Squares::Decimal(squares)) => {
                (sum.magnitude(), squares.magnitude())
            }
            (Total::Float(sum), Squares::Float(squares)) => {
                (sum.magnitude(), squares.units().magnitude())
            }
            _ => unreachable!("both sums are of the input's kind"),
        };
        let of_squares = multiply(&squares.1, &[self.sum.count]);
        let squared = multiply(&sum.1, &sum.1);
        let is_less = (of_squares.len(), of_squares.iter().rev().collect::<Vec<_>>())
            < (squared.len(), squared.iter().rev().collect::<Vec<_>>());
        if squares.0 || is_less {
            return Err(StateError::invalid("no numbers have such sums of squares"));
        }
        Ok(())
    }
}

fn combine<const N: usize>(to: &mut Wide<N>, from: &Wide<N>, is_out: bool) {
    if is_out { to.subtract(from) } else { to.add(from) }
}

fn add_square<const N: usize>(squares: &mut Wide<N>, value: u128) {
    let (low, high) = (value & u128::from(u64::MAX), value >> 64);
    add_product(squares, low * low, 0);
    if high > 0 {
        // Once for each of the two mixed products.
        add_product(squares, low * high, 64);
        add_product(squares, low * high, 64);
        add_product(squares, high * high, 128);
    }
}

/// In halves, since `add_shifted` takes less than 2^126.
fn add_product<const N: usize>(to: &mut Wide<N>, product: u128, shift: usize) {
    to.add_shifted(product & u128::from(u64::MAX), shift, false);
    to.add_shifted(product >> 64, shift + 64, false);
}
