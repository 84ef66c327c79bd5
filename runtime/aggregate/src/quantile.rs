//! Which percentile, exactly.

use std::fmt;
use std::str::FromStr;

/// A number from 0 to 1 as it was written in decimals, so that `ceil(q * n)`
/// is that of the number one reads: 0.55 of 20 values are 11, though the
/// float nearest to 0.55 is above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quantile {
    /// In units of 10^-18.
    units: u64,
}

const DIGITS: usize = 18;
const ONE: u64 = 10_u64.pow(DIGITS as u32);

/// Why something is no quantile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantileError {
    found: String,
}

impl fmt::Display for QuantileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found } = self;
        write!(
            f,
            "the quantile {found:?} is not a number from 0 to 1 with at most {DIGITS} digits behind the point; write 0.95 for the 95th percentile"
        )
    }
}

impl std::error::Error for QuantileError {}

impl Quantile {
    /// The quantile that a float is printed as: 0.1 is a tenth exactly.
    pub fn from_f64(q: f64) -> Result<Self, QuantileError> {
        // Without the sign of zero. Display has no exponents.
        (if q == 0.0 { 0.0 } else { q }).to_string().parse()
    }

    /// The float nearest to it.
    pub fn to_f64(self) -> f64 {
        self.to_string().parse().expect("a decimal number is a float")
    }

    /// Nearest rank: `ceil(q * count)`, and the first for 0. Ranks count from 1.
    pub(crate) fn rank(self, count: u64) -> u64 {
        // A few values need no wide division.
        let rank = match self.units.checked_mul(count) {
            Some(product) => product.div_ceil(ONE),
            None => (u128::from(self.units) * u128::from(count)).div_ceil(ONE.into()) as u64,
        };
        rank.max(1)
    }
}

impl FromStr for Quantile {
    type Err = QuantileError;

    fn from_str(text: &str) -> Result<Self, QuantileError> {
        let wrong = || QuantileError { found: text.to_owned() };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) || text.ends_with('.') {
            return Err(wrong());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DIGITS {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let fraction: u64 = format!("{fraction:0<DIGITS$}").parse().expect("18 digits fit");
        let units = whole.checked_mul(ONE).and_then(|units| units.checked_add(fraction));
        match units {
            Some(units) if units <= ONE => Ok(Self { units }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.units / ONE, self.units % ONE);
        let fraction = format!("{fraction:0DIGITS$}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_written_number() {
        let rank = |q: f64, count| Quantile::from_f64(q).unwrap().rank(count);
        assert_eq!(rank(0.55, 20), 11);
        assert_eq!(rank(0.95, 20), 19);
        assert_eq!(rank(0.07, 100), 7);
        assert_eq!(rank(0.95, 21), 20);
        assert_eq!(rank(0.0, 5), 1);
        assert_eq!(rank(1.0, 5), 5);
        assert_eq!(rank(0.5, 1), 1);
        assert_eq!(rank(1.0, i64::MAX as u64), i64::MAX as u64);
        assert_eq!(rank(1e-9, 1_000_000_000), 1);
    }

    #[test]
    fn quantiles_are_printed_as_they_are_read() {
        for text in ["0", "1", "0.5", "0.95", "0.999", "0.000000000000000001"] {
            assert_eq!(text.parse::<Quantile>().unwrap().to_string(), text);
        }
        assert_eq!("0.50".parse::<Quantile>(), "0.5".parse());
        assert_eq!("1.000".parse::<Quantile>(), "1".parse());
    }

    #[test]
    fn what_is_no_quantile_is_refused() {
        for text in [
            "",
            ".",
            ".5",
            "0.",
            "-0.5",
            "1.1",
            "95",
            "0.5x",
            "1e-3",
            "NaN",
            "0.0000000000000000001",
        ] {
            let error = text.parse::<Quantile>().unwrap_err().to_string();
            assert!(error.contains("from 0 to 1"), "{error}");
        }
        for q in [f64::NAN, -0.1, 1.5, f64::INFINITY, 1e-30] {
            assert!(Quantile::from_f64(q).is_err(), "{q}");
        }
    }
}
