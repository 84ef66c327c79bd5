//! The canonical bytes of sums that fit in 128 bits, written and read without
//! the full width in between.

use crate::exact_float::{ExactSum, ID, LEAST_EXPONENT, SumUnits, VERSION};

/// Bytes before what [`ExactSum::encode`] writes.
pub(crate) const HEAD_BYTES: usize = 2;
/// The head, the flag, the length, two of zeros, and a value of 128 bits that
/// begins somewhere in its first byte, are 23; with one more, whole words.
const MOST_SMALL_BYTES: usize = 24;

/// The canonical bytes of `sum * 2^exponent`, and how many they are: the same
/// that the sum in units of 2^-1074 would be written as. In words of 64 bits,
/// since WebAssembly has no wider shifts.
#[inline]
pub(crate) fn small_bytes(sum: i128, exponent: i32) -> ([u8; MOST_SMALL_BYTES], usize) {
    let mut bytes = [0; MOST_SMALL_BYTES];
    (bytes[0], bytes[1]) = (ID, VERSION);
    if sum == 0 {
        return (bytes, HEAD_BYTES + 2);
    }
    let magnitude = sum.unsigned_abs();
    let [low, high] = [magnitude as u64, (magnitude >> 64) as u64];
    let trailing = if low == 0 { 64 + high.trailing_zeros() } else { low.trailing_zeros() };
    let leading = if high == 0 { 64 + low.leading_zeros() } else { high.leading_zeros() };
    let first_bit = (exponent - LEAST_EXPONENT) as u32;
    // Whole bytes of zeros go, and may be so many bits come that fill one.
    let zeros = (first_bit + trailing) / 8;
    let length = ((first_bit + 128 - leading).div_ceil(8) - zeros) as usize;
    let words = match first_bit.checked_sub(8 * zeros) {
        // By less than a byte.
        Some(left) => {
            let carry = |word: u64| word >> 1 >> (63 - left);
            [low << left, high << left | carry(low), carry(high)]
        }
        None => {
            let right = 8 * zeros - first_bit;
            let (low, high) = if right >= 64 { (high, 0) } else { (low, high) };
            let right = right % 64;
            [low >> right | high << 1 << (63 - right), high >> right, 0]
        }
    };
    bytes[3] = (length * 2) as u8 + u8::from(sum < 0);
    let at = if zeros < 0x80 {
        bytes[4] = zeros as u8;
        5
    } else {
        (bytes[4], bytes[5]) = (zeros as u8 | 0x80, (zeros >> 7) as u8);
        6
    };
    bytes[at..at + 8].copy_from_slice(&words[0].to_le_bytes());
    bytes[at + 8..at + 16].copy_from_slice(&words[1].to_le_bytes());
    bytes[at + 16] = words[2] as u8;
    (bytes, at + length)
}

/// Reads what [`small_bytes`] wrote behind the head; none of all else, be it a
/// sum or not.
pub(crate) fn small_of(bytes: &[u8]) -> Option<ExactSum> {
    let (head, rest) = match bytes {
        [0, 0] => return Some(ExactSum::new()),
        [0, head, rest @ ..] if *head < 0x80 => (*head, rest),
        _ => return None,
    };
    let (zeros, rest) = match rest {
        [zeros, rest @ ..] if *zeros < 0x80 => (u32::from(*zeros), rest),
        [low, high @ 1..0x80, rest @ ..] => (u32::from(*low & 0x7f) | u32::from(*high) << 7, rest),
        _ => return None,
    };
    let is_whole = rest.len() == usize::from(head / 2)
        && rest.len() <= 16
        && zeros as usize + rest.len() < SumUnits::BITS / 8
        && rest.first().is_some_and(|first| *first != 0)
        && rest.last().is_some_and(|last| *last != 0);
    if !is_whole {
        return None;
    }
    let mut magnitude = [0; 16];
    magnitude[..rest.len()].copy_from_slice(rest);
    let magnitude = u128::from_le_bytes(magnitude);
    let trailing = magnitude.trailing_zeros();
    let sum = i128::try_from(magnitude >> trailing).ok()?;
    let exponent = (zeros * 8 + trailing) as i32 + LEAST_EXPONENT;
    Some(ExactSum::from_scaled(if head % 2 == 1 { -sum } else { sum }, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Reader;
    use crate::wide::Wide;

    /// By the full width.
    fn written(sum: i128, exponent: i32) -> Vec<u8> {
        let units = Wide::<5>::from_i128(sum).widen::<34>();
        let units = units.shifted_left((exponent - LEAST_EXPONENT) as usize);
        let mut bytes = vec![ID, VERSION, 0];
        units.encode(&mut bytes);
        bytes
    }

    fn check(sum: i128, exponent: i32) {
        let (bytes, length) = small_bytes(sum, exponent);
        let bytes = &bytes[..length];
        assert_eq!(bytes, written(sum, exponent), "{sum} * 2^{exponent}");
        let read = ExactSum::from_bytes(bytes).unwrap();
        assert_eq!(read, ExactSum::from_scaled(sum, exponent));
        let mut slowly = Reader::open(bytes, ID, VERSION).unwrap();
        assert_eq!(read, ExactSum::decode(&mut slowly).unwrap());
    }

    #[test]
    fn small_sums_are_written_as_all_sums_are() {
        let mut seed = 5_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            seed ^ seed >> 29
        };
        for sum in [0, 1, -1, i128::MAX, i128::MIN, i128::MIN + 1, 255, 256, -(1 << 64)] {
            for exponent in [LEAST_EXPONENT, -1073, -60, 0, 7, 900] {
                check(sum, exponent);
            }
        }
        for _ in 0..20_000 {
            let sum = (u128::from(random()) << 64 | u128::from(random())) as i128;
            let exponent = (random() % 1900) as i32 + LEAST_EXPONENT;
            check(sum >> (random() % 128), exponent);
        }
    }

    #[test]
    fn other_forms_are_left_to_the_full_width_which_refuses_them() {
        for bytes in [
            &[0, 2, 0, 0][..],
            &[0, 2, 0],
            &[0, 2, 0, 1, 1],
            &[0, 4, 0, 1],
            &[0, 4, 0, 1, 0],
            &[0, 2, 0x80, 0, 1],
            &[0, 2, 0xff, 0x7f, 1],
            &[0, 1],
            &[0, 0, 0],
            &[2, 2, 0, 1],
        ] {
            assert!(small_of(bytes).is_none(), "{bytes:?}");
            let whole = [&[ID, VERSION], bytes].concat();
            assert!(ExactSum::from_bytes(&whole).is_err(), "{bytes:?}");
        }
    }
}
