//! Numbers as text, read strictly and rounded correctly: what the type cannot
//! hold is refused, never bent.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

/// Why a text is not a value of a type.
pub(crate) type Reason = Cow<'static, str>;

/// Reads a whole number: a sign if any, then decimal digits, nothing else.
pub(crate) fn parse_integer<T>(text: &str) -> Result<T, Reason>
where
    T: FromStr + Display + Bounds,
{
    // The grammar of the standard library is just this one.
    text.parse().map_err(|_| integer_reason::<T>(text))
}

/// The least and the greatest value of an integer type.
pub(crate) trait Bounds {
    const LEAST: Self;
    const GREATEST: Self;
}

macro_rules! bounds {
    ($($t:ty),*) => {
        $(impl Bounds for $t {
            const LEAST: Self = <$t>::MIN;
            const GREATEST: Self = <$t>::MAX;
        })*
    };
}
bounds!(i8, i16, i32, i64, u8, u16, u32, u64);

#[cold]
fn integer_reason<T: Display + Bounds>(text: &str) -> Reason {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("it is not from {} to {}", T::LEAST, T::GREATEST).into()
    } else if let Some(reason) = shape_reason(text) {
        reason
    } else if digits.parse::<f64>().is_ok_and(f64::is_finite) {
        "a whole number was expected, without point or exponent".into()
    } else {
        "a whole number was expected".into()
    }
}

/// What is wrong with a text that is meant to be some number, whatever its type.
fn shape_reason(text: &str) -> Option<Reason> {
    if text.is_empty() {
        Some("it is empty".into())
    } else if text.trim() != text {
        Some("it has blanks around it; remove them".into())
    } else {
        None
    }
}

/// A binary floating-point type.
pub(crate) trait Float: FromStr + Copy {
    const NAN: Self;
    fn is_nan(self) -> bool;
    fn is_infinite(self) -> bool;
}

macro_rules! float {
    ($($t:ty),*) => {
        $(impl Float for $t {
            const NAN: Self = <$t>::NAN;
            fn is_nan(self) -> bool {
                self.is_nan()
            }
            fn is_infinite(self) -> bool {
                self.is_infinite()
            }
        })*
    };
}
float!(f32, f64);

/// Reads a decimal number, correctly rounded, or `NaN`, `inf`, `infinity` in
/// any case and with any sign. Every NaN is the canonical one.
pub(crate) fn parse_float<T: Float>(text: &str) -> Result<T, Reason> {
    let value: T = text
        .parse()
        .map_err(|_| shape_reason(text).unwrap_or_else(|| "a number was expected".into()))?;
    if value.is_nan() {
        return Ok(T::NAN);
    }
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err("it is beyond the greatest number of the type; infinity is spelled inf".into());
    }
    Ok(value)
}

/// Reads a decimal number of at most `precision` digits, `scale` of them behind
/// the point, as the whole number of its last places. Never rounds.
pub(crate) fn parse_decimal(text: &str, precision: u8, scale: u8) -> Result<i128, Reason> {
    let form = || shape_reason(text).unwrap_or_else(|| "a decimal number was expected".into());
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        // Beyond the range of i32 nothing but zero fits anyway.
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| form())?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = Vec::with_capacity(whole.len() + fraction.len());
    digits.extend(whole.bytes().chain(fraction.bytes()));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(form());
    }
    let trailing_zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    digits.truncate(digits.len() - trailing_zeros);
    let leading_zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[leading_zeros..];
    if digits.is_empty() {
        return Ok(0);
    }
    // The value is `digits` with this many zeros behind, in units of the last place.
    let zeros =
        i64::from(exponent) + i64::from(scale) - fraction.len() as i64 + trailing_zeros as i64;
    if zeros < 0 {
        return Err(format!("it has more than {scale} digits behind the point").into());
    }
    if digits.len() as i64 + zeros > i64::from(precision) {
        let before = precision - scale;
        return Err(format!("it has more than {before} digits before the point").into());
    }
    let units = digits.iter().fold(0, |value, digit| value * 10 + i128::from(digit - b'0'))
        * 10_i128.pow(zeros as u32);
    Ok(if negative { -units } else { units })
}

/// Writes a float so that reading it gives the same bits: the shortest text
/// that does, with a point or an exponent; `NaN`, `inf` and `-inf` otherwise.
pub(crate) fn print_float<T: ryu::Float>(value: T, out: &mut Vec<u8>) {
    out.extend_from_slice(ryu::Buffer::new().format(value).as_bytes());
}

/// Writes a whole number.
pub(crate) fn print_integer<T: itoa::Integer>(value: T, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_read_strictly() {
        assert_eq!(parse_integer::<i64>("-9223372036854775808").unwrap(), i64::MIN);
        assert_eq!(parse_integer::<u64>("+18446744073709551615").unwrap(), u64::MAX);
        assert_eq!(parse_integer::<i8>("007").unwrap(), 7);
        for (text, part) in [
            ("1.5", "without point"),
            ("1.0", "without point"),
            ("1e3", "without point"),
            ("", "empty"),
            (" 1", "blanks"),
            ("1\u{a0}", "blanks"),
            ("1_000", "whole number"),
            ("0x10", "whole number"),
            ("--1", "whole number"),
            ("-", "whole number"),
            ("NaN", "whole number"),
            ("١", "whole number"),
            ("9223372036854775808", "-9223372036854775808 to 9223372036854775807"),
        ] {
            let reason = parse_integer::<i64>(text).unwrap_err();
            assert!(reason.contains(part), "{text:?}: {reason}");
        }
        assert!(parse_integer::<u8>("-1").unwrap_err().contains("0 to 255"));
    }

    #[test]
    fn floats_are_read_strictly() {
        for (text, value) in [
            ("1", 1.0),
            ("-0", -0.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e-400", 0.0),
            ("INF", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("9007199254740993", 9_007_199_254_740_992.0),
        ] {
            assert_eq!(parse_float::<f64>(text).unwrap().to_bits(), value.to_bits(), "{text}");
        }
        assert_eq!(parse_float::<f64>("-nan").unwrap().to_bits(), 0x7ff8_0000_0000_0000);
        // Rounding to float64 first would give 16777216.
        assert_eq!(parse_float::<f32>("16777217.0000000001").unwrap(), 16_777_218.0);
        for text in ["", " 1", "1 ", "1,5", "0x1p3", "1e999", "-1e999", "nanx", "e5", "1_0"] {
            assert!(parse_float::<f64>(text).is_err(), "{text:?} was read");
        }
        assert!(parse_float::<f32>("1e39").is_err());
    }

    #[test]
    fn decimals_are_never_rounded() {
        for (text, units) in [
            ("12.5", 1250),
            ("-0.01", -1),
            ("1.500", 150),
            ("0", 0),
            ("-0.000e9", 0),
            ("1e2", 10_000),
            ("125e-2", 125),
            (".5", 50),
            ("5.", 500),
            ("+00000000000000000000000000000000000000000000099999999.99", 9_999_999_999),
        ] {
            assert_eq!(parse_decimal(text, 10, 2).unwrap(), units, "{text}");
        }
        for (text, part) in [
            ("1.005", "more than 2 digits behind"),
            ("100000000", "more than 8 digits before"),
            ("1e300", "more than 8 digits before"),
            ("1e-300", "behind"),
            ("", "empty"),
            (".", "decimal number"),
            (" 1", "blanks"),
            ("1e", "decimal number"),
            ("1e99999999999", "decimal number"),
            ("NaN", "decimal number"),
            ("1.2.3", "decimal number"),
        ] {
            let reason = parse_decimal(text, 10, 2).unwrap_err();
            assert!(reason.contains(part), "{text:?}: {reason}");
        }
        let nines = "9".repeat(38);
        assert_eq!(parse_decimal(&nines, 38, 0).unwrap(), 10_i128.pow(38) - 1);
    }

    proptest! {
        #[test]
        fn floats_are_read_as_they_were_printed(bits: u64) {
            let value = f64::from_bits(bits);
            let mut out = Vec::new();
            print_float(value, &mut out);
            let read: f64 = parse_float(std::str::from_utf8(&out).unwrap()).unwrap();
            prop_assert!(read.to_bits() == bits || (value.is_nan() && read.is_nan()));
        }

        #[test]
        fn small_floats_are_read_as_they_were_printed(bits: u32) {
            let value = f32::from_bits(bits);
            let mut out = Vec::new();
            print_float(value, &mut out);
            let read: f32 = parse_float(std::str::from_utf8(&out).unwrap()).unwrap();
            prop_assert!(read.to_bits() == bits || (value.is_nan() && read.is_nan()));
        }
    }
}
