//! Decimal numbers of a fixed scale.

use std::fmt;

use crate::buffer::Plain;
use crate::cell::{Cell, Scalar, Typed};
use crate::output::{PlainItems, PlainWriter, ScalarValue, Value};
use crate::request::Request;

/// A decimal number of `P` digits, `S` of them behind the point: type
/// `decimal128(P,S)`.
///
/// It is a whole number of units of 10^-S, so `Decimal::<10, 2>` counts cents.
///
/// ```
/// use unskew::Decimal;
///
/// let price = Decimal::<10, 2>::new(12_50).unwrap();
/// assert_eq!(price.to_string(), "12.50");
/// assert_eq!(price.checked_mul_int(2).unwrap().units(), 25_00);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Decimal<const P: u8, const S: u8> {
    units: i128,
}

impl<const P: u8, const S: u8> Decimal<P, S> {
    const LIMIT: i128 = {
        assert!(P >= 1 && P <= 38, "a Decimal<P, S> has 1 to 38 digits P");
        assert!(S <= P, "a Decimal<P, S> has at most P digits S behind its point");
        10_i128.pow(P as u32)
    };

    /// So many units of 10^-S; `None` if they have more than `P` digits.
    pub const fn new(units: i128) -> Option<Self> {
        if units > -Self::LIMIT && units < Self::LIMIT { Some(Self { units }) } else { None }
    }

    /// The number in units of 10^-S.
    pub const fn units(self) -> i128 {
        self.units
    }

    /// The sum; `None` if it has more than `P` digits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.units.checked_add(other.units) {
            Some(units) => Self::new(units),
            None => None,
        }
    }

    /// The difference; `None` if it has more than `P` digits.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.units.checked_sub(other.units) {
            Some(units) => Self::new(units),
            None => None,
        }
    }

    /// The product with a whole number; `None` if it has more than `P` digits.
    pub const fn checked_mul_int(self, factor: i64) -> Option<Self> {
        match self.units.checked_mul(factor as i128) {
            Some(units) => Self::new(units),
            None => None,
        }
    }

    /// The nearest f64.
    ///
    /// Both steps round, so the last bit may differ from the correctly
    /// rounded quotient where the units are beyond 2^53.
    pub fn to_f64(self) -> f64 {
        self.units as f64 / 10_f64.powi(i32::from(S))
    }
}

impl<const P: u8, const S: u8> fmt::Display for Decimal<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let scale = usize::from(S);
        let digits = format!("{:0width$}", self.units.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let point = if scale == 0 { "" } else { "." };
        f.pad(&format!("{sign}{whole}{point}{fraction}"))
    }
}

// SAFETY: it is one integer. One of too many digits is wrong, but no undefined
// behaviour: the host sends none, and refuses one that comes back.
unsafe impl<const P: u8, const S: u8> Plain for Decimal<P, S> {}

impl<const P: u8, const S: u8> Typed for Decimal<P, S> {
    fn write_type(to: &mut String) {
        const { assert!(Self::LIMIT > 0) };
        to.push_str(&format!("decimal128({P},{S})"));
    }
}

impl<'a, const P: u8, const S: u8> Cell<'a> for Decimal<P, S> {
    type View = &'a [Self];

    fn open(request: &mut Request<'a>, rows: usize) -> &'a [Self] {
        request.values(rows)
    }

    #[inline(always)]
    unsafe fn get(view: &&'a [Self], row: usize) -> Self {
        // SAFETY: as the caller promises.
        unsafe { *view.get_unchecked(row) }
    }
}

impl<const P: u8, const S: u8> Scalar for Decimal<P, S> {}

impl<const P: u8, const S: u8> Value for Decimal<P, S> {
    type Writer = PlainWriter<Self>;

    #[inline(always)]
    fn put(self, writer: &mut Self::Writer, row: usize) {
        writer.set(row, self);
    }

    #[inline(always)]
    fn put_nothing(writer: &mut Self::Writer, row: usize) {
        writer.set(row, Self { units: 0 });
    }
}

impl<const P: u8, const S: u8> ScalarValue for Decimal<P, S> {
    type Items = PlainItems<Self>;

    fn push(self, items: &mut Self::Items) {
        items.push(self);
    }

    fn push_nothing(items: &mut Self::Items) {
        items.push(Self { units: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_print_with_their_scale() {
        assert_eq!(Decimal::<10, 2>::new(-5).unwrap().to_string(), "-0.05");
        assert_eq!(Decimal::<10, 2>::new(1250).unwrap().to_string(), "12.50");
        assert_eq!(Decimal::<3, 3>::new(7).unwrap().to_string(), "0.007");
        assert_eq!(Decimal::<3, 0>::new(-999).unwrap().to_string(), "-999");
    }

    #[test]
    fn too_many_digits_are_none() {
        assert_eq!(Decimal::<3, 1>::new(1000), None);
        assert_eq!(Decimal::<3, 1>::new(-1000), None);
        let most = Decimal::<38, 0>::new(10_i128.pow(38) - 1).unwrap();
        assert_eq!(most.checked_add(most), None);
        assert_eq!(most.checked_sub(most).unwrap().units(), 0);
        assert_eq!(most.checked_mul_int(i64::MAX), None);
        assert_eq!(Decimal::<38, 2>::new(i128::MIN), None);
    }
}
