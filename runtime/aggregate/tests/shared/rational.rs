//! Sums as rational numbers of a library, and what their nearest float is.

use num_bigint::{BigInt, Sign};

/// A fraction with a divisor above 0.
#[derive(Clone, Debug)]
pub(crate) struct Rational {
    pub(crate) numerator: BigInt,
    pub(crate) denominator: BigInt,
}

impl Rational {
    pub(crate) fn new(numerator: BigInt, denominator: BigInt) -> Self {
        assert_eq!(denominator.sign(), Sign::Plus);
        Self { numerator, denominator }
    }

    /// The number that a finite float is.
    pub(crate) fn of(x: f64) -> Self {
        assert!(x.is_finite());
        // By way of its decimal digits, of which a float has finitely many.
        let text = format!("{x:.1100}");
        let (whole, fraction) = text.split_once('.').unwrap();
        let digits = format!("{whole}{fraction}");
        Self::new(digits.parse().unwrap(), BigInt::from(10).pow(fraction.len() as u32))
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        if self.denominator == other.denominator {
            return Self::new(&self.numerator + &other.numerator, self.denominator.clone());
        }
        Self::new(
            &self.numerator * &other.denominator + &other.numerator * &self.denominator,
            &self.denominator * &other.denominator,
        )
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        Self::new(&self.numerator * &other.numerator, &self.denominator * &other.denominator)
    }

    pub(crate) fn negated(&self) -> Self {
        Self::new(-&self.numerator, self.denominator.clone())
    }

    pub(crate) fn over(&self, divisor: &BigInt) -> Self {
        Self::new(self.numerator.clone(), &self.denominator * divisor)
    }

    pub(crate) fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }

    pub(crate) fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        let zero = Self::new(BigInt::ZERO, BigInt::from(1));
        all.into_iter().fold(zero, |sum, one| sum.plus(&one))
    }
}

/// The number halfway between two neighbouring floats, the upper of which may
/// be the infinity: there the next power of two stands for it.
fn halfway(below: f64, above: f64) -> Rational {
    let two_to_1024 = Rational::new(BigInt::from(2).pow(1024), BigInt::from(1));
    let of = |x: f64| match x {
        f64::INFINITY => two_to_1024.clone(),
        f64::NEG_INFINITY => two_to_1024.negated(),
        x => Rational::of(x),
    };
    of(below).plus(&of(above)).over(&BigInt::from(2))
}

/// Whether `found` is `exact` rounded to the nearest float, ties to even, with
/// +0 for all that is rounded to zero.
pub(crate) fn is_nearest(exact: &Rational, found: f64) -> bool {
    is_nearest_by(found, &|bound| exact.cmp(bound))
}

/// The same of the root of `square`, which is not below zero.
pub(crate) fn is_nearest_root(square: &Rational, found: f64) -> bool {
    is_nearest_by(found, &|bound| match bound.numerator.sign() {
        Sign::Minus => std::cmp::Ordering::Greater,
        _ => square.cmp(&bound.times(bound)),
    })
}

fn is_nearest_by(found: f64, compare: &dyn Fn(&Rational) -> std::cmp::Ordering) -> bool {
    if found.is_nan() || (found == 0.0 && found.is_sign_negative()) {
        return false;
    }
    let is_even = found.to_bits() & 1 == 0;
    let above_low = found == f64::NEG_INFINITY || {
        let order = compare(&halfway(found.next_down(), found));
        order.is_gt() || (order.is_eq() && is_even)
    };
    let below_high = found == f64::INFINITY || {
        let order = compare(&halfway(found, found.next_up()));
        order.is_lt() || (order.is_eq() && is_even)
    };
    above_low && below_high
}
