use rand_chacha::ChaCha8Rng;

use crate::random::unit;
use crate::spec::{START_MICROS, Spec};

/// The times of all events of a [`Spec`], in order.
///
/// They are `rows` uniform draws in order, without holding them all: of n
/// draws from (0, x) the greatest is `x * u^(1/n)` (order statistics; Bentley
/// and Saxe, 1980).
pub(crate) struct EventTimes {
    span_micros: f64,
    rows_left: u64,
    /// The share of the whole time that lies behind the last event.
    time_left: f64,
}

impl EventTimes {
    pub(crate) fn new(spec: &Spec) -> Self {
        Self { span_micros: spec.span_micros() as f64, rows_left: spec.rows, time_left: 1.0 }
    }

    /// How many are to come.
    pub(crate) fn rows_left(&self) -> u64 {
        self.rows_left
    }

    /// The time of the next event; there must be one left.
    pub(crate) fn draw(&mut self, rng: &mut ChaCha8Rng) -> i64 {
        let shrink = libm::exp(libm::log(unit(rng)) / self.rows_left as f64);
        self.rows_left -= 1;
        self.time_left *= shrink;
        START_MICROS + ((1.0 - self.time_left) * self.span_micros) as i64
    }
}
