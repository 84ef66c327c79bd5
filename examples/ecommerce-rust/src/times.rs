//! When events happened.

use unskew::Timestamp;

/// The hour of the week in UTC: 0 is Monday's first, 167 Sunday's last.
#[unskew::transform]
pub fn hour_of_week(event_timestamp: Timestamp) -> u8 {
    let days = event_timestamp.date().weekday() - 1;
    (days * 24 + event_timestamp.hour()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday() {
        let monday = unskew::Date::new(2026, 1, 5).and_then(|day| day.midnight()).unwrap();
        assert_eq!(hour_of_week(monday), 0);
        assert_eq!(hour_of_week(Timestamp::from_micros(monday.micros() - 1)), 167);
    }
}
