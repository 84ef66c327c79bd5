use crate::error::DatagenError;

/// The first moment of all data: 2026-01-01T00:00:00Z.
pub const START_MICROS: i64 = 1_767_225_600_000_000;

/// The values of `event_type`.
pub const EVENT_TYPES: [&str; 3] = ["view", "click", "purchase"];

const DAY_MICROS: u64 = 86_400_000_000;

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// How many events.
    pub rows: u64,
    /// How many users there are; the one of rank k is drawn with a
    /// probability in proportion to `k^-1.1`.
    pub entities: u64,
    /// How many products there are, drawn in the same way.
    pub products: u64,
    /// How many days the events are spread over.
    pub days: u64,
    /// Another seed gives other events.
    pub seed: u64,
}

impl Spec {
    /// Refuses numbers that no file could hold.
    pub fn check(&self) -> Result<(), DatagenError> {
        let Self { rows, entities, products, days, seed: _ } = *self;
        for (option, found, least, most) in [
            ("rows", rows, 0, 100_000_000_000),
            ("entities", entities, 1, 10_000_000),
            ("products", products, 1, 10_000_000),
            ("days", days, 1, 36_500),
        ] {
            if !(least..=most).contains(&found) {
                return Err(DatagenError::OutOfRange { option, found, least, most });
            }
        }
        Ok(())
    }

    /// The length of the time that the events are spread over.
    pub(crate) fn span_micros(&self) -> u64 {
        self.days * DAY_MICROS
    }
}

impl Default for Spec {
    fn default() -> Self {
        Self { rows: 1_000_000, entities: 100_000, products: 5_000, days: 30, seed: 1 }
    }
}
