//! Tiles: the mergeable state of each aggregate for one entity over one aligned
//! slice of time (DESIGN, sections 1 and 6). What serving stores, and merges
//! when a trailing window is asked for: tiles for what lies before the last
//! boundary, and the rows since then, the head, one by one.

mod evaluate;
mod resolutions;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, new_empty_array};

use crate::aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
use crate::fold_failures::FoldFailures;
use crate::row_order::RowOrder;
use crate::window::{LogRecords, NO_ENTITY};

pub use evaluate::{TiledAggregate, evaluate_tiles};
pub use resolutions::TileResolutions;

/// Which tile of a view it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileKey {
    /// The entity whose rows are in it.
    pub entity: u32,
    /// The partition of the source that they came from.
    pub partition: u32,
    /// The index of its length among the view's [`TileResolutions`].
    pub resolution: u8,
    /// The first time that is in it, in microseconds.
    pub start: i64,
}

/// What is known of a tile beside its states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileFacts {
    /// How many rows are in it, whatever an aggregate's `where` says.
    pub rows: u64,
    /// The greatest event time of its rows, in microseconds.
    pub newest_event: i64,
    /// From this time on all of its rows are visible, in microseconds.
    pub visible: i64,
}

impl TileFacts {
    fn merge(&mut self, other: &Self) {
        let Self { rows, newest_event, visible } = other;
        self.rows += rows;
        self.newest_event = self.newest_event.max(*newest_event);
        self.visible = self.visible.max(*visible);
    }
}

/// Tiles of one view.
pub struct Tiles {
    kernels: Vec<Arc<dyn AggregateKernel>>,
    keys: Vec<TileKey>,
    facts: Vec<TileFacts>,
    /// For each kernel, a state for each tile.
    states: Vec<Box<dyn GroupStates>>,
    places: HashMap<TileKey, u32>,
    failures: Vec<FoldFailures>,
}

impl Tiles {
    /// No tiles yet, for aggregates that these fold. A window is none of a
    /// tile's business: aggregates that differ in their window alone share it.
    pub fn new(kernels: Vec<Arc<dyn AggregateKernel>>) -> Result<Self, KernelError> {
        let states =
            kernels.iter().map(|kernel| nothing(&**kernel, 0)).collect::<Result<_, _>>()?;
        let failures = vec![FoldFailures::default(); kernels.len()];
        let (keys, facts, places) = (Vec::new(), Vec::new(), HashMap::new());
        Ok(Self { kernels, keys, facts, states, places, failures })
    }

    /// Tiles as they were stored: of each its key, facts and, for each kernel,
    /// its canonical bytes.
    pub fn restored(
        kernels: Vec<Arc<dyn AggregateKernel>>,
        tiles: Vec<(TileKey, TileFacts)>,
        states: &[BinaryArray],
    ) -> Result<Self, KernelError> {
        let fits = states.len() == kernels.len()
            && states.iter().all(|states| states.len() == tiles.len());
        if !fits {
            return Err(KernelError::WrongInput {
                aggregate: "of tiles".to_owned(),
                reason: format!("each of {} tiles needs a state of each aggregate", tiles.len()),
            });
        }
        let decoded = kernels.iter().zip(states).map(|(kernel, states)| kernel.decode(states));
        let states = decoded.collect::<Result<_, _>>()?;
        let places = tiles.iter().zip(0..).map(|((key, _), place)| (*key, place)).collect();
        let (keys, facts) = tiles.into_iter().unzip();
        let failures = vec![FoldFailures::default(); kernels.len()];
        Ok(Self { kernels, keys, facts, states, places, failures })
    }

    /// How many tiles.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All tiles, in the order of [`states`](Self::states).
    pub fn tiles(&self) -> impl Iterator<Item = (TileKey, TileFacts)> {
        self.keys.iter().copied().zip(self.facts.iter().copied())
    }

    /// The states of one aggregate, one for each tile.
    pub fn states(&self, aggregate: usize) -> &dyn GroupStates {
        &*self.states[aggregate]
    }

    /// Of each aggregate the records that failed in it when these tiles were
    /// [built](Self::build).
    pub fn failures(&self) -> &[FoldFailures] {
        &self.failures
    }

    /// The tiles of these records in every resolution. Rows are folded into the
    /// finest ones; coarser ones are merged from these.
    pub fn build(
        kernels: Vec<Arc<dyn AggregateKernel>>,
        resolutions: &TileResolutions,
        records: &LogRecords,
    ) -> Result<Self, KernelError> {
        let mut tiles = Self::finest(kernels, resolutions, records)?;
        tiles.roll_up(resolutions)?;
        Ok(tiles)
    }

    /// The tiles of these records in the finest resolution.
    pub(crate) fn finest(
        kernels: Vec<Arc<dyn AggregateKernel>>,
        resolutions: &TileResolutions,
        records: &LogRecords,
    ) -> Result<Self, KernelError> {
        records.check(kernels.len())?;
        let mut tiles = Self::new(kernels)?;
        let events = records.order.event_timestamps();
        let created = records.order.created_timestamps();
        let (mut rows, mut groups) = (Vec::new(), Vec::new());
        for row in 0..records.len() {
            let entity = records.entities[row];
            if entity == NO_ENTITY {
                continue;
            }
            let key = TileKey {
                entity,
                partition: records.partitions.as_ref().map_or(0, |partitions| partitions[row]),
                resolution: 0,
                start: resolutions.start(0, events[row]),
            };
            let visible = created.map_or(events[row], |created| created[row].max(events[row]));
            groups.push(tiles.note(key, TileFacts { rows: 1, newest_event: events[row], visible }));
            rows.push(row as u32);
        }
        let finest = tiles.len();
        for (at, kernel) in tiles.kernels.iter().enumerate() {
            let failures = &mut tiles.failures[at];
            tiles.states[at] = records.fold(at, &**kernel, &rows, &groups, finest, failures)?;
        }
        Ok(tiles)
    }

    /// Adds the coarser tiles to tiles of the finest resolution alone.
    pub(crate) fn roll_up(&mut self, resolutions: &TileResolutions) -> Result<(), KernelError> {
        let tiles = self;
        let mut from = 0..tiles.len() as u32;
        for resolution in 1..resolutions.len() as u8 {
            let into: Vec<u32> = from
                .clone()
                .map(|tile| {
                    let (key, facts) = (tiles.keys[tile as usize], tiles.facts[tile as usize]);
                    let start = resolutions.start(resolution.into(), key.start);
                    tiles.note(TileKey { resolution, start, ..key }, facts)
                })
                .collect();
            let made = from.end..tiles.len() as u32;
            tiles.merge_rows(&into, None, &from.collect::<Vec<_>>())?;
            from = made;
        }
        Ok(())
    }

    /// Puts the rows of other tiles of the same aggregates into these.
    pub fn merge(&mut self, other: &Self) -> Result<(), KernelError> {
        let into: Vec<u32> = other.tiles().map(|(key, facts)| self.note(key, facts)).collect();
        let from: Vec<u32> = (0..other.len() as u32).collect();
        self.merge_rows(&into, Some(other), &from)
    }

    /// The place of a tile, which gets more rows or is new.
    fn note(&mut self, key: TileKey, facts: TileFacts) -> u32 {
        match self.places.get(&key) {
            Some(place) => {
                self.facts[*place as usize].merge(&facts);
                *place
            }
            None => {
                let place = self.keys.len() as u32;
                self.places.insert(key, place);
                self.keys.push(key);
                self.facts.push(facts);
                place
            }
        }
    }

    /// Merges states at `from`, of `other` or of these, into those at `into`,
    /// in rounds in which none of the latter comes twice.
    fn merge_rows(
        &mut self,
        into: &[u32],
        other: Option<&Self>,
        from: &[u32],
    ) -> Result<(), KernelError> {
        let mut round_of: HashMap<u32, usize> = HashMap::new();
        let mut rounds: Vec<(Vec<u32>, Vec<u32>)> = Vec::new();
        for (into, from) in into.iter().zip(from) {
            let round = round_of.entry(*into).or_default();
            if *round == rounds.len() {
                rounds.push((Vec::new(), Vec::new()));
            }
            rounds[*round].0.push(*into);
            rounds[*round].1.push(*from);
            *round += 1;
        }
        for (at, kernel) in self.kernels.iter().enumerate() {
            let states = &mut self.states[at];
            let more = self.keys.len() - states.len();
            let own = match other {
                None => Some(states.take(&(0..states.len() as u32).collect::<Vec<_>>())),
                Some(_) => None,
            };
            states.append(nothing(&**kernel, more)?);
            for (into, from) in &rounds {
                let source = match (other, &own) {
                    (Some(other), _) => other.states(at),
                    (None, Some(own)) => &**own,
                    (None, None) => unreachable!("one of them was taken above"),
                };
                states.merge(into, source, from)?;
            }
        }
        Ok(())
    }
}

/// So many states without rows.
fn nothing(
    kernel: &dyn AggregateKernel,
    count: usize,
) -> Result<Box<dyn GroupStates>, KernelError> {
    let inputs: Vec<ArrayRef> =
        kernel.inputs().iter().map(|input| new_empty_array(&input.data_type.to_arrow())).collect();
    kernel.partial(&inputs, &RowOrder::empty(), &[], count)
}
