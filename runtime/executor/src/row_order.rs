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
        self.compare_with(a, self, b)
    }

    /// Which comes first, row `a` of these or row `b` of another batch.
    ///
    /// # Panics
    ///
    /// When the batches are not of one source.
    pub fn compare_with(&self, a: usize, other: &Self, b: usize) -> Ordering {
        let by_event = self.event_timestamps[a].cmp(&other.event_timestamps[b]);
        let by_created = || match (&self.created_timestamps, &other.created_timestamps) {
            (Some(ours), Some(theirs)) => ours[a].cmp(&theirs[b]),
            _ => Ordering::Equal,
        };
        let by_tie = || match (&self.tie, &other.tie) {
            (
                RowTie::Log { partitions, offsets },
                RowTie::Log { partitions: their_partitions, offsets: their_offsets },
            ) => (partitions[a], offsets[a]).cmp(&(their_partitions[b], their_offsets[b])),
            (RowTie::Bytes(ours), RowTie::Bytes(theirs)) => ours.value(a).cmp(theirs.value(b)),
            (RowTie::Position { positions: ours }, RowTie::Position { positions: theirs }) => {
                ours[a].cmp(&theirs[b])
            }
            _ => panic!("{MIXED}"),
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

    /// What [`write_tie`](Self::write_tie) gives of all rows, one after the
    /// other, with the offsets at which they begin, and the last one ends.
    pub(crate) fn ties(&self) -> (Vec<i32>, Vec<u8>) {
        let (mut bytes, mut tie) = (Vec::new(), Vec::new());
        let mut offsets = vec![0];
        for row in 0..self.len() {
            self.write_tie(row, &mut tie);
            bytes.extend(&tie);
            offsets.push(i32::try_from(bytes.len()).expect("a batch's keys take less than 2 GiB"));
        }
        (offsets, bytes)
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

    /// No rows.
    pub fn empty() -> Self {
        let positions = Vec::new().into();
        Self::new(Vec::new().into(), None, RowTie::Position { positions })
    }

    /// The keys of rows from several batches of one source, each given as the
    /// batch and the row in it, in this order.
    ///
    /// # Panics
    ///
    /// When there is no such batch or row, or they are not of one source.
    pub fn interleave(batches: &[&Self], rows: &[(usize, usize)]) -> Self {
        fn pick<T: Copy>(values: &[&[T]], rows: &[(usize, usize)]) -> Vec<T> {
            rows.iter().map(|&(batch, row)| values[batch][row]).collect()
        }
        let event: Vec<&[i64]> = batches.iter().map(|order| &*order.event_timestamps).collect();
        let created: Option<Vec<&[i64]>> =
            batches.iter().map(|order| order.created_timestamps.as_deref()).collect();
        let tie = match batches.first().map(|order| &order.tie) {
            None => return Self::empty(),
            Some(RowTie::Log { .. }) => {
                let positions = batches.iter().map(|order| match &order.tie {
                    RowTie::Log { partitions, offsets } => (&**partitions, &**offsets),
                    _ => panic!("{MIXED}"),
                });
                let (partitions, offsets): (Vec<&[u32]>, Vec<&[i64]>) = positions.unzip();
                RowTie::Log {
                    partitions: pick(&partitions, rows).into(),
                    offsets: pick(&offsets, rows).into(),
                }
            }
            Some(RowTie::Bytes(_)) => {
                let bytes: Vec<&BinaryArray> = batches
                    .iter()
                    .map(|order| match &order.tie {
                        RowTie::Bytes(bytes) => bytes,
                        _ => panic!("{MIXED}"),
                    })
                    .collect();
                let values = rows.iter().map(|&(batch, row)| bytes[batch].value(row));
                RowTie::Bytes(BinaryArray::from_iter_values(values))
            }
            Some(RowTie::Position { .. }) => {
                let positions: Vec<&[u32]> = batches
                    .iter()
                    .map(|order| match &order.tie {
                        RowTie::Position { positions } => &**positions,
                        _ => panic!("{MIXED}"),
                    })
                    .collect();
                RowTie::Position { positions: pick(&positions, rows).into() }
            }
        };
        let created = created.map(|created| pick(&created, rows).into());
        Self::new(pick(&event, rows).into(), created, tie)
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

const MIXED: &str = "batches of one source have the same kinds of keys";

/// Bytes that compare as the numbers do.
fn ascending(value: i64) -> [u8; 8] {
    (value ^ i64::MIN).to_be_bytes()
}
