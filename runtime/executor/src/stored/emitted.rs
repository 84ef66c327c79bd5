//! What windows emitted: as records, and back.

use std::collections::BTreeMap;

use unskew_host::{CallMetrics, Outcome};

use crate::evaluation_error::EvaluationError;
use crate::service::{Contents, ViewOperator};
use crate::stored::entity_rows::{Inexact, ReadRow, read_rows};
use crate::stored::latest::Restored;
use crate::stored::needs::{FoundParts, Needs};
use crate::stored::part::{Origin, Part, PartKind, PartVersion, RowName, damaged};
use crate::stored::part_value::{RowValue, WindowValue};
use crate::stored::records::TableRows;
use crate::stored::row_errors::RowErrors;
use crate::window::EmittedWindows;

/// So many of the newest windows are kept: where a session is made longer, the
/// one before it answers until it has ended anew.
const KEPT_WINDOWS: usize = 2;

/// The parts of one entity: of the newest windows that are visible at `until`,
/// and of those behind them, all revisions; and the least of their names.
pub(crate) fn emitted_parts(
    table: &TableRows<'_>,
    places: &[u32],
    until: i64,
) -> (Vec<Part>, Option<Vec<u8>>) {
    let mut live: BTreeMap<i64, ()> = BTreeMap::new();
    let mut seen: Vec<u32> = places.to_vec();
    seen.retain(|row| table.visible(*row) <= until);
    seen.sort_by_key(|row| table.visible(*row));
    for row in seen {
        let end = table.events[row as usize];
        match table.tombstones.is_some_and(|tombstones| tombstones.value(row as usize)) {
            true => live.remove(&end),
            false => live.insert(end, ()),
        };
    }
    let oldest = live.keys().rev().take(KEPT_WINDOWS).next_back().copied();
    let kept: Vec<u32> = match oldest {
        None => places.to_vec(),
        Some(oldest) => {
            places.iter().copied().filter(|row| table.events[*row as usize] >= oldest).collect()
        }
    };
    let mut parts = Vec::with_capacity(kept.len());
    for row in kept {
        let is_oldest = Some(table.events[row as usize]) == oldest;
        parts.push(window_part(table, row, is_oldest));
    }
    let drop_below = oldest.map(crate::stored::part::least_row_name);
    (parts, drop_below)
}

fn window_part(table: &TableRows<'_>, row: u32, older_dropped: bool) -> Part {
    let at = row as usize;
    let (end, created) = (table.events[at], table.created.map(|created| created[at]));
    let window = table.windows.as_ref().expect("a table of windows has their columns");
    let sequence = window.sequences.value(at).to_be_bytes();
    let name = RowName::Row { event: end, created, origin: Origin::Materialized, rest: &sequence };
    let mut columns = Vec::new();
    table.encoder.append(at, &mut columns);
    let errors = table.errors.filter(|errors| arrow::array::Array::is_valid(*errors, at));
    let value = RowValue {
        older_dropped,
        tie: None,
        errors: errors.map(|errors| errors.value(at)),
        window: Some(WindowValue {
            start: window.starts[at],
            revision: window.revisions.value(at),
            is_tombstone: table.tombstones.is_some_and(|tombstones| tombstones.value(at)),
        }),
        columns: &columns,
    };
    Part {
        kind: PartKind::Row,
        name: name.to_bytes(),
        version: PartVersion {
            event_timestamp: end,
            created_timestamp: created.unwrap_or(end),
            revision: window.revisions.value(at),
        },
        value: value.to_bytes(),
    }
}

impl ViewOperator {
    /// What windows emitted, from the parts of each entity.
    pub(crate) fn restore_emitted(
        &self,
        needs: &Needs,
        found: &[FoundParts<'_>],
    ) -> Result<Restored, EvaluationError> {
        let view = self.view();
        let broken = |reason: String| damaged(&view.id, "emitted window", reason);
        let mut decoder = self.stored().codec.decoder();
        let mut errors = RowErrors::default();
        let mut emitted = EmittedWindows::empty(self.kernels.iter().map(|kernel| &**kernel));
        let mut inexact = vec![None; found.len()];
        let mut incomplete = Vec::new();
        for (entity, parts) in found.iter().enumerate() {
            let (rows, _) = read_rows(&view.id, parts, true)?;
            inexact[entity] = exactness(&rows, needs);
            if inexact[entity] == Some(Inexact::Incomplete) {
                incomplete.push(entity as u32);
            }
            for row in rows {
                let at = emitted.len();
                let window = row.value.window.as_ref();
                let Some(WindowValue { start, revision, is_tombstone }) = window else {
                    return Err(broken("it has no window".to_owned()).into());
                };
                emitted.entities.push(entity as u32);
                emitted.window_starts.push(*start);
                emitted.window_ends.push(row.event);
                emitted.created_timestamps.push(row.created.unwrap_or(row.event));
                emitted.revisions.push(*revision);
                emitted.tombstones.push(*is_tombstone);
                decoder.push(row.value.columns).map_err(|error| broken(error.to_string()))?;
                if let Some(text) = row.value.errors {
                    errors.push(at, text, self.kernels.len()).map_err(broken)?;
                }
            }
        }
        let columns = decoder.finish().map_err(|error| broken(error.to_string()))?;
        emitted.values = outcomes(columns, errors);
        Ok(Restored { contents: Contents::Emitted(emitted), inexact, incomplete })
    }
}

/// The outcome of each aggregate, from its column and the errors of all.
pub(crate) fn outcomes(columns: Vec<arrow::array::ArrayRef>, errors: RowErrors) -> Vec<Outcome> {
    let failures = errors.finish();
    let outcome = |(aggregate, column): (usize, arrow::array::ArrayRef)| {
        let of = failures.iter().filter(|failure| failure.columns.contains(&aggregate));
        let mut errors: Vec<_> = of.flat_map(|failure| failure.errors.iter().cloned()).collect();
        errors.sort_by_key(|error| error.row);
        Outcome { columns: vec![column], errors, metrics: CallMetrics::default() }
    };
    columns.into_iter().enumerate().map(outcome).collect()
}

/// Whether the window that answers is the one that all would give.
fn exactness(rows: &[ReadRow<'_>], needs: &Needs) -> Option<Inexact> {
    let mut live: BTreeMap<i64, ()> = BTreeMap::new();
    let mut seen: Vec<&ReadRow<'_>> =
        rows.iter().filter(|row| row.visible() <= needs.time).collect();
    seen.sort_by_key(|row| row.visible());
    for row in seen {
        match row.value.window.as_ref().is_some_and(|window| window.is_tombstone) {
            true => live.remove(&row.event),
            false => live.insert(row.event, ()),
        };
    }
    let found = live.last_key_value().map(|(end, ())| *end);
    let floor = rows.iter().filter(|row| row.value.older_dropped).max_by_key(|row| row.event);
    let has_tombstones =
        rows.iter().any(|row| row.value.window.as_ref().is_some_and(|window| window.is_tombstone));
    match (found, floor) {
        // A tombstone may be of a window whose revisions were not read.
        _ if !needs.is_complete && has_tombstones => Some(Inexact::Incomplete),
        (None, _) if !needs.is_complete && !rows.is_empty() => Some(Inexact::Incomplete),
        (Some(found), Some(floor)) if found < floor.event => Some(Inexact::Before(floor.visible())),
        (None, Some(floor)) => Some(Inexact::Before(floor.visible())),
        (Some(_), _) | (None, None) => None,
    }
}
