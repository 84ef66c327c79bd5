use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Int64Type, TimestampMicrosecondType, UInt32Type};
use unskew_plan::SourcePlan;

use crate::rows::canonical::CanonicalBytes;
use crate::rows::dead_letter::DeadLetterReason;
use crate::rows::error::RowsError;
use crate::rows::origins::Origins;
use crate::watermark::{WatermarkSettings, too_late_rows};

/// Why a row is dropped, once it is.
pub(crate) type Verdicts = Vec<Option<(DeadLetterReason, String)>>;

/// The times and places of all rows of a source that could be read, in the
/// order in which they came.
pub(crate) struct AllRows {
    pub(crate) event_timestamps: Vec<i64>,
    /// Those of the broker where the source names none of its own.
    pub(crate) created_timestamps: Option<Vec<i64>>,
    /// The event time where a record has none, so that this alone counts.
    pub(crate) broker_timestamps: Option<Vec<i64>>,
    pub(crate) log: Option<LogPlaces>,
    bytes: CanonicalBytes,
}

/// Where rows stand in their log.
pub(crate) struct LogPlaces {
    pub(crate) partitions: Vec<u32>,
    pub(crate) offsets: Vec<i64>,
}

/// A record of a log: what it says of the time, and whether it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its partition.
    pub partition: u32,
    /// Its offset there.
    pub offset: i64,
    /// When it happened, in microseconds.
    pub event_timestamp: i64,
    /// The time that the broker gave it, in microseconds; the event's without one.
    pub broker_timestamp: i64,
    /// Its place among the accepted rows, if it is one.
    pub row: Option<u32>,
}

/// Rows in the order that breaks every tie.
pub(crate) struct RowsInOrder {
    pub(crate) order: Vec<u32>,
    /// Whether they came so.
    pub(crate) is_sorted: bool,
    /// Ranges of `order` of one event time and one created time.
    pub(crate) ties: Vec<Range<u32>>,
}

impl AllRows {
    /// Of rows none of which lacks a time or a place that the source declares.
    pub(crate) fn new(source: &SourcePlan, batch: &RecordBatch) -> Result<Self, RowsError> {
        let times = |field: usize| {
            batch.column(field).as_primitive::<TimestampMicrosecondType>().values().to_vec()
        };
        let log = match (source.partition, source.offset) {
            (Some(partition), Some(offset)) => {
                let partitions = cast(batch.column(partition), &ArrowType::UInt32)?;
                let offsets = cast(batch.column(offset), &ArrowType::Int64)?;
                Some(LogPlaces {
                    partitions: partitions.as_primitive::<UInt32Type>().values().to_vec(),
                    offsets: offsets.as_primitive::<Int64Type>().values().to_vec(),
                })
            }
            _ => None,
        };
        let event_timestamps = times(source.event_timestamp);
        let broker_timestamps: Option<Vec<i64>> = source.broker_timestamp.map(|field| {
            let times = batch.column(field).as_primitive::<TimestampMicrosecondType>();
            let times = times.iter().zip(&event_timestamps);
            times.map(|(broker, event)| broker.unwrap_or(*event)).collect()
        });
        Ok(Self {
            created_timestamps: match source.created_timestamp {
                Some(field) => Some(times(field)),
                None => broker_timestamps.clone(),
            },
            event_timestamps,
            broker_timestamps,
            log,
            bytes: CanonicalBytes::new(batch.columns().to_vec()),
        })
    }

    /// The rows in the order that breaks every tie. Rows that are equal in all
    /// their bytes yield the same; `origins` only settles which one is named.
    pub(crate) fn order(&self, origins: &Origins) -> RowsInOrder {
        let rows = self.event_timestamps.len() as u32;
        let mut order: Vec<u32> = (0..rows).collect();
        let by_times = |a: &u32, b: &u32| self.compare_times(*a as usize, *b as usize);
        let came_sorted = (1..rows).all(|row| by_times(&(row - 1), &row).is_le());
        if !came_sorted {
            // Stable, so that runs that came in order are only merged.
            order.sort_by(by_times);
        }
        let mut ties = Vec::new();
        let mut start = 0;
        while start < order.len() {
            let first = order[start];
            let same = order[start + 1..].iter().take_while(|row| by_times(&first, row).is_eq());
            let end = start + 1 + same.count();
            if end - start > 1 {
                self.settle(&mut order[start..end], origins);
                ties.push(start as u32..end as u32);
            }
            start = end;
        }
        let is_sorted = came_sorted && order.iter().zip(0..).all(|(row, at)| *row == at);
        RowsInOrder { order, is_sorted, ties }
    }

    fn compare_times(&self, a: usize, b: usize) -> Ordering {
        let by_event = self.event_timestamps[a].cmp(&self.event_timestamps[b]);
        by_event.then_with(|| match &self.created_timestamps {
            Some(created) => created[a].cmp(&created[b]),
            None => Ordering::Equal,
        })
    }

    /// Orders rows of one event time and one created time.
    fn settle(&self, rows: &mut [u32], origins: &Origins) {
        if let Some(LogPlaces { partitions, offsets }) = &self.log {
            rows.sort_by_key(|row| {
                let at = *row as usize;
                (partitions[at], offsets[at], origins.number(at))
            });
            return;
        }
        let mut bytes = Vec::new();
        let mut keys: Vec<(usize, usize, u32)> = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            let start = bytes.len();
            self.bytes.append(*row as usize, &mut bytes);
            keys.push((start, bytes.len(), *row));
        }
        keys.sort_by(|a, b| {
            bytes[a.0..a.1]
                .cmp(&bytes[b.0..b.1])
                .then_with(|| origins.number(a.2 as usize).cmp(&origins.number(b.2 as usize)))
        });
        rows.iter_mut().zip(keys).for_each(|(row, (_, _, sorted))| *row = sorted);
    }

    /// The rows of each partition by their offset; without a log, none.
    fn partitions(&self) -> Vec<(u32, Vec<u32>)> {
        let Some(LogPlaces { partitions, offsets }) = &self.log else { return Vec::new() };
        let mut rows: Vec<u32> = (0..partitions.len() as u32).collect();
        rows.sort_by_key(|row| (partitions[*row as usize], offsets[*row as usize]));
        let same = |a: &u32, b: &u32| partitions[*a as usize] == partitions[*b as usize];
        let chunks = rows.chunk_by(same);
        chunks.map(|rows| (partitions[rows[0] as usize], rows.to_vec())).collect()
    }

    /// The whole log; `kept` are the accepted rows in their order.
    pub(crate) fn records(&self, places: &LogPlaces, kept: &[u32]) -> Vec<LogRecord> {
        let mut accepted = vec![None; self.event_timestamps.len()];
        kept.iter().enumerate().for_each(|(at, row)| accepted[*row as usize] = Some(at as u32));
        let rows = self.partitions().into_iter().flat_map(|(_, rows)| rows);
        let record = |row: u32| {
            let row = row as usize;
            LogRecord {
                partition: places.partitions[row],
                offset: places.offsets[row],
                event_timestamp: self.event_timestamps[row],
                broker_timestamp: match &self.broker_timestamps {
                    Some(broker) => broker[row],
                    None => self.event_timestamps[row],
                },
                row: accepted[row],
            }
        };
        rows.map(record).collect()
    }

    /// Drops records that were given several times, as files that overlap do,
    /// and refuses two different ones in one place.
    pub(crate) fn drop_repeated_records(
        &self,
        source: &SourcePlan,
        verdicts: &mut Verdicts,
    ) -> Result<(), RowsError> {
        let Some(LogPlaces { offsets, .. }) = &self.log else { return Ok(()) };
        for (partition, rows) in self.partitions() {
            for pair in rows.windows(2) {
                let (before, row) = (pair[0] as usize, pair[1] as usize);
                let offset = offsets[row];
                if offset != offsets[before] {
                    continue;
                }
                if self.bytes.of(before) != self.bytes.of(row) {
                    let source_name = source.name.clone();
                    return Err(RowsError::OnePlaceTwice { source_name, partition, offset });
                }
                let detail = format!("offset {offset} of partition {partition} was read before");
                verdicts[row] = Some((DeadLetterReason::Duplicate, detail));
            }
        }
        Ok(())
    }

    /// Drops the rows that came later than the source allows. Rows that were
    /// dropped before have passed, too, and moved the watermark.
    pub(crate) fn drop_late(&self, source: &SourcePlan, verdicts: &mut Verdicts) {
        let Some(LogPlaces { partitions, offsets }) = &self.log else { return };
        let settings = WatermarkSettings {
            out_of_orderness_us: source.out_of_orderness_us,
            max_future_skew_us: source.max_future_skew_us,
            allowed_lateness_us: source.allowed_lateness_us,
        };
        let broker = self.broker_timestamps.as_deref();
        let late = too_late_rows(settings, partitions, offsets, &self.event_timestamps, broker);
        for row in late {
            verdicts[row as usize].get_or_insert_with(|| {
                let detail = "its event time lies further behind the watermark than allowed_lateness permits";
                (DeadLetterReason::Late, detail.to_owned())
            });
        }
    }

    /// Drops all but the first of the rows that have one event id and one
    /// event time. A null id is never a copy.
    pub(crate) fn drop_copies(&self, ids: &ArrayRef, order: &[u32], verdicts: &mut Verdicts) {
        let bytes = CanonicalBytes::new(vec![ArrayRef::clone(ids)]);
        let mut first: HashMap<(i64, Vec<u8>), u32> = HashMap::new();
        for row in order {
            let at = *row as usize;
            if verdicts[at].is_some() || ids.is_null(at) {
                continue;
            }
            match first.entry((self.event_timestamps[at], bytes.of(at))) {
                Entry::Vacant(place) => {
                    place.insert(*row);
                }
                Entry::Occupied(_) => {
                    let detail = "a row before it has the same event id and event time".to_owned();
                    verdicts[at] = Some((DeadLetterReason::Duplicate, detail));
                }
            }
        }
    }
}
