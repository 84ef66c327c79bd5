//! Days, as partitions are named.

use std::fmt;

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// A day of UTC, as a number of days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i64);

impl Date {
    /// The first day that any time of ours is of.
    pub const MIN: Self = Self(i64::MIN / MICROSECONDS_PER_DAY - 1);
    /// The last day that any time of ours is of.
    pub const MAX: Self = Self(i64::MAX / MICROSECONDS_PER_DAY);

    /// The day of a time in microseconds since the epoch.
    #[must_use]
    pub fn of(microseconds: i64) -> Self {
        Self(microseconds.div_euclid(MICROSECONDS_PER_DAY))
    }

    /// Reads `YYYY-MM-DD`, as it is displayed; nothing for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let mut fields = digits.split('-').map(|field| field.parse::<i64>().ok());
        let (year, month, day) = (fields.next()??, fields.next()??, fields.next()??);
        if year > 400_000 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let date = Self::from_civil(sign * year, month, day);
        (date.to_string() == text).then_some(date)
    }

    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
    fn from_civil(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year - era * 400;
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * 146_097 + day_of_era - 719_468)
    }

    /// As above, `civil_from_days`.
    fn to_civil(self) -> (i64, i64, i64) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days - era * 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (year_of_era + era * 400 + i64::from(month <= 2), month, day)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.to_civil();
        let sign = if year < 0 { "-" } else { "" };
        write!(f, "{sign}{:04}-{month:02}-{day:02}", year.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn days_are_those_of_the_calendar() {
        let day = 86_400_000_000;
        for (microseconds, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (day - 1, "1970-01-01"),
            (951_782_400_000_000, "2000-02-29"),
            (1_704_067_199_999_999, "2023-12-31"),
            (i64::MAX, "294247-01-10"),
            (i64::MIN, "-290308-12-21"),
        ] {
            let date = Date::of(microseconds);
            assert_eq!(date.to_string(), text);
            assert_eq!(Date::parse(text), Some(date));
            assert!((Date::MIN..=Date::MAX).contains(&date));
        }
        for number in (-200_000..200_000).step_by(17) {
            assert_eq!(Date::parse(&Date(number).to_string()), Some(Date(number)));
        }
        for text in
            ["", "2020-02-30", "2020-1-01", "2020-13-01", "20200101", "2020-01-01-01", "--1-1-1"]
        {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }
}
