use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::error::DatagenError;
use crate::events::{USER_EXPONENT, draw_amount};
use crate::random::Zipf;
use crate::spec::Spec;
use crate::times::EventTimes;

/// Events as bare numbers, in order of time, all in memory: what the
/// benchmarks of the kernel take. They are other events than those of
/// [`Events`](crate::Events), drawn by the same laws, and each has an amount.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventNumbers {
    /// Microseconds since 1970-01-01T00:00:00Z, ascending.
    pub event_timestamps: Vec<i64>,
    /// From 0 on; 0 comes most often, by Zipf's law with exponent 1.1.
    pub users: Vec<u32>,
    /// Log-normal: half are below 33.
    pub amounts: Vec<f64>,
}

impl EventNumbers {
    /// All events of a spec, whose products are of no account. Refuses a spec
    /// that is out of bounds.
    pub fn new(spec: &Spec) -> Result<Self, DatagenError> {
        spec.check()?;
        let mut rng = ChaCha8Rng::seed_from_u64(spec.seed);
        let users = Zipf::new(spec.entities, USER_EXPONENT);
        let mut times = EventTimes::new(spec);
        let mut events = Self::default();
        while times.rows_left() > 0 {
            events.event_timestamps.push(times.draw(&mut rng));
            events.users.push(users.draw(&mut rng) as u32);
            events.amounts.push(draw_amount(&mut rng));
        }
        Ok(events)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.event_timestamps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.event_timestamps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::START_MICROS;

    #[test]
    fn events_are_in_order_and_the_same_every_time() {
        let spec = Spec { rows: 20_000, entities: 1_000, days: 90, ..Spec::default() };
        let events = EventNumbers::new(&spec).unwrap();
        assert_eq!(events, EventNumbers::new(&spec).unwrap());
        assert_eq!(
            (events.len(), events.users.len(), events.amounts.len()),
            (20_000, 20_000, 20_000)
        );
        assert!(events.event_timestamps.is_sorted());
        let span = START_MICROS..START_MICROS + 90 * 86_400_000_000;
        assert!(events.event_timestamps.iter().all(|time| span.contains(time)));
        assert!(events.users.iter().all(|user| *user < 1_000));
        let below = events.amounts.iter().filter(|amount| **amount < 33.0).count();
        assert!((9_500..10_500).contains(&below), "{below}");
        let first = events.users.iter().filter(|user| **user == 0).count();
        let second = events.users.iter().filter(|user| **user == 1).count();
        assert!(first > second && second > 20_000 / 20, "{first} and {second}");
    }
}
