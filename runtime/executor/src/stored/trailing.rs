//! Rows of a trailing view: as tiles and rows in records, and back.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, AsArray, BinaryArray};

use crate::evaluation_error::EvaluationError;
use crate::point_in_time::EventIndex;
use crate::row_order::{RowOrder, RowTie};
use crate::service::{Contents, ViewOperator};
use crate::stored::entity_rows::{FoldedSlices, Inexact, ReadRow, read_rows};
use crate::stored::error::StoredError;
use crate::stored::latest::Restored;
use crate::stored::layout::TrailingLayout;
use crate::stored::needs::{FoundParts, Needs};
use crate::stored::part::{
    COVERED_MARK, EntityRecord, Origin, Part, PartKind, PartVersion, damaged, read_tile_name,
    tile_name,
};
use crate::stored::part_value::{mark_bytes, read_mark, read_tile, tile_bytes};
use crate::stored::records::{RecordSlice, TableRows};
use crate::stored::tiled::TiledRows;
use crate::tiles::{TileFacts, TileKey, Tiles};
use crate::window::{AggregateRows, LogRecords, NO_ENTITY};

/// Adds the tiles of all rows on time.
pub(crate) fn trailing_parts(
    operator: &ViewOperator,
    layout: &TrailingLayout,
    rows: &TableRows<'_>,
    numbers: &[u32],
    order: RowOrder,
    slice: &RecordSlice,
    records: &mut [EntityRecord],
) -> Result<(), EvaluationError> {
    let until = layout.tiled_until(slice.covered_until).min(slice.until);
    let in_tile = |(row, entity): (usize, &u32)| {
        let event = rows.events[row];
        let is_tiled = (slice.from..until).contains(&event)
            && layout.is_on_time(event, rows.visible(row as u32));
        if is_tiled { *entity } else { NO_ENTITY }
    };
    let entities: Vec<u32> = numbers.iter().enumerate().map(in_tile).collect();
    let log = LogRecords {
        order,
        broker_timestamps: None,
        partitions: None,
        entities: entities.into(),
        aggregates: seen_by_kernels(layout, rows.values),
    };
    let kernels = operator.tile_kernels(&layout.kernels);
    let tiles = Tiles::build(kernels, &layout.resolutions, &log)?;
    let states = (0..layout.kernels.len()).map(|at| tiles.states(at).encode());
    let states: Vec<BinaryArray> = states.collect();
    for record in records.iter_mut() {
        record.parts.push(Part {
            kind: PartKind::Tile,
            name: COVERED_MARK.to_vec(),
            version: PartVersion { event_timestamp: slice.covered_until, ..PartVersion::default() },
            value: mark_bytes(slice.covered_until),
        });
    }
    for (tile, (key, facts)) in tiles.tiles().enumerate() {
        records[key.entity as usize].parts.push(Part {
            kind: PartKind::Tile,
            name: tile_name(key.resolution, key.start),
            version: version_of(&facts),
            value: tile_bytes(&facts, &states, tile),
        });
    }
    Ok(())
}

pub(crate) fn version_of(facts: &TileFacts) -> PartVersion {
    PartVersion {
        event_timestamp: facts.newest_event,
        created_timestamp: facts.visible,
        revision: facts.rows,
    }
}

/// What each distinct fold sees, of the layout's columns.
pub(crate) fn seen_by_kernels(layout: &TrailingLayout, columns: &[ArrayRef]) -> Vec<AggregateRows> {
    let of = |aggregate: &usize| {
        let stored = &layout.aggregates[*aggregate];
        AggregateRows {
            inputs: stored.inputs.iter().map(|at| columns[*at].clone()).collect(),
            filter: stored.filter.map(|at| columns[layout.inputs.len() + at].as_boolean().clone()),
        }
    };
    layout.kernels.iter().map(of).collect()
}

/// The rows of one entity that count and are in no tile of files, and the
/// folded slices that count.
pub(crate) fn counted<'a>(
    layout: &TrailingLayout,
    covered_until: Option<i64>,
    rows: Vec<ReadRow<'a>>,
    folded: FoldedSlices<'a>,
) -> (Vec<ReadRow<'a>>, FoldedSlices<'a>) {
    let (covered, tiled) = match covered_until {
        Some(covered) => (covered, layout.tiled_until(covered)),
        None => (i64::MIN, i64::MIN),
    };
    let mut folded = folded;
    // Files are the truth of a slice that they cover whole.
    folded.retain(|(start, _)| layout.slice_end(*start) > covered && *start >= tiled);
    let starts: BTreeSet<i64> = folded.iter().map(|(start, _)| *start).collect();
    let counts = |row: &ReadRow<'_>| {
        if row.origin == Origin::Pushed && row.event < covered {
            return false;
        }
        if !layout.is_on_time(row.event, row.visible()) {
            return true;
        }
        let is_tiled = row.origin == Origin::Materialized && row.event < tiled;
        !is_tiled && !starts.contains(&layout.resolutions.start(0, row.event))
    };
    let mut rows = rows;
    rows.retain(counts);
    (rows, folded)
}

/// Until when files are covered for an entity: as its table says, or further,
/// where materialize has come to the entity and not yet to the end.
pub(crate) fn covered(
    view: &unskew_plan::ViewId,
    covered_until: Option<i64>,
    found: &FoundParts<'_>,
) -> Result<Option<i64>, StoredError> {
    let Some(mark) = found.tiles.last().copied().flatten() else { return Ok(covered_until) };
    let mark = read_mark(mark).map_err(|error| damaged(view, "mark", error))?;
    Ok(covered_until.max(Some(mark)))
}

/// Rows of entities, as columns in the making.
pub(crate) struct RowColumns {
    decoder: unskew_column::row::RowDecoder,
    entities: Vec<u32>,
    events: Vec<i64>,
    created: Vec<i64>,
    ties: Vec<Vec<u8>>,
}

impl RowColumns {
    pub(crate) fn new(operator: &ViewOperator) -> Self {
        Self {
            decoder: operator.stored().codec.decoder(),
            entities: Vec::new(),
            events: Vec::new(),
            created: Vec::new(),
            ties: Vec::new(),
        }
    }

    pub(crate) fn push(
        &mut self,
        operator: &ViewOperator,
        entity: u32,
        row: &ReadRow<'_>,
    ) -> Result<(), EvaluationError> {
        let view = &operator.view().id;
        self.decoder.push(row.value.columns).map_err(|error| damaged(view, "row", error))?;
        self.entities.push(entity);
        self.events.push(row.event);
        self.created.push(row.created.unwrap_or(row.event));
        self.ties.push(row.tie());
        Ok(())
    }

    /// The keys of the rows, the entity of each, and the columns.
    pub(crate) fn finish(
        self,
        operator: &ViewOperator,
    ) -> Result<(RowOrder, Vec<u32>, Vec<ArrayRef>), EvaluationError> {
        let view = &operator.view().id;
        let columns = self.decoder.finish().map_err(|error| damaged(view, "row", error))?;
        let order = RowOrder::new(
            self.events.into(),
            operator.stored().has_created.then(|| self.created.into()),
            RowTie::Bytes(BinaryArray::from_iter_values(&self.ties)),
        );
        Ok((order, self.entities, columns))
    }
}

/// Tiles as they are read.
pub(crate) struct TileColumns<'a> {
    keys: Vec<(TileKey, TileFacts)>,
    /// For each kernel, by tile.
    states: Vec<Vec<Option<&'a [u8]>>>,
}

impl<'a> TileColumns<'a> {
    pub(crate) fn new(kernels: usize) -> Self {
        Self { keys: Vec::new(), states: vec![Vec::new(); kernels] }
    }

    pub(crate) fn push(
        &mut self,
        operator: &ViewOperator,
        what: &'static str,
        key: TileKey,
        bytes: &'a [u8],
    ) -> Result<TileFacts, EvaluationError> {
        let facts = read_tile(bytes, &mut self.states);
        let facts = facts.map_err(|error| damaged(&operator.view().id, what, error))?;
        self.keys.push((key, facts));
        Ok(facts)
    }

    pub(crate) fn finish(
        self,
        operator: &ViewOperator,
        layout: &TrailingLayout,
    ) -> Result<Tiles, EvaluationError> {
        let states: Vec<BinaryArray> =
            self.states.into_iter().map(BinaryArray::from_iter).collect();
        Ok(Tiles::restored(operator.tile_kernels(&layout.kernels), self.keys, &states)?)
    }
}

/// Tiles of files, and those made of rows, are kept apart by this in the place
/// of a partition: they are merged when read.
const OF_FILES: u32 = 0;
const OF_ROWS: u32 = 1;

impl ViewOperator {
    /// Tiles and rows of a trailing view from the parts of each entity.
    pub(crate) fn restore_trailing(
        &self,
        needs: &Needs,
        covered_until: Option<i64>,
        found: &[FoundParts<'_>],
    ) -> Result<Restored, EvaluationError> {
        let layout = self.stored().trailing().expect("the view is a trailing one");
        let view = &self.view().id;
        let resolutions = &layout.resolutions;
        let head_start = resolutions.head_start(needs.time);
        let mut tiles = TileColumns::new(layout.kernels.len());
        let mut folded_tiles = TileColumns::new(layout.kernels.len());
        let (mut older, mut head) = (RowColumns::new(self), RowColumns::new(self));
        let mut inexact = vec![None; found.len()];
        for (entity, parts) in (0_u32..).zip(found) {
            let covered_until = covered(view, covered_until, parts)?;
            let since = covered_until.map(|covered| self.exact_since(covered));
            let before = since.filter(|since| needs.time < *since).map(Inexact::Before);
            inexact[entity as usize] = before;
            let (rows, folded) = read_rows(view, parts, false)?;
            let (rows, folded) = counted(layout, covered_until, rows, folded);
            for (name, bytes) in needs.tiles.iter().zip(&parts.tiles) {
                let Some(bytes) = bytes.filter(|_| name != COVERED_MARK) else { continue };
                let (resolution, start) = read_tile_name(name)
                    .ok_or_else(|| damaged(view, "tile", "its name is none"))?;
                let key = TileKey { entity, partition: OF_FILES, resolution, start };
                tiles.push(self, "tile", key, bytes)?;
            }
            for (start, bytes) in folded {
                let key = TileKey { entity, partition: OF_ROWS, resolution: 0, start };
                let facts = folded_tiles.push(self, "folded slice", key, bytes)?;
                let exact = layout.slice_end(start).max(facts.visible);
                if exact > needs.time {
                    let known = match inexact[entity as usize] {
                        Some(Inexact::Before(known)) => known.max(exact),
                        _ => exact,
                    };
                    inexact[entity as usize] = Some(Inexact::Before(known));
                }
            }
            for row in &rows {
                if row.event >= head_start {
                    head.push(self, entity, row)?;
                } else if row.visible() <= needs.time {
                    older.push(self, entity, row)?;
                }
            }
        }
        let mut tiles = tiles.finish(self, layout)?;
        let (order, entities, columns) = older.finish(self)?;
        let mut recent = folded_tiles.finish(self, layout)?;
        let log = LogRecords {
            partitions: Some(vec![OF_ROWS; entities.len()].into()),
            order,
            broker_timestamps: None,
            entities: entities.into(),
            aggregates: seen_by_kernels(layout, &columns),
        };
        if !log.is_empty() {
            let kernels = self.tile_kernels(&layout.kernels);
            recent.merge(&Tiles::finest(kernels, resolutions, &log)?)?;
        }
        if !recent.is_empty() {
            recent.roll_up(resolutions)?;
            tiles.merge(&recent)?;
        }
        let (order, entities, columns) = head.finish(self)?;
        let index = EventIndex::new(&entities, &order, found.len());
        let rows = TiledRows { tiles, index, order, columns };
        Ok(Restored { contents: Contents::Tiled(Box::new(rows)), inexact, incomplete: Vec::new() })
    }
}
