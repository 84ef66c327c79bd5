use unskew_plan::ViewId;

use crate::stored::error::StoredError;
use crate::stored::needs::FoundParts;
use crate::stored::part::{Origin, RowName, damaged};
use crate::stored::part_value::RowValue;

/// How far what was read of a store can answer questions at one time.
pub(crate) struct ReadRows {
    /// The only time that may be asked about, in microseconds.
    pub(crate) time: i64,
    /// The entity of each question, or `NO_ENTITY`.
    pub(crate) asked: Vec<u32>,
    /// By entity: why it has no exact answer.
    pub(crate) inexact: Vec<Option<Inexact>>,
    /// The entities that must be read again, with all they have.
    pub(crate) incomplete: Vec<u32>,
}

/// Why a store has no exact answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inexact {
    /// It holds what is needed from this time on, in microseconds.
    Before(i64),
    /// Older rows were not read.
    Incomplete,
}

impl Inexact {
    /// What to tell whoever asked.
    pub(crate) fn message(self) -> String {
        match self {
            Self::Before(since) => format!(
                "the online store answers exactly from {} on; ask about a later time, or train, which reads all rows",
                shown(since)
            ),
            Self::Incomplete => {
                "the newest row is not visible yet and older ones were not read; ask again"
                    .to_owned()
            }
        }
    }
}

fn shown(time: i64) -> String {
    match arrow::temporal_conversions::timestamp_us_to_datetime(time) {
        Some(time) => format!("{}Z", time.format("%Y-%m-%dT%H:%M:%S%.6f")),
        None => format!("{time} us"),
    }
}

/// A row part of one entity.
pub(crate) struct ReadRow<'a> {
    pub(crate) event: i64,
    pub(crate) created: Option<i64>,
    pub(crate) origin: Origin,
    pub(crate) rest: &'a [u8],
    pub(crate) value: RowValue<'a>,
}

impl ReadRow<'_> {
    /// From when on it may be seen.
    pub(crate) fn visible(&self) -> i64 {
        self.created.map_or(self.event, |created| created.max(self.event))
    }

    /// What breaks ties: files come behind what was pushed.
    pub(crate) fn tie(&self) -> Vec<u8> {
        let origin = [u8::from(self.origin == Origin::Materialized)];
        [&origin[..], self.value.tie.unwrap_or_default()].concat()
    }
}

/// The slices of one entity that were folded: where they begin, and their
/// bytes.
pub(crate) type FoldedSlices<'a> = Vec<(i64, &'a [u8])>;

/// The rows of one entity that are visible at no time before their own, and
/// its folded slices; ascending by name.
pub(crate) fn read_rows<'a>(
    view: &ViewId,
    found: &FoundParts<'a>,
    is_window: bool,
) -> Result<(Vec<ReadRow<'a>>, FoldedSlices<'a>), StoredError> {
    let mut rows = Vec::with_capacity(found.rows.len());
    let mut folded = Vec::new();
    for (name, value) in &found.rows {
        match RowName::read(name) {
            None => return Err(damaged(view, "row", "its name is none")),
            Some(RowName::Folded { start }) => folded.push((start, *value)),
            Some(RowName::Row { event, created, origin, rest }) => {
                let value = RowValue::read(value, is_window);
                let value = value.map_err(|error| damaged(view, "row", error))?;
                rows.push(ReadRow { event, created, origin, rest, value });
            }
        }
    }
    Ok((rows, folded))
}
