use crate::trailing_window::TrailingWindow;
use crate::window::floor_to;

/// How long tiles are: two or three lengths (more where hops lie far apart),
/// each a multiple of the one before. Every hop of the view's windows is a
/// multiple of the first, so that their tails are where tiles begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileResolutions(Vec<i64>);

/// One tile of a cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TileSlice {
    pub(crate) resolution: u8,
    pub(crate) start: i64,
}

impl TileResolutions {
    /// Those that suit these windows: their hops, where these divide each
    /// other, otherwise lengths that leave about as many tiles of each to read.
    ///
    /// # Panics
    ///
    /// When there is no window.
    pub fn of(windows: &[TrailingWindow]) -> Self {
        let mut hops: Vec<i64> = windows.iter().map(|window| window.hop_us).collect();
        hops.sort_unstable();
        hops.dedup();
        let longest = windows.iter().map(|window| window.size_us).max().expect("a window");
        let finest = hops.iter().copied().reduce(greatest_common_divisor).expect("a window");
        let are_nested = hops.windows(2).all(|pair| pair[1] % pair[0] == 0);
        if are_nested && hops.len() >= 2 {
            let middle = (hops.len() > 2).then(|| hops[hops.len() / 2]);
            let lengths = [Some(hops[0]), middle, Some(hops[hops.len() - 1])];
            return Self(up_to(longest, with_steps_between(lengths.into_iter().flatten())));
        }
        let tiles = longest / finest;
        let mut levels = if tiles > 64 { 3 } else { 2 };
        while (tiles as f64).powf(1.0 / f64::from(levels)) > MAX_STEP as f64 {
            levels += 1;
        }
        let step = ((tiles as f64).powf(1.0 / f64::from(levels)) as i64).max(2);
        let mut lengths = vec![finest];
        for _ in 1..levels {
            lengths.extend(lengths[lengths.len() - 1].checked_mul(step));
        }
        Self(lengths)
    }

    /// In microseconds, ascending.
    pub fn lengths_us(&self) -> &[i64] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where the tile begins that holds `time`.
    pub fn start(&self, resolution: usize, time: i64) -> i64 {
        floor_to(time, self.0[resolution], 0)
    }

    /// From there on rows are read one by one for a question at `time`.
    pub fn head_start(&self, time: i64) -> i64 {
        self.start(0, time)
    }

    /// The tiles of a window at `time`, from its tail up to the head.
    pub(crate) fn cover(&self, window: &TrailingWindow, time: i64) -> Vec<TileSlice> {
        let head = self.head_start(time);
        let mut start = window.tail(time);
        let mut slices = Vec::new();
        while start < head {
            let fitting = (0..self.0.len()).rev().find(|resolution| {
                start.rem_euclid(self.0[*resolution]) == 0
                    && i128::from(start) + i128::from(self.0[*resolution]) <= head.into()
            });
            // The tail is where a tile of the finest begins, unless the time
            // is at the very end of the range.
            let resolution = fitting.unwrap_or(0);
            slices.push(TileSlice { resolution: resolution as u8, start });
            start = start.saturating_add(self.0[resolution]);
        }
        slices
    }
}

/// At most so many tiles of one length lie in one of the next, so that a window
/// is a few hundred of them, whatever other windows a view has.
const MAX_STEP: i64 = 100;

/// Lengths that divide each other, with more between those that lie too far
/// apart; one that cannot be reached in such steps is left out.
fn with_steps_between(wanted: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut lengths: Vec<i64> = Vec::new();
    for wanted in wanted {
        let Some(mut last) = lengths.last().copied() else {
            lengths.push(wanted);
            continue;
        };
        while wanted / last > MAX_STEP {
            let ratio = wanted / last;
            let divisor = (2..=MAX_STEP).rev().find(|step| ratio % step == 0);
            last *= divisor.unwrap_or(MAX_STEP);
            lengths.push(last);
        }
        if wanted > last && wanted % last == 0 {
            lengths.push(wanted);
        }
    }
    lengths
}

/// With longer ones, until a few of the longest make up the longest window.
fn up_to(longest_us: i64, mut lengths: Vec<i64>) -> Vec<i64> {
    while let Some(last) = lengths.last()
        && longest_us / last > MAX_STEP
    {
        let step = ((longest_us / last) as f64).sqrt() as i64;
        lengths.push(last * step.min(MAX_STEP));
    }
    lengths
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    fn window(size_us: i64, hop_us: i64) -> TrailingWindow {
        TrailingWindow { size_us, hop_us }
    }

    #[test]
    fn hops_that_divide_each_other_are_the_resolutions() {
        let windows = [window(HOUR, 5 * MINUTE), window(DAY, HOUR), window(30 * DAY, DAY)];
        assert_eq!(TileResolutions::of(&windows).lengths_us(), [5 * MINUTE, HOUR, DAY]);
        assert_eq!(TileResolutions::of(&windows[..1]).lengths_us(), [5 * MINUTE, 15 * MINUTE]);
        let odd = TileResolutions::of(&[window(HOUR, 6 * MINUTE), window(DAY, 4 * MINUTE)]);
        assert_eq!(odd.lengths_us()[0], 2 * MINUTE);
        assert_eq!(odd.len(), 3);
    }

    #[test]
    fn a_cover_has_no_gap_and_no_overlap() {
        for windows in [
            [window(HOUR, 5 * MINUTE), window(30 * DAY, DAY)],
            [window(10 * DAY, 7 * MINUTE), window(DAY, 30 * MINUTE)],
            [window(10, 10), window(7, 3)],
            [window(12, 1), window(2 * HOUR, 5 * MINUTE)],
            [window(12, 1), window(30 * DAY, DAY)],
            [window(7, 1), window(DAY, 3_600_000_007)],
            [window(30 * DAY, 1), window(DAY, 1)],
            [window(HOUR, 5 * MINUTE), window(3650 * DAY, DAY)],
        ] {
            let resolutions = TileResolutions::of(&windows);
            for time in [-DAY - 1, -1, 0, 1, 5 * MINUTE, 400 * DAY + 123_456_789] {
                for window in &windows {
                    let mut next = window.tail(time);
                    let cover = resolutions.cover(window, time);
                    for slice in &cover {
                        let length = resolutions.lengths_us()[usize::from(slice.resolution)];
                        assert_eq!(slice.start, next);
                        assert_eq!(slice.start.rem_euclid(length), 0);
                        next += length;
                    }
                    assert_eq!(next, resolutions.head_start(time));
                    // Of each length at most a step's worth, on either side.
                    let most = 2 * MAX_STEP as usize * resolutions.len();
                    assert!(cover.len() <= most, "{} tiles", cover.len());
                }
            }
        }
    }
}
