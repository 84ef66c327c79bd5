//! What a store knows of a table as a whole.

use std::fmt;
use std::sync::Arc;

use crate::StoreError;

/// The longest name of a table, in bytes. Embedded stores have it in a key.
const LONGEST_NAME: usize = 400;

/// A view with its version, such as `user_orders@1`. The version is in every key, so versions live side by side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(Arc<str>);

impl TableId {
    /// The table of a view, given as name, `@` and version.
    ///
    /// # Errors
    ///
    /// For names that the keys of some backend could not hold.
    pub fn new(view: &str) -> Result<Self, StoreError> {
        if view.is_empty() || view.len() > LONGEST_NAME {
            return Err(StoreError::Invalid {
                what: format!(
                    "a table's name has {} bytes; it must have 1 to {LONGEST_NAME}. Shorten the view's name",
                    view.len()
                ),
            });
        }
        // Names stand in Redis keys within braces, which choose the cluster's slot, and in paths of the offline store.
        let bad = |c: &char| matches!(c, '{' | '}' | '/' | '\\') || c.is_control();
        if let Some(bad) = view.chars().find(bad) {
            return Err(StoreError::Invalid {
                what: format!(
                    "the table's name {view:?} holds {bad:?}, which a store's keys cannot; rename the view"
                ),
            });
        }
        Ok(Self(view.into()))
    }

    /// Name, `@` and version.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a store says of a table. A table nobody wrote to has the default: generation 0, and nothing covered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableState {
    /// The generation that is read. 0 is the one before any backfill; rows may be pushed into it.
    pub generation: u64,
    /// The greatest generation that was ever begun.
    pub begun: u64,
    /// Generations that are begun and neither current nor dropped, ascending. Whoever pushes writes into these, too.
    pub building: Vec<u64>,
    /// Files are materialized until here, exclusive, in microseconds since the epoch; `None` before the first time.
    pub covered_until: Option<i64>,
    /// When `covered_until` was last set, in microseconds since the epoch.
    pub written_at: Option<i64>,
}

const FORMAT: u8 = 1;

impl TableState {
    /// Whether a write into this generation counts.
    #[must_use]
    pub fn is_live(&self, generation: u64) -> bool {
        self.generation == generation || self.building.contains(&generation)
    }

    /// The current generation and all that are being built: where pushed rows go.
    pub fn live(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::once(self.generation).chain(self.building.iter().copied())
    }

    pub(crate) fn require_live(
        &self,
        place: &str,
        table: &TableId,
        generation: u64,
    ) -> Result<(), StoreError> {
        if self.is_live(generation) {
            return Ok(());
        }
        Err(StoreError::Superseded {
            place: place.into(),
            table: table.clone(),
            generation,
            current: self.generation,
        })
    }

    /// Begins the next generation, and says which it is.
    pub(crate) fn begin(&mut self) -> u64 {
        self.begun = self.begun.max(self.generation) + 1;
        self.building.push(self.begun);
        self.begun
    }

    /// Makes a generation the current one, if it is live; the one before it is no longer.
    pub(crate) fn swap(
        &mut self,
        place: &str,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError> {
        self.require_live(place, table, generation)?;
        self.generation = generation;
        // What began earlier must never come after it: its rows would be older than what is read now.
        self.building.retain(|building| *building > generation);
        self.covered_until = Some(covered_until);
        self.written_at = Some(written_at);
        Ok(())
    }

    /// Says that what is current covers files until here; it never goes back.
    pub(crate) fn advance(
        &mut self,
        place: &str,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError> {
        if generation != self.generation {
            return Err(StoreError::Superseded {
                place: place.into(),
                table: table.clone(),
                generation,
                current: self.generation,
            });
        }
        self.covered_until = self.covered_until.max(Some(covered_until));
        self.written_at = Some(written_at);
        Ok(())
    }

    /// Ends a generation that is to be dropped.
    pub(crate) fn forget(
        &mut self,
        place: &str,
        table: &TableId,
        generation: u64,
    ) -> Result<(), StoreError> {
        if generation == self.generation {
            return Err(StoreError::Invalid {
                what: format!(
                    "generation {generation} of {table} in {place} is the current one and cannot be dropped; swap another in first"
                ),
            });
        }
        self.building.retain(|building| *building != generation);
        Ok(())
    }

    pub(crate) fn to_bytes(&self, id: u32) -> Vec<u8> {
        let Self { generation, begun, building, covered_until, written_at } = self;
        let mut bytes = vec![FORMAT];
        bytes.extend(id.to_be_bytes());
        bytes.extend(generation.to_be_bytes());
        bytes.extend(begun.to_be_bytes());
        for time in [covered_until, written_at] {
            bytes.push(u8::from(time.is_some()));
            bytes.extend(time.unwrap_or_default().to_be_bytes());
        }
        for generation in building {
            bytes.extend(generation.to_be_bytes());
        }
        bytes
    }

    /// Reads [`TableState::to_bytes`]; nothing where they are not such bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<(u32, Self)> {
        let (&[format], rest) = bytes.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (begun, mut rest) = rest.split_first_chunk()?;
        let mut times = [None, None];
        for time in &mut times {
            let (&[there], after) = rest.split_first_chunk()?;
            let (number, after) = after.split_first_chunk()?;
            *time = match there {
                0 => None,
                1 => Some(i64::from_be_bytes(*number)),
                _ => return None,
            };
            rest = after;
        }
        let (building, left) = rest.as_chunks();
        let [covered_until, written_at] = times;
        (format == FORMAT && left.is_empty()).then(|| {
            let state = Self {
                generation: u64::from_be_bytes(*generation),
                begun: u64::from_be_bytes(*begun),
                building: building.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect(),
                covered_until,
                written_at,
            };
            (u32::from_be_bytes(*id), state)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{TableId, TableState};

    #[test]
    fn a_state_survives_its_bytes() {
        let mut state = TableState { covered_until: Some(-5), ..TableState::default() };
        assert_eq!(TableState::from_bytes(&state.to_bytes(7)), Some((7, state.clone())));
        assert_eq!((state.begin(), state.begin()), (1, 2));
        state.written_at = Some(i64::MAX);
        assert_eq!(TableState::from_bytes(&state.to_bytes(0)), Some((0, state.clone())));
        let bytes = state.to_bytes(0);
        for end in 0..bytes.len() {
            let cut = TableState::from_bytes(&bytes[..end]);
            // Cut between two generations it is a state with fewer of them; nowhere else.
            assert!(cut.is_none() || (bytes.len() - end).is_multiple_of(8), "{end}");
        }
    }

    #[test]
    fn a_swap_ends_what_began_before_it() {
        let mut state = TableState::default();
        let (first, second, third) = (state.begin(), state.begin(), state.begin());
        let table = TableId::new("v@1").unwrap();
        state.swap("here", &table, second, 5, 6).unwrap();
        assert!(state.swap("here", &table, first, 5, 6).is_err());
        assert!(!state.is_live(0) && !state.is_live(first));
        assert_eq!(state.live().collect::<Vec<_>>(), [second, third]);
        assert_eq!(state.begin(), 4);
    }

    #[test]
    fn names_that_no_key_can_hold_are_refused() {
        assert_eq!(TableId::new("user_orders@1").unwrap().to_string(), "user_orders@1");
        for view in ["", "a{b", "a}b", "a\nb", "a/b", &"x".repeat(401)] {
            let error = TableId::new(view).unwrap_err().to_string();
            assert!(error.contains("name"), "{error}");
        }
    }
}
