//! Lengths of time as text: `90ms`, `5s`, `1h30m`, `7d`; i64 microseconds
//! everywhere else.

use std::fmt::Write as _;

use serde::Serializer;

/// Units from the longest to the shortest, with their microseconds.
const UNITS: [(&str, i64); 7] = [
    ("w", 7 * 24 * 3_600_000_000),
    ("d", 24 * 3_600_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// Not a row of whole numbers with units.
    #[error(
        "{0:?} is no length of time; write whole numbers with units from the longest to the shortest, such as 30s, 90ms, 1h30m or 7d (w, d, h, m, s, ms, us)"
    )]
    Form(String),
    /// More than 64-bit microseconds hold.
    #[error("{0:?} is longer than 292,000 years; shorten it")]
    TooLong(String),
}

/// Reads a length of time; gives microseconds, never negative.
pub fn parse_duration(text: &str) -> Result<i64, ParseDurationError> {
    let shown = || text.chars().take(60).collect::<String>();
    let form = || ParseDurationError::Form(shown());
    let mut rest = text;
    let mut total: i64 = 0;
    let mut units = UNITS.iter();
    if text.is_empty() {
        return Err(form());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
        let (number, behind) = rest.split_at(digits);
        let end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        // Units are used up from the longest on, so none comes twice.
        let (_, microseconds) = units.find(|(name, _)| *name == unit).ok_or_else(form)?;
        if number.is_empty() {
            return Err(form());
        }
        let part = number.parse::<i64>().ok().and_then(|number| number.checked_mul(*microseconds));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| ParseDurationError::TooLong(shown()))?;
        rest = behind;
    }
    Ok(total)
}

/// Writes microseconds as the shortest text that [`parse_duration`] reads
/// (`5400000000` as `1h30m`); weeks are written as days.
pub fn format_duration(microseconds: i64) -> String {
    if microseconds == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    let mut rest = microseconds.unsigned_abs();
    if microseconds < 0 {
        text.push('-');
    }
    for (unit, length) in UNITS.iter().skip(1) {
        let count = rest / *length as u64;
        rest %= *length as u64;
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    text
}

pub(crate) fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_duration(*value))
}

pub(crate) fn serialize_some<S: Serializer>(
    value: &Option<i64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serialize(value, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_print_as_they_parse() {
        for (text, microseconds) in [
            ("250us", 250),
            ("90ms", 90_000),
            ("5s", 5_000_000),
            ("1h30m", 5_400_000_000),
            ("7d", 7 * 86_400_000_000),
            ("1d2h3m4s5ms6us", 93_784_005_006),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(microseconds), "{text}");
            assert_eq!(format_duration(microseconds), text);
        }
        assert_eq!(parse_duration("2w"), Ok(14 * 86_400_000_000));
        assert_eq!(parse_duration("90m"), Ok(5_400_000_000));
    }

    #[test]
    fn other_texts_are_no_lengths_of_time() {
        for bad in ["", "5", "s", "5 s", "-5s", "1.5h", "1m1h", "1h1h", "5x", "7D", "1h30", "é5s"]
        {
            assert!(matches!(parse_duration(bad), Err(ParseDurationError::Form(_))), "{bad:?}");
        }
        for long in
            ["9223372036854775808us", "99999999999999999999s", "15300000w", "106751991d4h1m"]
        {
            assert!(matches!(parse_duration(long), Err(ParseDurationError::TooLong(_))), "{long}");
        }
    }
}
