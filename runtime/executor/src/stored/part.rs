use crate::stored::error::StoredError;
use unskew_plan::ViewId;

/// Which of two kinds a part is: stores keep them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// Asked for by its exact name.
    Tile,
    /// Asked for by a range of names, or as the greatest one.
    Row,
}

/// What decides between two writes of the same part: the greater wins,
/// compared field by field. Times in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartVersion {
    /// Of a tile that of its newest row; of a window its end.
    pub event_timestamp: i64,
    /// From when on all of it may be seen.
    pub created_timestamp: i64,
    /// Of a tile its number of rows; of a window its revision.
    pub revision: u64,
}

/// One thing that an online store keeps of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Tile or row.
    pub kind: PartKind,
    /// Rows lie in the order of their names, which is that of their times.
    pub name: Vec<u8>,
    /// Decides between two writes.
    pub version: PartVersion,
    /// Its bytes, which this room alone reads.
    pub value: Vec<u8>,
}

/// What is to be written about one entity, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityRecord {
    /// The canonical bytes of its join keys.
    pub entity: Vec<u8>,
    /// Each name once.
    pub parts: Vec<Part>,
    /// Rows with a lesser name cannot answer any more and may be removed.
    pub drop_rows_below: Option<Vec<u8>>,
}

/// Where a row came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Pushed,
    Materialized,
}

/// The name of a part in the space of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowName<'a> {
    /// The rows of one slice, folded.
    Folded { start: i64 },
    Row {
        event: i64,
        created: Option<i64>,
        origin: Origin,
        /// Tells rows of the same times apart: [`tie_in_name`], or a window's
        /// sequence.
        rest: &'a [u8],
    },
}

const FOLDED: u8 = 0;
const ROW: u8 = 1;
const ROW_WITH_CREATED: u8 = 2;

impl<'a> RowName<'a> {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(34);
        match self {
            Self::Folded { start } => {
                bytes.extend(ascending(*start));
                bytes.push(FOLDED);
            }
            Self::Row { event, created, origin, rest } => {
                bytes.extend(ascending(*event));
                match created {
                    None => bytes.push(ROW),
                    Some(created) => {
                        bytes.push(ROW_WITH_CREATED);
                        bytes.extend(ascending(*created));
                    }
                }
                bytes.push(match origin {
                    Origin::Pushed => 0,
                    Origin::Materialized => 1,
                });
                bytes.extend(*rest);
            }
        }
        bytes
    }

    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (time, rest) = bytes.split_first_chunk()?;
        let time = from_ascending(*time);
        let (kind, mut rest) = rest.split_first()?;
        let created = match *kind {
            FOLDED => return rest.is_empty().then_some(Self::Folded { start: time }),
            ROW => None,
            ROW_WITH_CREATED => {
                let (created, behind) = rest.split_first_chunk()?;
                rest = behind;
                Some(from_ascending(*created))
            }
            _ => return None,
        };
        let (origin, rest) = rest.split_first()?;
        let origin = match origin {
            0 => Origin::Pushed,
            1 => Origin::Materialized,
            _ => return None,
        };
        Some(Self::Row { event: time, created, origin, rest })
    }
}

/// The least name of a row, or folded slice, of this time.
pub(crate) fn least_row_name(time: i64) -> Vec<u8> {
    ascending(time).to_vec()
}

/// The name of a tile.
pub(crate) fn tile_name(resolution: u8, start: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9);
    bytes.push(resolution);
    bytes.extend(ascending(start));
    bytes
}

/// The name of the mark in the place of a tile: until when files are covered
/// for this entity, which may be ahead of its table.
pub(crate) const COVERED_MARK: &[u8] = &[u8::MAX];

/// What [`tile_name`] made.
pub(crate) fn read_tile_name(name: &[u8]) -> Option<(u8, i64)> {
    let (resolution, start) = name.split_first()?;
    Some((*resolution, from_ascending(start.try_into().ok()?)))
}

/// So many bytes of a tie stand in a name; what is longer is cut, and a hash of
/// all of it stands behind.
const TIE_BYTES: usize = 96;
const HASH_BYTES: usize = 16;

/// What breaks ties, short enough for a name.
pub(crate) fn tie_in_name(tie: &[u8]) -> Vec<u8> {
    if tie.len() <= TIE_BYTES {
        return tie.to_vec();
    }
    let hash = blake3::hash(tie);
    [&tie[..TIE_BYTES], &hash.as_bytes()[..HASH_BYTES]].concat()
}

/// Whether names alone may not tell which of two rows comes first.
pub(crate) fn is_cut(rest: &[u8]) -> bool {
    rest.len() >= TIE_BYTES + HASH_BYTES
}

/// Bytes that compare as the numbers do.
pub(crate) fn ascending(value: i64) -> [u8; 8] {
    (value ^ i64::MIN).to_be_bytes()
}

fn from_ascending(bytes: [u8; 8]) -> i64 {
    i64::from_be_bytes(bytes) ^ i64::MIN
}

/// The error for a part that cannot be read.
pub(crate) fn damaged(view: &ViewId, part: &'static str, reason: impl ToString) -> StoredError {
    StoredError::DamagedPart { view: view.clone(), part, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_in_the_order_of_time_and_come_back() {
        let times = [i64::MIN, -1, 0, 1, i64::MAX];
        let mut names: Vec<(i64, Vec<u8>)> = Vec::new();
        for event in times {
            let folded = RowName::Folded { start: event };
            names.push((event, folded.to_bytes()));
            for created in [None, Some(-5), Some(7)] {
                for origin in [Origin::Pushed, Origin::Materialized] {
                    let row = RowName::Row { event, created, origin, rest: b"x" };
                    let bytes = row.to_bytes();
                    assert_eq!(RowName::read(&bytes), Some(row));
                    assert!(least_row_name(event) < bytes);
                    names.push((event, bytes));
                }
            }
            assert_eq!(RowName::read(&folded.to_bytes()), Some(folded));
        }
        for (time, name) in &names {
            for (other, other_name) in &names {
                if time < other {
                    assert!(name < other_name);
                }
            }
        }
        for damaged in [&[][..], &[0; 8], &[0; 10], &[3; 9], &[0, 0, 0, 0, 0, 0, 0, 0, 1, 9]] {
            assert_eq!(RowName::read(damaged), None, "{damaged:?}");
        }
    }
}
