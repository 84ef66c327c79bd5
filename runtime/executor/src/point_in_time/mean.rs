//! The quotient of an exact sum and a count, rounded once.

/// `total / count`, rounded once (to nearest, ties to even); 0 of nothing.
#[inline]
pub(crate) fn mean(total: i128, count: u32) -> f64 {
    /// Up to here a product with 26 bits is exact.
    const FEW: u32 = 1 << 26;
    /// Splits a float into two of 26 bits (T. J. Dekker, 1971).
    const SPLITTER: f64 = ((1 << 27) + 1) as f64;
    /// By so much more than what is left out may be wrong.
    const MARGIN: f64 = 1.0 + 1.0 / (1_u64 << 36) as f64;
    let high = (total >> 32) as i64;
    if i128::from(high) == total >> 32
        && high.unsigned_abs() <= 1 << 53
        && (1..FEW).contains(&count)
    {
        // The total as two floats, exactly: a sum and what its rounding left.
        let (large, small) = (high as f64 * 4_294_967_296.0, f64::from(total as u32));
        let sum = large + small;
        let rest = small - (sum - large);
        let count = f64::from(count);
        let quotient = sum / count;
        // What the quotient leaves of the sum, exactly, and what it lacks.
        let scaled = SPLITTER * quotient;
        let upper = scaled - (scaled - quotient);
        let lower = quotient - upper;
        let left = (sum - upper * count) - lower * count;
        let lacking = (left + rest) / count;
        let mean = quotient + lacking;
        // Unless it is all but in the middle of two floats, it is the nearest.
        let error = lacking - (mean - quotient);
        if mean + error * MARGIN == mean {
            return mean;
        }
    }
    mean_by_integers(total, count)
}

#[cold]
fn mean_by_integers(total: i128, count: u32) -> f64 {
    const EXACT: u128 = 1 << 53;
    let magnitude = total.unsigned_abs();
    let count = count.max(1);
    let mean = if magnitude <= EXACT {
        magnitude as f64 / f64::from(count)
    } else {
        // A quotient of 55 bits or more, whose last bit also says whether
        // anything is below it, rounds as the exact one does.
        let divisor = u128::from(count);
        let shift = if magnitude >> 55 < divisor { 38 } else { 0 };
        let shifted = magnitude << shift;
        let quotient = shifted / divisor;
        let sticky = u128::from(quotient * divisor != shifted);
        (quotient | sticky) as f64 * f64::from_bits((1023 - shift) << 52)
    };
    if total < 0 { -mean } else { mean }
}

#[cfg(test)]
mod tests {
    use super::{mean, mean_by_integers};

    #[test]
    fn means_are_rounded_once() {
        // 2^53 + 1 halves: 2^52 + 1/2, a tie that goes to the even one.
        assert_eq!(mean((1 << 53) + 1, 2), (1_u64 << 52) as f64);
        assert_eq!(mean(-((1 << 53) + 3), 2), -(((1_u64 << 52) + 2) as f64));
        assert_eq!(mean(1, 3), 1.0 / 3.0);
        assert_eq!(mean(i128::MAX, 1), 2_f64.powi(127));
        assert_eq!(mean(i128::MIN, u32::MAX), -(2_f64.powi(127) / f64::from(u32::MAX)));
        assert_eq!(mean(0, 7).to_bits(), 0);
        // Just above a tie, by less than a double-rounded quotient would show.
        let tie = ((1_i128 << 54) + 2) << 40;
        assert_eq!(mean(tie * 3, 3), (tie as f64));
        assert_eq!(mean(tie * 3 + 1, 3), ((1_i128 << 54) + 4) as f64 * 2_f64.powi(40));
    }

    #[test]
    fn means_by_floats_are_those_by_integers() {
        let mut seed = 11_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            seed ^ seed >> 29
        };
        let check = |total: i128, count: u32| {
            let (found, expected) = (mean(total, count), mean_by_integers(total, count));
            assert_eq!(found.to_bits(), expected.to_bits(), "{total} / {count}");
        };
        for _ in 0..300_000 {
            let wide = (u128::from(random()) << 64 | u128::from(random())) as i128;
            let total = wide >> (30 + random() % 98);
            let count = (random() >> (32 + random() % 32)) as u32;
            check(total, count);
            check(total, 1 + count % 300);
            // Near the middle of two floats, and on it.
            let tie = ((1 << 54) | (random() as i128 >> 11 << 1) | 2) << (random() % 20);
            let count = 1 + count % 1000;
            for total in [tie * i128::from(count), tie * i128::from(count) + 1, -tie] {
                check(total, count);
            }
        }
    }
}
