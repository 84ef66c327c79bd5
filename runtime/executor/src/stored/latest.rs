//! Rows of a latest view: as records, and back.

use arrow::array::{Array, ArrayRef, BinaryArray, new_null_array};

use crate::evaluation_error::EvaluationError;
use crate::point_in_time::EventIndex;
use crate::row_order::{RowOrder, RowTie};
use crate::service::{Contents, ViewOperator};
use crate::stored::entity_rows::{Inexact, ReadRow, read_rows};
use crate::stored::layout::StoredContents;
use crate::stored::needs::{FoundParts, Needs};
use crate::stored::part::{
    Origin, Part, PartKind, PartVersion, RowName, damaged, is_cut, tie_in_name,
};
use crate::stored::part_value::RowValue;
use crate::stored::records::TableRows;
use crate::stored::row_errors::RowErrors;

/// What was restored, and how exact it is, by entity.
pub(crate) struct Restored {
    pub(crate) contents: Contents,
    pub(crate) inexact: Vec<Option<Inexact>>,
    pub(crate) incomplete: Vec<u32>,
}

/// The parts of one entity, whose rows are at `places`; those are in the order
/// of their keys. Of materialized rows the newest one that is visible at
/// `until` and those behind it, and its name.
pub(crate) fn latest_parts(
    table: &TableRows<'_>,
    places: &[u32],
    origin: Origin,
    until: i64,
) -> (Vec<Part>, Option<Vec<u8>>) {
    let newest = match origin {
        Origin::Pushed => None,
        Origin::Materialized => places.iter().rposition(|row| table.visible(*row) <= until),
    };
    let kept = &places[newest.unwrap_or(0)..];
    let parts = row_parts(table, kept.iter().copied(), origin, newest.is_some());
    let drop_below = newest.and_then(|_| parts.first()).map(|part| part.name.clone());
    (parts, drop_below)
}

/// Rows of one entity, in the order of their keys, as parts; the first one may
/// say that older ones were dropped. Rows that are equal in all their bytes
/// are numbered, so that each has a name.
pub(crate) fn row_parts(
    table: &TableRows<'_>,
    rows: impl Iterator<Item = u32>,
    origin: Origin,
    older_dropped: bool,
) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut last: Option<(i64, Option<i64>, Option<&[u8]>)> = None;
    let mut copy = 0;
    for row in rows {
        let at = row as usize;
        let tie = table.order_keys.filter(|keys| keys.is_valid(at)).map(|keys| keys.value(at));
        let key = (table.events[at], table.created.map(|created| created[at]), tie);
        copy = if last == Some(key) { copy + 1 } else { 0 };
        last = Some(key);
        parts.push(row_part(table, row, origin, older_dropped && parts.is_empty(), copy));
    }
    parts
}

/// A row as a part.
fn row_part(
    table: &TableRows<'_>,
    row: u32,
    origin: Origin,
    older_dropped: bool,
    copy: u32,
) -> Part {
    let at = row as usize;
    let tie = table.order_keys.filter(|keys| keys.is_valid(at)).map(|keys| keys.value(at));
    let created = table.created.map(|created| created[at]);
    let mut rest = tie.map(tie_in_name).unwrap_or_default();
    if copy > 0 {
        rest.extend(copy.to_be_bytes());
    }
    let name = RowName::Row { event: table.events[at], created, origin, rest: &rest };
    let mut columns = Vec::new();
    table.encoder.append(at, &mut columns);
    let errors = table.errors.filter(|errors| errors.is_valid(at)).map(|errors| errors.value(at));
    let value = RowValue { older_dropped, tie, errors, window: None, columns: &columns };
    Part {
        kind: PartKind::Row,
        name: name.to_bytes(),
        version: PartVersion {
            event_timestamp: table.events[at],
            created_timestamp: table.visible(row),
            revision: 0,
        },
        value: value.to_bytes(),
    }
}

impl ViewOperator {
    /// Rows of a latest view from the parts of each entity.
    pub(crate) fn restore_latest(
        &self,
        needs: &Needs,
        found: &[FoundParts<'_>],
    ) -> Result<Restored, EvaluationError> {
        let view = self.view();
        let layout = self.stored();
        let StoredContents::Latest { columns: stored } = &layout.contents else {
            unreachable!("the view is a latest one")
        };
        let mut decoder = layout.codec.decoder();
        let mut errors = RowErrors::default();
        let (mut numbers, mut events, mut created) = (Vec::new(), Vec::new(), Vec::new());
        let mut ties: Vec<Vec<u8>> = Vec::new();
        let mut inexact = vec![None; found.len()];
        let mut incomplete = Vec::new();
        for (entity, parts) in found.iter().enumerate() {
            let (rows, _) = read_rows(&view.id, parts, false)?;
            (inexact[entity]) = exactness(&rows, needs);
            if inexact[entity] == Some(Inexact::Incomplete) {
                incomplete.push(entity as u32);
            }
            for row in rows {
                let at = events.len();
                numbers.push(entity as u32);
                events.push(row.event);
                created.push(row.created.unwrap_or(row.event));
                ties.push(row.tie());
                decoder.push(row.value.columns).map_err(|error| damaged(&view.id, "row", error))?;
                if let Some(text) = row.value.errors {
                    errors
                        .push(at, text, view.columns.len())
                        .map_err(|reason| damaged(&view.id, "row", reason))?;
                }
            }
        }
        let values = decoder.finish().map_err(|error| damaged(&view.id, "row", error))?;
        let order = RowOrder::new(
            events.clone().into(),
            layout.has_created.then(|| created.into()),
            RowTie::Bytes(BinaryArray::from_iter_values(&ties)),
        );
        let index = EventIndex::new(&numbers, &order, found.len());
        let contents = Contents::Latest {
            index,
            columns: spread(view, stored, values, events.len()),
            event_timestamps: events,
            failures: errors.finish(),
        };
        Ok(Restored { contents, inexact, incomplete })
    }
}

/// The columns of the view, null where they are not stored: nothing reads them.
pub(crate) fn spread(
    view: &unskew_plan::ViewPlan,
    stored: &[usize],
    values: Vec<ArrayRef>,
    rows: usize,
) -> Vec<ArrayRef> {
    let mut columns: Vec<Option<ArrayRef>> = vec![None; view.columns.len()];
    stored.iter().zip(values).for_each(|(at, column)| columns[*at] = Some(column));
    let columns = columns.into_iter().zip(&view.columns);
    let null =
        |data_type: &unskew_definition::DataType| new_null_array(&data_type.to_arrow(), rows);
    columns.map(|(column, plan)| column.unwrap_or_else(|| null(&plan.data_type))).collect()
}

/// Whether the row that is visible is the one that all rows would give: none
/// that is not there can be behind it.
fn exactness(rows: &[ReadRow<'_>], needs: &Needs) -> Option<Inexact> {
    // Names lie in the order of keys, but for ties that were cut.
    let found = rows.iter().rposition(|row| row.visible() <= needs.time);
    let floor = rows.iter().rposition(|row| row.value.older_dropped);
    match (found, floor) {
        (Some(found), _) if !needs.is_complete && is_cut(rows[found].rest) => {
            Some(Inexact::Incomplete)
        }
        (Some(found), Some(floor)) if found < floor => Some(Inexact::Before(rows[floor].visible())),
        (None, _) if !needs.is_complete && !rows.is_empty() => Some(Inexact::Incomplete),
        (None, Some(floor)) => Some(Inexact::Before(rows[floor].visible())),
        (Some(_), _) | (None, None) => None,
    }
}
