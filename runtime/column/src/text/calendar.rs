//! Dates and times as text, for every value that a column can hold.
//!
//! `chrono` stops at the year 262,142, a date32 and a timestamp do not; so the
//! calendar is computed here, by the formulas of Howard Hinnant's
//! "chrono-Compatible Low-Level Date Algorithms" (days_from_civil,
//! civil_from_days), in the proleptic Gregorian calendar.

use arrow::datatypes::TimeUnit;

const SECONDS_OF_DAY: i64 = 86_400;

/// Days since 1970-01-01 of a date that exists.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads `2024-02-29` as days since 1970-01-01. A year outside 0000 to 9999
/// has a sign: `+12024-02-29`, `-0044-03-15`.
pub(crate) fn parse_date(text: &str) -> Result<i64, &'static str> {
    let mut digits = Digits(text.as_bytes());
    let days = digits.date()?;
    if digits.0.is_empty() { Ok(days) } else { Err("there is more behind the date") }
}

/// Reads `2024-02-29T12:30:00.5+01:00` as microseconds since
/// 1970-01-01T00:00:00Z, as RFC 3339 has it and a little more: a blank may
/// stand for the `T`; seconds may be missing, or all of the time (midnight);
/// the zone may be missing (UTC). Digits behind the microseconds are cut off,
/// which is flooring, before 1970 too.
pub(crate) fn parse_timestamp(text: &str) -> Result<i64, &'static str> {
    let mut rest = Digits(text.as_bytes());
    let days = rest.date()?;
    let mut micros_of_day = 0;
    let mut offset_seconds = 0;
    if !rest.0.is_empty() {
        if !(rest.take(b'T') || rest.take(b't') || rest.take(b' ')) {
            return Err("a `T` and the time were expected behind the date");
        }
        micros_of_day = rest.time()?;
        offset_seconds = rest.offset()?;
    }
    if !rest.0.is_empty() {
        return Err("there is more behind the time");
    }
    let seconds = i128::from(days) * i128::from(SECONDS_OF_DAY) - i128::from(offset_seconds);
    let micros = seconds * 1_000_000 + i128::from(micros_of_day);
    i64::try_from(micros).map_err(|_| "it is beyond what 64 bits of microseconds can hold")
}

/// What is left of the text of a date or time.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// Exactly `count` digits.
    fn number(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    fn leading_digits(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn date(&mut self) -> Result<i64, &'static str> {
        const FORM: &str = "a date like 2024-02-29 was expected";
        let negative = self.take(b'-');
        let signed = negative || self.take(b'+');
        let length = if signed { self.leading_digits() } else { 4 };
        if !(4..=7).contains(&length) {
            return Err(FORM);
        }
        let year = self.number(length).ok_or(FORM)?;
        let year = if negative { -year } else { year };
        if !self.take(b'-') {
            return Err(FORM);
        }
        let month = self.number(2).ok_or(FORM)?;
        if !self.take(b'-') {
            return Err(FORM);
        }
        let day = self.number(2).ok_or(FORM)?;
        if !(1..=12).contains(&month) {
            return Err("there is no such month");
        }
        if !(1..=days_in_month(year, month)).contains(&day) {
            return Err("the month has no such day");
        }
        Ok(days_from_civil(year, month, day))
    }

    /// Microseconds since midnight.
    fn time(&mut self) -> Result<i64, &'static str> {
        const FORM: &str = "a time like 12:30:00.5 was expected";
        let hour = self.number(2).ok_or(FORM)?;
        if !self.take(b':') {
            return Err(FORM);
        }
        let minute = self.number(2).ok_or(FORM)?;
        let mut second = 0;
        let mut micros = 0;
        if self.take(b':') {
            second = self.number(2).ok_or(FORM)?;
            if self.take(b'.') {
                let length = self.leading_digits();
                if length == 0 {
                    return Err(FORM);
                }
                for place in 0..length.min(6) {
                    micros += i64::from(self.0[place] - b'0') * 10_i64.pow(5 - place as u32);
                }
                self.0 = &self.0[length..];
            }
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err("there is no such time of day");
        }
        Ok(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
    }

    /// Seconds to the east of UTC.
    fn offset(&mut self) -> Result<i64, &'static str> {
        const FORM: &str = "a zone like Z or +01:00 was expected behind the time";
        if self.0.is_empty() || self.take(b'Z') || self.take(b'z') {
            return Ok(0);
        }
        let negative = self.take(b'-');
        if !negative && !self.take(b'+') {
            return Err(FORM);
        }
        let hours = self.number(2).ok_or(FORM)?;
        let minutes =
            if self.take(b':') || !self.0.is_empty() { self.number(2).ok_or(FORM)? } else { 0 };
        if hours > 23 || minutes > 59 {
            return Err("there is no such zone");
        }
        let seconds = (hours * 60 + minutes) * 60;
        Ok(if negative { -seconds } else { seconds })
    }
}

/// Writes days since 1970-01-01 as [`parse_date`] reads them.
pub(crate) fn print_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    if (0..=9999).contains(&year) {
        padded(year, 4, out);
    } else {
        out.push(if year < 0 { b'-' } else { b'+' });
        padded(year.abs(), 4, out);
    }
    out.push(b'-');
    padded(month, 2, out);
    out.push(b'-');
    padded(day, 2, out);
}

/// Appends microseconds since the epoch as date and time in UTC.
pub fn print_utc(microseconds: i64, out: &mut Vec<u8>) {
    print_timestamp(microseconds, TimeUnit::Microsecond, true, out);
}

/// Writes a timestamp with as many digits as its unit has, and a `Z` where it
/// is known to be UTC.
pub(crate) fn print_timestamp(value: i64, unit: TimeUnit, utc: bool, out: &mut Vec<u8>) {
    let (per_second, _) = resolution(unit);
    let of_day = value.rem_euclid(per_second * SECONDS_OF_DAY);
    print_date(value.div_euclid(per_second * SECONDS_OF_DAY), out);
    out.push(b'T');
    print_time(of_day, unit, out);
    if utc {
        out.push(b'Z');
    }
}

/// Writes a time since midnight with as many digits as its unit has.
pub(crate) fn print_time(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let (per_second, digits) = resolution(unit);
    let seconds = value.div_euclid(per_second);
    padded(seconds / 3600, 2, out);
    out.push(b':');
    padded(seconds / 60 % 60, 2, out);
    out.push(b':');
    padded(seconds % 60, 2, out);
    if digits > 0 {
        out.push(b'.');
        padded(value.rem_euclid(per_second), digits, out);
    }
}

/// Units in a second, and the digits they take behind the point.
fn resolution(unit: TimeUnit) -> (i64, usize) {
    match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    }
}

fn padded(number: i64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number).as_bytes();
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(days: i64) -> String {
        let mut out = Vec::new();
        print_date(days, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn timestamp(value: i64, unit: TimeUnit) -> String {
        let mut out = Vec::new();
        print_timestamp(value, unit, true, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_dates_are_printed_and_read() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (19_782, "2024-02-29"),
            (-719_528, "0000-01-01"),
            (-719_529, "-0001-12-31"),
            (2_932_896, "9999-12-31"),
            (2_932_897, "+10000-01-01"),
            (i64::from(i32::MAX), "+5881580-07-11"),
            (i64::from(i32::MIN), "-5877641-06-23"),
        ] {
            assert_eq!(date(days), text);
            assert_eq!(parse_date(text), Ok(days), "{text}");
        }
    }

    #[test]
    fn timestamps_floor_and_honour_offsets() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01", 0),
            ("1970-01-01 00:00", 0),
            ("1970-01-01t00:00:01.5z", 1_500_000),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01T00:00:00-0130", 5_400_000_000),
            ("1970-01-01T02:00:00+02", 0),
            ("1970-01-01T00:00:00.0000019Z", 1),
            ("1969-12-31T23:59:59.9999991Z", -1),
            ("1969-12-31T23:59:59.9999999Z", -1),
        ] {
            assert_eq!(parse_timestamp(text), Ok(micros), "{text}");
        }
        assert_eq!(timestamp(-1, TimeUnit::Microsecond), "1969-12-31T23:59:59.999999Z");
        assert_eq!(timestamp(-1, TimeUnit::Second), "1969-12-31T23:59:59Z");
        assert_eq!(timestamp(1, TimeUnit::Nanosecond), "1970-01-01T00:00:00.000000001Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2024",
            "2024-1-1",
            "2024-13-01",
            "2023-02-29",
            "24-02-29",
            "2024-02-29T",
            "2024-02-29T25:00:00",
            "2024-02-29T12",
            "2024-02-29T12:00:60Z",
            "2024-02-29T12:00:00.Z",
            "2024-02-29T12:00:00+1",
            "2024-02-29T12:00:00+01:",
            "2024-02-29T12:00:00 Z",
            "2024-02-29T12:00:00Zx",
            "+99999999-01-01",
            "+300000-01-01T00:00:00Z",
            "1700000000",
            "２０２４-01-01",
        ] {
            assert!(parse_timestamp(text).is_err(), "{text}");
        }
        assert!(parse_date("2024-02-29T00:00:00").is_err());
    }

    proptest! {
        #[test]
        fn every_date_is_read_as_it_was_printed(days: i32) {
            prop_assert_eq!(parse_date(&date(days.into())), Ok(days.into()));
        }

        #[test]
        fn every_timestamp_is_read_as_it_was_printed(micros: i64) {
            prop_assert_eq!(parse_timestamp(&timestamp(micros, TimeUnit::Microsecond)), Ok(micros));
        }
    }

    #[test]
    fn the_ends_of_the_range_survive() {
        for micros in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX] {
            assert_eq!(parse_timestamp(&timestamp(micros, TimeUnit::Microsecond)), Ok(micros));
        }
    }
}
