//! From an exact rational number to the nearest float, once.

/// A rational number: an absolute value in limbs (the lowest first, the upper
/// end without zeros), times `2^exponent`, divided by each of `divisors`.
#[derive(Debug)]
pub(crate) struct Ratio<'a> {
    pub(crate) limbs: Vec<u64>,
    pub(crate) exponent: i64,
    pub(crate) divisors: &'a [u64],
}

impl Ratio<'_> {
    /// The nearest float, ties to even; beyond the greatest an infinity.
    pub(crate) fn to_f64(&self) -> f64 {
        let Some((value, exponent, is_exact)) = self.leading_bits(66, 1) else { return 0.0 };
        nearest(value, exponent, is_exact)
    }

    /// The float nearest to the square root.
    ///
    /// For a real x >= 0 and its whole part w, the whole part of the root of x
    /// is that of the root of w, and the root of x is whole only if x = w.
    pub(crate) fn root_to_f64(&self) -> f64 {
        let Some((value, exponent, is_exact)) = self.leading_bits(116, 2) else { return 0.0 };
        let root = value.isqrt();
        nearest(root, exponent / 2, is_exact && root * root == value)
    }

    /// The whole part of the number divided by `2^exponent`, that exponent (a
    /// multiple of `step`), and whether nothing lies behind it. The whole part
    /// has from `bits - 1` bits to that many and one more for each divisor and
    /// one for `step`. None is zero.
    fn leading_bits(&self, bits: i64, step: i64) -> Option<(u128, i64, bool)> {
        if self.limbs.is_empty() {
            return None;
        }
        let mut limbs = self.limbs.clone();
        // Each factor of the divisor takes its own length away, at most.
        let taken: i64 = self.divisors.iter().map(|d| i64::from(64 - d.leading_zeros())).sum();
        let shift = bits + taken - bit_length(&limbs);
        let mut exponent = self.exponent - shift;
        let adjust = exponent.rem_euclid(step);
        // Shifting by more keeps more bits; `bits` leaves room for that.
        exponent -= adjust;
        let mut is_exact = shift_left(&mut limbs, shift + adjust);
        for divisor in self.divisors {
            is_exact &= divide(&mut limbs, *divisor) == 0;
        }
        debug_assert!(limbs.len() <= 2, "the quotient has too many bits");
        let [low, high] = [0, 1].map(|at| limbs.get(at).copied().unwrap_or(0));
        let value = u128::from(high) << 64 | u128::from(low);
        Some((value, exponent, is_exact))
    }
}

fn bit_length(limbs: &[u64]) -> i64 {
    limbs.last().map_or(0, |last| limbs.len() as i64 * 64 - i64::from(last.leading_zeros()))
}

/// Multiplies by `2^shift`; below zero it divides, and says whether nothing
/// was cut off.
fn shift_left(limbs: &mut Vec<u64>, shift: i64) -> bool {
    let (words, bit) = ((shift.unsigned_abs() / 64) as usize, (shift.unsigned_abs() % 64) as u32);
    if shift >= 0 {
        let mut carry = 0;
        for limb in limbs.iter_mut() {
            let wide = u128::from(*limb) << bit;
            *limb = wide as u64 | carry;
            carry = (wide >> 64) as u64;
        }
        if carry != 0 {
            limbs.push(carry);
        }
        limbs.splice(0..0, std::iter::repeat_n(0, words));
        return true;
    }
    let cut = words.min(limbs.len());
    let mut is_exact = limbs.drain(..cut).all(|limb| limb == 0);
    let mut carry = 0;
    for limb in limbs.iter_mut().rev() {
        let wide = u128::from(*limb) << 64 >> bit;
        *limb = (wide >> 64) as u64 | carry;
        carry = wide as u64;
    }
    is_exact &= carry == 0;
    trim(limbs);
    is_exact
}

/// Divides, and gives what is left over.
fn divide(limbs: &mut Vec<u64>, divisor: u64) -> u64 {
    let mut rest = 0_u64;
    for limb in limbs.iter_mut().rev() {
        let part = u128::from(rest) << 64 | u128::from(*limb);
        *limb = (part / u128::from(divisor)) as u64;
        rest = (part % u128::from(divisor)) as u64;
    }
    trim(limbs);
    rest
}

fn trim(limbs: &mut Vec<u64>) {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
}

/// An absolute value in limbs.
pub(crate) fn limbs_of(value: u128) -> Vec<u64> {
    let mut limbs = vec![value as u64, (value >> 64) as u64];
    trim(&mut limbs);
    limbs
}

/// The product of two absolute values.
pub(crate) fn multiply(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut product = vec![0_u64; a.len() + b.len()];
    for (i, a) in a.iter().enumerate() {
        let mut carry = 0;
        for (j, b) in b.iter().enumerate() {
            let sum =
                u128::from(*a) * u128::from(*b) + u128::from(product[i + j]) + u128::from(carry);
            product[i + j] = sum as u64;
            carry = (sum >> 64) as u64;
        }
        product[i + b.len()] = carry;
    }
    trim(&mut product);
    product
}

/// `a - b`, where `a` is not less.
pub(crate) fn difference(mut a: Vec<u64>, b: &[u64]) -> Vec<u64> {
    let mut borrow = false;
    for (i, limb) in a.iter_mut().enumerate() {
        let (first, x) = limb.overflowing_sub(b.get(i).copied().unwrap_or(0));
        let (result, y) = first.overflowing_sub(u64::from(borrow));
        *limb = result;
        borrow = x | y;
    }
    debug_assert!(!borrow, "the difference is below zero");
    trim(&mut a);
    a
}

/// The float nearest to an integer, ties to even.
#[inline]
pub fn nearest_float(value: i128) -> f64 {
    const EXACT: u64 = 1 << 53;
    let high = (value >> 32) as i64;
    if i128::from(high) == value >> 32 && high.unsigned_abs() <= EXACT {
        // Both parts are floats, so that adding them rounds once.
        return high as f64 * 4_294_967_296.0 + f64::from(value as u32);
    }
    value as f64
}

/// The float nearest to `value * 2^exponent`, ties to even; unless `is_exact`
/// a little more lies behind `value`, which then has 55 bits at least.
pub(crate) fn nearest(value: u128, exponent: i64, is_exact: bool) -> f64 {
    let bits = i64::from(128 - value.leading_zeros());
    if bits == 0 {
        return 0.0;
    }
    // The unit in the last place: that of 53 bits, or of the subnormals.
    let unit = (exponent + bits - 53).max(-1074);
    let cut = unit - exponent;
    let (kept, is_up) = if cut <= 0 {
        // Only with few bits, which then are exact.
        (value << -cut, false)
    } else if cut > 127 {
        (0, false)
    } else {
        let kept = value >> cut;
        let rest = value & ((1 << cut) - 1);
        let half = 1_u128 << (cut - 1);
        let is_tie = rest == half && is_exact;
        (kept, if is_tie { kept & 1 == 1 } else { rest >= half })
    };
    let mantissa = kept as u64 + u64::from(is_up);
    if mantissa == 0 {
        return 0.0;
    }
    // A carry out of the mantissa goes into the exponent, as it should.
    let is_normal = kept >> 52 != 0;
    let biased = if is_normal { unit + 1075 } else { 1 };
    if biased > 2046 {
        return f64::INFINITY;
    }
    f64::from_bits(((biased - 1) as u64).wrapping_mul(1 << 52).wrapping_add(mantissa))
}

#[cfg(test)]
mod tests {
    use super::nearest_float;

    #[test]
    fn integers_are_rounded_as_the_language_does() {
        let mut value = 1_i128;
        for step in 0..4000_i128 {
            for x in [value, -value, value + 1, value - 1, (value << 30) + (1 << 29), value >> 7] {
                assert_eq!(nearest_float(x).to_bits(), (x as f64).to_bits(), "{x}");
            }
            value = value.wrapping_mul(6364136223846793005).wrapping_add(step) >> (step % 90);
        }
        for tie in [(1_i128 << 54) + 2, (1 << 54) + 6, (1 << 84) + (1 << 31), i128::MIN, 0, -1] {
            assert_eq!(nearest_float(tie).to_bits(), (tie as f64).to_bits());
        }
    }
}
