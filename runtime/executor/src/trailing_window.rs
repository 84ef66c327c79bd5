/// The last so long before the moment of asking, with an exact head and a tail
/// that moves in hops (DESIGN, section 5): `floor(t - size, hop) <= ts <= t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrailingWindow {
    /// In microseconds, above 0.
    pub size_us: i64,
    /// In microseconds, above 0 and at most the size.
    pub hop_us: i64,
}

impl TrailingWindow {
    /// The first time that is in the window at `time`, both in microseconds.
    pub fn tail(&self, time: i64) -> i64 {
        crate::window::floor_to(time.saturating_sub(self.size_us), self.hop_us, 0)
    }
}
