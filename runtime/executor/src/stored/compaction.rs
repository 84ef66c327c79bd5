use std::collections::BTreeMap;

use arrow::array::BinaryArray;

use crate::evaluation_error::EvaluationError;
use crate::service::ViewOperator;
use crate::stored::entity_rows::{ReadRow, read_rows};
use crate::stored::layout::{StoredContents, TrailingLayout};
use crate::stored::needs::FoundParts;
use crate::stored::part::{Part, PartKind, PartVersion, RowName};
use crate::stored::part_value::{tile_bytes, with_older_dropped};
use crate::stored::trailing::{RowColumns, counted, covered, seen_by_kernels, version_of};
use crate::tiles::Tiles;
use crate::window::LogRecords;

/// Parts of one entity that take the place of others, in one step and only if
/// all that is expected is still there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// All must hold, or nothing is done.
    pub expected: Vec<Expectation>,
    /// Removed.
    pub remove: Vec<Vec<u8>>,
    /// Written, whatever is there.
    pub put: Vec<Part>,
}

/// A row part that must be there as it was read, or must not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Its name.
    pub name: Vec<u8>,
    /// Whether it must be there.
    pub is_there: bool,
}

impl ViewOperator {
    /// How to make fewer parts of an entity's rows, where at least `at_least`
    /// of them go. `found` are all of its row parts, read by
    /// [`needs_all`](Self::needs_all) at any time that is not before theirs,
    /// with the tiles of these.
    ///
    /// What is younger than the newest row less the source's
    /// `out_of_orderness` and `allowed_lateness` stays as it is. Of older rows
    /// of a trailing view slices are folded, so that rows that come later for
    /// these are too late; of a latest view only the newest one stays.
    pub fn compact(
        &self,
        covered_until: Option<i64>,
        found: &FoundParts<'_>,
        at_least: usize,
    ) -> Result<Option<Compaction>, EvaluationError> {
        let view = self.view();
        let layout = self.stored();
        let (rows, folded) = match &layout.contents {
            StoredContents::Emitted => return Ok(None),
            _ => read_rows(&view.id, found, false)?,
        };
        let Some(newest) = rows.iter().map(|row| row.event).max() else { return Ok(None) };
        let source = &view.source;
        let horizon = newest
            .saturating_sub(source.out_of_orderness_us)
            .saturating_sub(source.allowed_lateness_us);
        let compaction = match &layout.contents {
            StoredContents::Trailing(trailing) => {
                let names = found.rows.iter().map(|(name, _)| *name);
                let names: Vec<&[u8]> = names.collect();
                let covered_until = covered(&view.id, covered_until, found)?;
                let counted = counted(trailing, covered_until, rows, folded);
                self.folded(trailing, covered_until, counted.0, &names, horizon)?
            }
            _ => newest_only(found, &rows, horizon),
        };
        let goes = compaction.remove.len();
        Ok(Some(compaction).filter(|_| goes >= at_least.max(1)))
    }

    /// Folds the rows on time of slices that end before the horizon.
    fn folded(
        &self,
        layout: &TrailingLayout,
        covered_until: Option<i64>,
        rows: Vec<ReadRow<'_>>,
        names: &[&[u8]],
        horizon: i64,
    ) -> Result<Compaction, EvaluationError> {
        let mut compaction = Compaction::default();
        let mut columns = RowColumns::new(self);
        let mut kept = std::collections::BTreeSet::new();
        let mut starts = BTreeMap::new();
        for row in &rows {
            let name = RowName::Row {
                event: row.event,
                created: row.created,
                origin: row.origin,
                rest: row.rest,
            };
            let start = layout.resolutions.start(0, row.event);
            // What files cover whole is not folded: they are its truth.
            let end = layout.slice_end(start);
            let is_old = end <= horizon && covered_until.is_none_or(|covered| end > covered);
            if is_old && layout.is_on_time(row.event, row.visible()) {
                columns.push(self, 0, row)?;
                starts.insert(start, ());
                compaction.remove.push(name.to_bytes());
            } else {
                kept.insert(name.to_bytes());
            }
        }
        let folded = |name: &&[u8]| matches!(RowName::read(name), Some(RowName::Folded { .. }));
        // What counts for nothing goes, too, but for what lies ahead of it.
        let useless = names.iter().filter(|name| !folded(name) && !kept.contains(**name));
        for name in useless {
            let is_old =
                matches!(RowName::read(name), Some(RowName::Row { event, .. }) if event < horizon);
            if is_old && !compaction.remove.iter().any(|known| known == name) {
                compaction.remove.push(name.to_vec());
            }
        }
        let (order, entities, columns) = columns.finish(self)?;
        let log = LogRecords {
            order,
            broker_timestamps: None,
            partitions: None,
            entities: entities.into(),
            aggregates: seen_by_kernels(layout, &columns),
        };
        let kernels = self.tile_kernels(&layout.kernels);
        let tiles = Tiles::finest(kernels, &layout.resolutions, &log)?;
        let states = (0..layout.kernels.len()).map(|at| tiles.states(at).encode());
        let states: Vec<BinaryArray> = states.collect();
        for (tile, (key, facts)) in tiles.tiles().enumerate() {
            compaction.put.push(Part {
                kind: PartKind::Row,
                name: RowName::Folded { start: key.start }.to_bytes(),
                version: version_of(&facts),
                value: tile_bytes(&facts, &states, tile),
            });
        }
        for name in &compaction.remove {
            compaction.expected.push(Expectation { name: name.clone(), is_there: true });
        }
        for start in starts.into_keys() {
            let name = RowName::Folded { start }.to_bytes();
            compaction.expected.push(Expectation { name, is_there: false });
        }
        Ok(compaction)
    }
}

/// Of the rows that are visible at the horizon only the newest one stays, with
/// a mark that there were older ones.
fn newest_only(found: &FoundParts<'_>, rows: &[ReadRow<'_>], horizon: i64) -> Compaction {
    let mut compaction = Compaction::default();
    let Some(newest) = rows.iter().rposition(|row| row.visible() <= horizon) else {
        return compaction;
    };
    for (name, _) in &found.rows[..newest] {
        compaction.remove.push(name.to_vec());
    }
    let (name, value) = found.rows[newest];
    for name in compaction.remove.iter().map(Vec::as_slice).chain([name]) {
        compaction.expected.push(Expectation { name: name.to_vec(), is_there: true });
    }
    compaction.put.push(Part {
        kind: PartKind::Row,
        name: name.to_vec(),
        version: PartVersion {
            event_timestamp: rows[newest].event,
            created_timestamp: rows[newest].visible(),
            revision: 0,
        },
        value: with_older_dropped(value),
    });
    compaction
}
