use unskew_definition::{Window, format_duration};

use crate::view_plan::{TrailingWindow, WindowPlan};

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3600 * SECOND_US;
const DAY_US: i64 = 24 * HOUR_US;

/// The hop of a trailing window that names none (DESIGN, section 5): 1 day for
/// sizes from 12 days, 1 hour from 12 hours, else the smaller of 5 minutes and
/// a twelfth of the size.
pub(super) fn default_hop_us(size_us: i64) -> i64 {
    if size_us >= 12 * DAY_US {
        DAY_US
    } else if size_us >= 12 * HOUR_US {
        HOUR_US
    } else {
        // A window shorter than 12 microseconds has no smaller part.
        (size_us / 12).clamp(1, 300 * SECOND_US)
    }
}

/// Of a window that emits. An offset beyond the distance of two windows says
/// the same as what is left of it.
pub(super) fn emitting(window: Window) -> WindowPlan {
    match window {
        Window::Tumbling { size_us, offset_us } => {
            WindowPlan::Tumbling { size_us, offset_us: offset_us.rem_euclid(size_us) }
        }
        Window::Sliding { size_us, hop_us, offset_us } => {
            WindowPlan::Sliding { size_us, hop_us, offset_us: offset_us.rem_euclid(hop_us) }
        }
        Window::Session { gap_us } => WindowPlan::Session { gap_us },
    }
}

impl std::fmt::Display for WindowPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |us: i64| format_duration(us);
        match *self {
            Self::Latest => f.write_str("latest"),
            Self::Trailing => f.write_str("trailing"),
            Self::Tumbling { size_us, offset_us } => {
                write!(f, "tumbling size {} offset {}", shown(size_us), shown(offset_us))
            }
            Self::Sliding { size_us, hop_us, offset_us } => write!(
                f,
                "sliding size {} hop {} offset {}",
                shown(size_us),
                shown(hop_us),
                shown(offset_us)
            ),
            Self::Session { gap_us } => write!(f, "session gap {}", shown(gap_us)),
        }
    }
}

impl std::fmt::Display for TrailingWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} hop {}", format_duration(self.size_us), format_duration(self.hop_us))
    }
}

#[cfg(test)]
mod tests {
    use unskew_definition::parse_duration;

    use super::*;

    #[test]
    fn hops_follow_the_size() {
        for (size, hop) in [
            ("30d", "1d"),
            ("12d", "1d"),
            ("11d23h59m", "1h"),
            ("7d", "1h"),
            ("12h", "1h"),
            ("11h59m59s", "5m"),
            ("1h", "5m"),
            ("59m", "4m55s"),
            ("1m", "5s"),
            ("12us", "1us"),
            ("1us", "1us"),
        ] {
            let found = default_hop_us(parse_duration(size).unwrap());
            assert_eq!(format_duration(found), hop, "{size}");
        }
    }

    #[test]
    fn offsets_are_within_the_hop() {
        let day = |d: i64| d * DAY_US;
        let tumbling = Window::Tumbling { size_us: day(7), offset_us: day(18) };
        assert_eq!(emitting(tumbling), WindowPlan::Tumbling { size_us: day(7), offset_us: day(4) });
        let sliding = Window::Sliding { size_us: day(7), hop_us: day(1), offset_us: day(1) + 5 };
        let resolved = WindowPlan::Sliding { size_us: day(7), hop_us: day(1), offset_us: 5 };
        assert_eq!(emitting(sliding), resolved);
    }
}
