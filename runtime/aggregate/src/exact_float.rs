//! Sums of floats, and of their squares, without any rounding.

use std::fmt;

use crate::bytes::{Reader, StateError, write_signed};
use crate::round::{Ratio, nearest, nearest_float};
use crate::sum_bytes::{HEAD_BYTES, small_bytes, small_of};
use crate::wide::Wide;

/// Every finite float is a whole multiple of two to this power, and every
/// square of one a multiple of two to twice this power.
pub(crate) const LEAST_EXPONENT: i32 = -1074;

/// All finite floats, 2^63 times over and more.
pub(crate) type SumUnits = Wide<34>;

/// How far below the first value's last bit a small sum reaches.
pub(crate) const ROOM_BELOW: i32 = 20;

pub(crate) const ID: u8 = 64;
pub(crate) const VERSION: u8 = 1;

/// A finite float as `mantissa * 2^exponent`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) mantissa: i64,
    pub(crate) exponent: i32,
}

/// The exponent field of infinities and NaNs.
const SPECIAL: u64 = 0x7ff;

/// None of an infinity or NaN.
#[inline(always)]
pub(crate) fn parts(x: f64) -> Option<Parts> {
    let bits = x.to_bits();
    let biased = bits >> 52 & 0x7ff;
    if biased == SPECIAL {
        return None;
    }
    let is_normal = u64::from(biased != 0);
    let mantissa = (bits & ((1 << 52) - 1) | is_normal << 52) as i64;
    let sign = (bits as i64) >> 63;
    let exponent = biased as i32 - 1 + (1 - is_normal as i32) + LEAST_EXPONENT;
    Some(Parts { mantissa: (mantissa ^ sign) - sign, exponent })
}

/// A sum of floats that does not depend on their order.
///
/// It adds, subtracts and merges without rounding; [`value`](Self::value)
/// rounds once. As (part of) the state of an aggregate it obeys the laws: any
/// order, any partition and any way of merging gives the same bytes.
#[derive(Clone)]
pub struct ExactSum(Repr);

#[derive(Clone)]
enum Repr {
    /// `sum * 2^exponent`: what most sums fit in.
    Small {
        sum: i128,
        exponent: i32,
    },
    Large(Box<LargeSum>),
}

/// Any sum, with how often what is not finite has been added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LargeSum {
    /// In units of 2^-1074.
    pub(crate) units: SumUnits,
    pub(crate) specials: Specials,
}

/// How many NaNs and infinities there are. Below zero where more was taken
/// out than put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Specials {
    nans: i64,
    positive_infinities: i64,
    negative_infinities: i64,
}

impl Specials {
    pub(crate) fn take(&mut self, x: f64, times: i64) {
        let count = if x.is_nan() {
            &mut self.nans
        } else if x > 0.0 {
            &mut self.positive_infinities
        } else {
            &mut self.negative_infinities
        };
        *count = count.wrapping_add(times);
    }

    fn add(&mut self, other: &Self, times: i64) {
        let Self { nans, positive_infinities, negative_infinities } = other;
        for (to, from) in [
            (&mut self.nans, nans),
            (&mut self.positive_infinities, positive_infinities),
            (&mut self.negative_infinities, negative_infinities),
        ] {
            *to = to.wrapping_add(from.wrapping_mul(times));
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What they make of a sum; none where there are none.
    fn value(&self) -> Option<f64> {
        match (self.nans != 0, self.positive_infinities != 0, self.negative_infinities != 0) {
            (false, false, false) => None,
            (false, true, false) => Some(f64::INFINITY),
            (false, false, true) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }
}

impl LargeSum {
    pub(crate) const ZERO: Self = Self {
        units: Wide::ZERO,
        specials: Specials { nans: 0, positive_infinities: 0, negative_infinities: 0 },
    };

    /// Adds `value * 2^exponent`, where `exponent` is that of a float.
    pub(crate) fn add_scaled(&mut self, value: i128, exponent: i32) {
        let shift = (exponent - LEAST_EXPONENT) as usize;
        let magnitude = value.unsigned_abs();
        // `add_shifted` takes what is below 2^126.
        let low = magnitude & ((1 << 64) - 1);
        self.units.add_shifted(low, shift, value < 0);
        if magnitude >> 64 != 0 {
            self.units.add_shifted(magnitude >> 64, shift + 64, value < 0);
        }
    }
}

impl Default for ExactSum {
    fn default() -> Self {
        Self::new()
    }
}

impl ExactSum {
    /// The sum of nothing: zero.
    pub const fn new() -> Self {
        Self(Repr::Small { sum: 0, exponent: 0 })
    }

    /// The sum of these.
    pub(crate) fn of(values: &[f64]) -> Self {
        // All in units of the least one's last bit, where that leaves room.
        let (mut least, mut greatest) = (u32::MAX, 0);
        for x in values {
            let biased = (x.to_bits() >> 52 & SPECIAL) as u32;
            // Zeros count for nothing, subnormal numbers are left to the other way.
            least = least.min(if *x == 0.0 { u32::MAX } else { biased });
            greatest = greatest.max(biased);
        }
        let spread = greatest.wrapping_sub(least);
        let count_bits = usize::BITS - values.len().leading_zeros();
        let is_normal = least > 0 && u64::from(greatest) < SPECIAL;
        if !is_normal || least > greatest || spread > 62 || 53 + spread + count_bits > 126 {
            let mut sum = Self::new();
            values.iter().for_each(|x| sum.add(*x));
            return sum;
        }
        let mantissa = |x: f64| {
            let bits = x.to_bits();
            let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as i64;
            let sign = (bits as i64) >> 63;
            let mantissa = if x == 0.0 { 0 } else { (mantissa ^ sign) - sign };
            (mantissa, ((bits >> 52 & SPECIAL) as u32).wrapping_sub(least) & 63)
        };
        let mut sum = 0_i128;
        if spread <= 10 {
            for x in values {
                let (mantissa, shift) = mantissa(*x);
                sum += i128::from(mantissa << shift);
            }
        } else {
            for x in values {
                let (mantissa, shift) = mantissa(*x);
                sum += i128::from(mantissa) * i128::from(1_i64 << shift);
            }
        }
        Self::from_scaled(sum, least as i32 - 1 + LEAST_EXPONENT)
    }

    /// Adds a float. NaNs and infinities are counted, so that they can be
    /// taken out again.
    #[inline]
    pub fn add(&mut self, x: f64) {
        self.add_times(x, 1);
    }

    /// Takes out a float that was added.
    #[inline]
    pub fn remove(&mut self, x: f64) {
        self.add_times(x, -1);
    }

    #[inline]
    fn add_times(&mut self, x: f64, times: i64) {
        let Some(Parts { mantissa, exponent }) = parts(x) else {
            self.large().specials.take(x, times);
            return;
        };
        let mantissa = mantissa * times;
        if let Repr::Small { sum, exponent: unit } = &mut self.0
            && *sum == 0
        {
            let room = (exponent - LEAST_EXPONENT).min(ROOM_BELOW);
            *sum = i128::from(mantissa) * i128::from(1_i64 << room);
            *unit = exponent - room;
            return;
        }
        if let Repr::Small { sum, exponent: unit } = &mut self.0
            && let shift @ 0..=63 = exponent.wrapping_sub(*unit)
            && let Some(more) = add_shifted(*sum, mantissa, shift as u32)
        {
            *sum = more;
            return;
        }
        self.add_scaled(mantissa.into(), exponent);
    }

    /// Adds `value * 2^exponent`, where `exponent` is that of a float.
    #[cold]
    fn add_scaled(&mut self, value: i128, exponent: i32) {
        if value == 0 {
            return;
        }
        let Repr::Small { sum, exponent: unit } = &mut self.0 else {
            self.large().add_scaled(value, exponent);
            return;
        };
        if *sum == 0 {
            let room = (exponent - LEAST_EXPONENT).min(ROOM_BELOW);
            (*sum, *unit) = match shifted(value, room) {
                Some(value) => (value, exponent - room),
                None => (value, exponent),
            };
            return;
        }
        // Both in the lesser unit, if they fit.
        let least = (*unit).min(exponent);
        let both = shifted(*sum, *unit - least).zip(shifted(value, exponent - least));
        match both.and_then(|(a, b)| a.checked_add(b)) {
            Some(more) => (*sum, *unit) = (more, least),
            None => self.large().add_scaled(value, exponent),
        }
    }

    /// Makes it a large one.
    fn large(&mut self) -> &mut LargeSum {
        if let Repr::Small { sum, exponent } = self.0 {
            let mut large = Box::new(LargeSum::ZERO);
            if sum != 0 {
                large.add_scaled(sum, exponent);
            }
            self.0 = Repr::Large(large);
        }
        match &mut self.0 {
            Repr::Large(large) => large,
            Repr::Small { .. } => unreachable!("it was made large just now"),
        }
    }

    /// `sum * 2^exponent`.
    pub(crate) fn from_scaled(sum: i128, exponent: i32) -> Self {
        Self(Repr::Small { sum, exponent })
    }

    pub(crate) fn from_large(large: LargeSum) -> Self {
        Self(Repr::Large(Box::new(large)))
    }

    /// Adds all that `other` has added.
    pub fn merge(&mut self, other: &Self) {
        match &other.0 {
            Repr::Small { sum, exponent } => self.add_scaled(*sum, *exponent),
            Repr::Large(large) => {
                let to = self.large();
                to.units.add(&large.units);
                to.specials.add(&large.specials, 1);
            }
        }
    }

    /// Takes out all that `other` has added.
    pub fn subtract(&mut self, other: &Self) {
        match &other.0 {
            Repr::Small { sum, exponent } => match sum.checked_neg() {
                Some(sum) => self.add_scaled(sum, *exponent),
                None => {
                    self.add_scaled(-(*sum / 2), *exponent);
                    self.add_scaled(-(*sum / 2), *exponent);
                }
            },
            Repr::Large(large) => {
                let to = self.large();
                to.units.subtract(&large.units);
                to.specials.add(&large.specials, -1);
            }
        }
    }

    /// The sum, rounded to the nearest float once; zero is +0. A NaN or
    /// infinities of both signs give NaN, otherwise an infinity gives itself.
    pub fn value(&self) -> f64 {
        self.divided_by(&[])
    }

    /// The exact sum divided by `count`, rounded to the nearest float once;
    /// none where `count` is 0.
    pub fn mean(&self, count: u64) -> Option<f64> {
        (count > 0).then(|| self.divided_by(&[count]))
    }

    /// The sum divided by all of these, which are not zero, rounded once.
    pub(crate) fn divided_by(&self, divisors: &[u64]) -> f64 {
        match &self.0 {
            Repr::Small { sum, exponent } if divisors.is_empty() => {
                if SAFE_EXPONENTS.contains(exponent) {
                    // Scaling does not round what was rounded.
                    return nearest_float(*sum) * power_of_two(*exponent);
                }
                with_sign(nearest(sum.unsigned_abs(), (*exponent).into(), true), *sum < 0)
            }
            Repr::Small { sum, exponent } if divisors.len() == 1 => {
                let mean = quotient(sum.unsigned_abs(), divisors[0], *exponent);
                with_sign(mean, *sum < 0)
            }
            Repr::Small { sum, exponent } => {
                let magnitude = sum.unsigned_abs();
                let limbs = crate::round::limbs_of(magnitude);
                let ratio = Ratio { limbs, exponent: (*exponent).into(), divisors };
                with_sign(ratio.to_f64(), *sum < 0)
            }
            Repr::Large(large) => large.specials.value().unwrap_or_else(|| {
                let (is_negative, limbs) = large.units.magnitude();
                let ratio = Ratio { limbs, exponent: LEAST_EXPONENT.into(), divisors };
                with_sign(ratio.to_f64(), is_negative)
            }),
        }
    }

    /// The sum divided by `2^exponent`, where that is a whole number that fits.
    pub(crate) fn scaled_to(&self, exponent: i32) -> Option<i128> {
        match &self.0 {
            Repr::Small { sum: 0, .. } => Some(0),
            Repr::Small { sum, exponent: unit } if *unit >= exponent => {
                shifted(*sum, unit - exponent)
            }
            Repr::Small { sum, exponent: unit } => {
                let less = exponent.checked_sub(*unit)?;
                let is_whole = sum.trailing_zeros() as i32 >= less;
                is_whole.then(|| sum >> less)
            }
            Repr::Large(_) => None,
        }
    }

    /// What it has allocated beside itself.
    pub(crate) fn allocated_bytes(&self) -> usize {
        match &self.0 {
            Repr::Small { .. } => 0,
            Repr::Large(_) => size_of::<LargeSum>(),
        }
    }

    /// Whether a NaN or an infinity is in it.
    pub(crate) fn has_specials(&self) -> bool {
        matches!(&self.0, Repr::Large(large) if !large.specials.is_none())
    }

    /// Whether so many values can have been added and none taken out.
    pub(crate) fn is_of(&self, count: u64) -> bool {
        let Repr::Large(large) = &self.0 else { return true };
        let Specials { nans, positive_infinities, negative_infinities } = large.specials;
        let counts = [nans, positive_infinities, negative_infinities];
        let total =
            counts.iter().try_fold(0_u64, |sum, part| sum.checked_add(u64::try_from(*part).ok()?));
        total.is_some_and(|total| total <= count)
    }

    /// The finite part in units of 2^-1074, as a sign and an absolute value.
    pub(crate) fn magnitude(&self) -> (bool, Vec<u64>) {
        self.units().magnitude()
    }

    fn units(&self) -> SumUnits {
        match &self.0 {
            Repr::Small { sum: 0, .. } => Wide::ZERO,
            Repr::Small { sum, exponent } => {
                let mut large = LargeSum::ZERO;
                large.add_scaled(*sum, *exponent);
                large.units
            }
            Repr::Large(large) => large.units,
        }
    }

    /// The canonical bytes: a function of what was added, taken together, and
    /// of nothing else.
    pub fn to_bytes(&self) -> Vec<u8> {
        if let Some((bytes, length)) = self.to_short_bytes() {
            return bytes[..length].to_vec();
        }
        let mut bytes = vec![ID, VERSION];
        self.encode(&mut bytes);
        bytes
    }

    /// The canonical bytes, where they are few: the first so many of these.
    /// Most sums have so few; of others [`to_bytes`](Self::to_bytes) tells.
    #[inline]
    pub fn to_short_bytes(&self) -> Option<([u8; 24], usize)> {
        match self.0 {
            Repr::Small { sum, exponent } => Some(small_bytes(sum, exponent)),
            Repr::Large(_) => None,
        }
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, and refuses all else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        if let [ID, VERSION, rest @ ..] = bytes
            && let Some(small) = small_of(rest)
        {
            return Ok(small);
        }
        let mut from = Reader::open(bytes, ID, VERSION)?;
        let sum = Self::decode(&mut from)?;
        from.close()?;
        Ok(sum)
    }

    /// A byte that is 1 if there are NaNs or infinities, whose three counts
    /// then follow, and otherwise 0; the rest in units of 2^-1074.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        if let Repr::Small { sum, exponent } = self.0 {
            let (bytes, length) = small_bytes(sum, exponent);
            to.extend(&bytes[HEAD_BYTES..length]);
            return;
        }
        match &self.0 {
            Repr::Large(large) if !large.specials.is_none() => {
                let Specials { nans, positive_infinities, negative_infinities } = large.specials;
                to.push(1);
                for count in [nans, positive_infinities, negative_infinities] {
                    write_signed(to, count);
                }
            }
            _ => to.push(0),
        }
        self.units().encode(to);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, StateError> {
        const OTHER_FORM: StateError = StateError::invalid("a sum has another form than it should");
        let has_specials = match from.byte()? {
            0 => false,
            1 => true,
            _ => return Err(OTHER_FORM),
        };
        let mut specials = Specials::default();
        if has_specials {
            let Specials { nans, positive_infinities, negative_infinities } = &mut specials;
            for count in [nans, positive_infinities, negative_infinities] {
                *count = from.signed()?;
            }
            if specials.is_none() {
                return Err(OTHER_FORM);
            }
        }
        let units = SumUnits::decode(from)?;
        if has_specials {
            return Ok(Self::from_large(LargeSum { units, specials }));
        }
        Ok(match units.scaled() {
            _ if units.is_zero() => Self::new(),
            Some((sum, zeros)) => Self::from_scaled(sum, zeros as i32 + LEAST_EXPONENT),
            None => Self::from_large(LargeSum { units, specials }),
        })
    }
}

/// Times two to such a power no integer of 128 bits becomes subnormal or
/// infinite, even when it is divided by one of 64 bits.
const SAFE_EXPONENTS: std::ops::RangeInclusive<i32> = -900..=800;

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// The float nearest to `value / divisor * 2^exponent`.
fn quotient(value: u128, divisor: u64, exponent: i32) -> f64 {
    const EXACT: u128 = 1 << 53;
    if value == 0 {
        return 0.0;
    }
    if value <= EXACT && u128::from(divisor) <= EXACT && SAFE_EXPONENTS.contains(&exponent) {
        return value as u64 as f64 / divisor as f64 * power_of_two(exponent);
    }
    // So many bits that the quotient has 64 at least.
    let shift = value.leading_zeros();
    let value = value << shift;
    let quotient = value / u128::from(divisor);
    let is_exact = quotient * u128::from(divisor) == value;
    nearest(quotient, i64::from(exponent) - i64::from(shift), is_exact)
}

/// Zero has no sign.
fn with_sign(magnitude: f64, is_negative: bool) -> f64 {
    if is_negative && magnitude != 0.0 { -magnitude } else { magnitude }
}

/// `sum + value * 2^shift`, where it fits; the shift is below 64. In words of
/// 64 bits, since WebAssembly has no others: there a shift of 128 bits is a
/// call.
#[inline(always)]
fn add_shifted(sum: i128, value: i64, shift: u32) -> Option<i128> {
    let (low, high) = ((value << shift) as u64, (value >> 1) >> (63 - shift));
    let (sum_low, sum_high) = (sum as u64, (sum >> 64) as i64);
    let (low, carry) = sum_low.overflowing_add(low);
    let total = sum_high.wrapping_add(high).wrapping_add(i64::from(carry));
    // Both of one sign, and the result of the other.
    if (sum_high ^ total) & (high ^ total) < 0 {
        return None;
    }
    Some((i128::from(total) << 64) | i128::from(low))
}

/// `value * 2^shift`, where it fits.
fn shifted(value: i128, shift: i32) -> Option<i128> {
    if value == 0 {
        return Some(0);
    }
    (shift < 127).then(|| value << shift).filter(|shifted| shifted >> shift == value)
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        let specials = |sum: &Self| match &sum.0 {
            Repr::Small { .. } => Specials::default(),
            Repr::Large(large) => large.specials,
        };
        specials(self) == specials(other) && self.units() == other.units()
    }
}

impl Eq for ExactSum {}

impl fmt::Debug for ExactSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExactSum({:?})", self.value())
    }
}
