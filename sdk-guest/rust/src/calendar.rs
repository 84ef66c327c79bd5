//! Dates and times as columns hold them.

use std::fmt;

use crate::buffer::Plain;
use crate::cell::plain_cells;
use crate::output::plain_values;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// A day of the (proleptic Gregorian) calendar: type `date32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Date {
    days: i32,
}

/// A moment: type `timestamp`, microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Timestamp {
    micros: i64,
}

// SAFETY: both are one integer.
unsafe impl Plain for Date {}
// SAFETY: as above.
unsafe impl Plain for Timestamp {}

plain_cells! {
    Date, "date32";
    Timestamp, "timestamp";
}
plain_values!(Date, Timestamp);

impl Date {
    /// The day that is `days` after 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self { days }
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.days
    }

    /// A day by year, month (1 to 12) and day (1 to 31); `None` if there is
    /// no such day, or it does not fit.
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let days = days_from_civil(i64::from(year), month, day);
        let date = Self { days: i32::try_from(days).ok()? };
        (date.month() == month && date.day() == day).then_some(date)
    }

    /// The year.
    pub fn year(self) -> i32 {
        civil_from_days(i64::from(self.days)).0
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u32 {
        civil_from_days(i64::from(self.days)).1
    }

    /// The day of the month, 1 to 31.
    pub fn day(self) -> u32 {
        civil_from_days(i64::from(self.days)).2
    }

    /// The day of the week by ISO 8601: 1 is Monday, 7 is Sunday.
    pub const fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday.
        ((self.days as i64 + 3).rem_euclid(7) + 1) as u32
    }

    /// Its first moment; `None` beyond the years that microseconds reach.
    pub const fn midnight(self) -> Option<Timestamp> {
        match (self.days as i64).checked_mul(MICROS_PER_DAY) {
            Some(micros) => Some(Timestamp { micros }),
            None => None,
        }
    }
}

impl Timestamp {
    /// The moment that is `micros` microseconds after 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn seconds(self) -> i64 {
        self.micros.div_euclid(MICROS_PER_SECOND)
    }

    /// Its day in UTC.
    pub const fn date(self) -> Date {
        // 2^63 microseconds are less than 2^27 days.
        Date { days: self.micros.div_euclid(MICROS_PER_DAY) as i32 }
    }

    /// Its hour in UTC, 0 to 23.
    pub const fn hour(self) -> u32 {
        (self.seconds().rem_euclid(SECONDS_PER_DAY) / 3600) as u32
    }

    /// Its minute, 0 to 59.
    pub const fn minute(self) -> u32 {
        (self.seconds().rem_euclid(3600) / 60) as u32
    }

    /// Its second, 0 to 59.
    pub const fn second(self) -> u32 {
        self.seconds().rem_euclid(60) as u32
    }

    /// The microseconds since another moment; `None` on overflow.
    pub const fn micros_since(self, earlier: Self) -> Option<i64> {
        self.micros.checked_sub(earlier.micros)
    }
}

/// The formulas are those of Howard Hinnant's "chrono-Compatible Low-Level
/// Date Algorithms": years begin in March, and 400 of them are an era.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i32, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

impl fmt::Display for Date {
    /// As in `2024-02-29`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(i64::from(self.days));
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Timestamp {
    /// As in `2024-02-29T12:00:00.123456Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date();
        let (hour, minute, second) = (self.hour(), self.minute(), self.second());
        let micros = self.micros.rem_euclid(MICROS_PER_SECOND);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_the_calendar() {
        for (days, text, weekday) in [
            (0, "1970-01-01", 4),
            (-1, "1969-12-31", 3),
            (19_782, "2024-02-29", 4),
            (11_016, "2000-02-29", 2),
            (-25_567, "1900-01-01", 1),
            (-719_468, "0000-03-01", 3),
            (2_932_896, "9999-12-31", 5),
        ] {
            let date = Date::from_days(days);
            assert_eq!((date.to_string().as_str(), date.weekday()), (text, weekday));
            assert_eq!(Date::new(date.year(), date.month(), date.day()), Some(date));
        }
    }

    #[test]
    fn every_day_of_a_cycle_comes_back() {
        let mut before = Date::from_days(-200_000);
        for days in -199_999..200_000 {
            let date = Date::from_days(days);
            assert_eq!(Date::new(date.year(), date.month(), date.day()), Some(date));
            assert!(
                (date.year(), date.month(), date.day())
                    > (before.year(), before.month(), before.day())
            );
            before = date;
        }
    }

    #[test]
    fn days_that_do_not_exist_are_none() {
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1), (2024, 1, 0)]
        {
            assert_eq!(Date::new(year, month, day), None, "{year}-{month}-{day}");
        }
        assert_eq!(Date::new(i32::MAX, 1, 1), None);
    }

    #[test]
    fn times_before_1970_round_down() {
        let time = Timestamp::from_micros(-1);
        assert_eq!(time.to_string(), "1969-12-31T23:59:59.999999Z");
        assert_eq!((time.date().days(), time.hour(), time.seconds()), (-1, 23, -1));
        for micros in [i64::MIN, i64::MAX] {
            let time = Timestamp::from_micros(micros);
            assert!(time.date().midnight().is_none_or(|m| m <= time), "{time}");
        }
    }
}
