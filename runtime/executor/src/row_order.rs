use std::cmp::Ordering;

use arrow::array::UInt32Array;
use arrow::array::{Array, BinaryArray};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;

/// The order keys of rows (DESIGN, section 5): (event_timestamp,
/// created_timestamp, partition, offset), where a source lacks the last two
/// the row's canonical bytes in their place, and where it lacks a
/// created_timestamp nothing for it. No two accepted rows of a source have
/// equal keys, unless they are equal in all their bytes.
#[derive(Clone, Debug)]
pub struct RowOrder {
    event_timestamps: ScalarBuffer<i64>,
    created_timestamps: Option<ScalarBuffer<i64>>,
    tie: RowTie,
}

/// What tells rows apart that have the same timestamps.
#[derive(Clone, Debug)]
pub enum RowTie {
    /// Where the row stands in its log.
    Log {
        /// Its partition.
        partitions: ScalarBuffer<u32>,
        /// Its offset in the partition.
        offsets: ScalarBuffer<i64>,
    },
    /// Its canonical bytes, compared byte by byte.
    Bytes(BinaryArray),
    /// Nothing: rows come in the order of their keys.
    Position {
        /// Ascending in the order of the keys.
        positions: ScalarBuffer<u32>,
    },
}

impl RowOrder {
    /// Timestamps are in microseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Panics
    ///
    /// When they are not of one length, or a row has no canonical bytes.
    pub fn new(
        event_timestamps: ScalarBuffer<i64>,
        created_timestamps: Option<ScalarBuffer<i64>>,
        tie: RowTie,
    ) -> Self {
        let rows = event_timestamps.len();
        if let Some(created) = &created_timestamps {
            assert_eq!(created.len(), rows, "created_timestamps");
        }
        match &tie {
            RowTie::Log { partitions, offsets } => {
                assert_eq!((partitions.len(), offsets.len()), (rows, rows), "log positions");
            }
            RowTie::Bytes(bytes) => {
                assert_eq!((bytes.len(), bytes.null_count()), (rows, 0), "canonical bytes");
            }
            RowTie::Position { positions } => assert_eq!(positions.len(), rows, "positions"),
        }
        Self { event_timestamps, created_timestamps, tie }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.event_timestamps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.event_timestamps.is_empty()
    }

    /// In microseconds.
    pub fn event_timestamps(&self) -> &ScalarBuffer<i64> {
        &self.event_timestamps
    }

    /// In microseconds; none where the source has no such time.
    pub fn created_timestamps(&self) -> Option<&ScalarBuffer<i64>> {
        self.created_timestamps.as_ref()
    }

    /// Which of two rows comes first.
    pub fn compare(&self, a: usize, b: usize) -> Ordering {
        let by_event = self.event_timestamps[a].cmp(&self.event_timestamps[b]);
        let by_created =
            || self.created_timestamps.as_ref().map_or(Ordering::Equal, |at| at[a].cmp(&at[b]));
        let by_tie = || match &self.tie {
            RowTie::Log { partitions, offsets } => {
                (partitions[a], offsets[a]).cmp(&(partitions[b], offsets[b]))
            }
            RowTie::Bytes(bytes) => bytes.value(a).cmp(bytes.value(b)),
            RowTie::Position { positions } => positions[a].cmp(&positions[b]),
        };
        by_event.then_with(by_created).then_with(by_tie)
    }

    /// All of the key behind the event timestamp, as bytes that compare in the
    /// order of the keys; they replace what is in `tie`.
    pub fn write_tie(&self, row: usize, tie: &mut Vec<u8>) {
        tie.clear();
        if let Some(created) = &self.created_timestamps {
            tie.extend(ascending(created[row]));
        }
        match &self.tie {
            RowTie::Log { partitions, offsets } => {
                tie.extend(partitions[row].to_be_bytes());
                tie.extend(ascending(offsets[row]));
            }
            RowTie::Bytes(bytes) => tie.extend(bytes.value(row)),
            RowTie::Position { positions } => tie.extend(positions[row].to_be_bytes()),
        }
    }

    /// The keys of these rows, in this order.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn take(&self, rows: &[u32]) -> Self {
        fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|&row| values[row as usize]).collect()
        }
        let tie = match &self.tie {
            RowTie::Log { partitions, offsets } => RowTie::Log {
                partitions: pick(partitions, rows).into(),
                offsets: pick(offsets, rows).into(),
            },
            RowTie::Bytes(bytes) => {
                let rows = UInt32Array::from(rows.to_vec());
                let taken = take(bytes, &rows, None).expect("the rows are there");
                RowTie::Bytes(taken.as_any().downcast_ref().cloned().expect("still binary"))
            }
            RowTie::Position { positions } => {
                RowTie::Position { positions: pick(positions, rows).into() }
            }
        };
        Self {
            event_timestamps: pick(&self.event_timestamps, rows).into(),
            created_timestamps: self.created_timestamps.as_ref().map(|at| pick(at, rows).into()),
            tie,
        }
    }

    /// The keys of `length` rows from `offset` on.
    ///
    /// # Panics
    ///
    /// When there are not so many.
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        let tie = match &self.tie {
            RowTie::Log { partitions, offsets } => RowTie::Log {
                partitions: partitions.slice(offset, length),
                offsets: offsets.slice(offset, length),
            },
            RowTie::Bytes(bytes) => RowTie::Bytes(bytes.slice(offset, length)),
            RowTie::Position { positions } => {
                RowTie::Position { positions: positions.slice(offset, length) }
            }
        };
        Self {
            event_timestamps: self.event_timestamps.slice(offset, length),
            created_timestamps: self.created_timestamps.as_ref().map(|at| at.slice(offset, length)),
            tie,
        }
    }
}

/// Bytes that compare as the numbers do.
fn ascending(value: i64) -> [u8; 8] {
    (value ^ i64::MIN).to_be_bytes()
}
