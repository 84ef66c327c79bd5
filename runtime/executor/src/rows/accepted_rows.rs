use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use unskew_plan::SourcePlan;

use crate::rows::all_rows::{AllRows, LogRecord, RowsInOrder, Verdicts};
use crate::rows::canonical::CanonicalBytes;
use crate::rows::dead_letter::DeadLetter;
use crate::rows::error::RowsError;
use crate::rows::origins::Origins;

/// The rows of a source that count, in the order that breaks every tie:
/// ascending by event time, created time, partition and offset; without the
/// last two by their canonical bytes.
#[derive(Clone, Debug)]
pub struct AcceptedRows {
    /// The source.
    pub source: Arc<SourcePlan>,
    /// The source's fields, of exactly their types.
    pub batch: RecordBatch,
    /// Microseconds since the epoch, UTC.
    pub event_timestamps: Vec<i64>,
    /// The same, where the source has created times; those of the broker stand
    /// in for them.
    pub created_timestamps: Option<Vec<i64>>,
    /// The times that the broker gave the rows, where the source has them.
    pub broker_timestamps: Option<Vec<i64>>,
    /// The whole log, by partition and offset, where the source says how it
    /// was: dropped records, too, have moved watermarks.
    pub log: Option<Vec<LogRecord>>,
    /// Where each row came from.
    pub origins: Origins,
    /// The rows that count for nothing.
    pub dead_letters: Vec<DeadLetter>,
}

/// How rows came to be in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderingReport {
    /// Whether they came in order, so that nothing was sorted.
    pub came_sorted: bool,
    /// Whether two rows of one key and one time were told apart by their bytes
    /// alone.
    pub has_ties: bool,
}

impl AcceptedRows {
    /// All rows of a source together, each of which counts by itself: those that
    /// came too late and those that are copies go, and become dead letters
    /// beside those that are given; the others are put in order.
    pub fn judged(
        source: Arc<SourcePlan>,
        batch: &RecordBatch,
        origins: Origins,
        mut dead_letters: Vec<DeadLetter>,
    ) -> Result<Self, RowsError> {
        let all = AllRows::new(&source, batch)?;
        let order = all.order(&origins).order;
        let mut verdicts: Verdicts = vec![None; batch.num_rows()];
        all.drop_repeated_records(&source, &mut verdicts)?;
        all.drop_late(&source, &mut verdicts);
        if let Some(field) = source.event_id {
            all.drop_copies(batch.column(field), &order, &mut verdicts);
        }

        let kept: Vec<u32> =
            order.into_iter().filter(|row| verdicts[*row as usize].is_none()).collect();
        let log = all.log.as_ref().map(|places| all.records(places, &kept));
        for (row, verdict) in verdicts.into_iter().enumerate() {
            let Some((reason, detail)) = verdict else { continue };
            let (place, place_row) = origins.get(row).unwrap_or_else(|| (Arc::from(""), 0));
            let position = all.log.as_ref().map(|log| (log.partitions[row], log.offsets[row]));
            dead_letters.push(DeadLetter { place, row: place_row, reason, detail, position });
        }
        dead_letters.sort_by(|a, b| (&a.place, a.row).cmp(&(&b.place, b.row)));
        let of = |values: &Vec<i64>| kept.iter().map(|row| values[*row as usize]).collect();
        Ok(Self {
            event_timestamps: of(&all.event_timestamps),
            created_timestamps: all.created_timestamps.as_ref().map(of),
            broker_timestamps: all.broker_timestamps.as_ref().map(of),
            log,
            origins: origins.take(&kept),
            batch: take_record_batch(batch, &UInt32Array::from(kept))?,
            dead_letters,
            source,
        })
    }

    /// These rows alone, which are given in ascending order. The log stays
    /// whole: the others have moved watermarks, too.
    pub fn only(&self, rows: &[u32]) -> Result<Self, RowsError> {
        let Self {
            source,
            batch,
            event_timestamps,
            created_timestamps,
            broker_timestamps,
            log,
            origins,
            dead_letters: _,
        } = self;
        let at = |times: &Vec<i64>| rows.iter().map(|row| times[*row as usize]).collect();
        let place = |row: u32| rows.binary_search(&row).ok().map(|place| place as u32);
        let record = |record: &LogRecord| LogRecord { row: record.row.and_then(place), ..*record };
        Ok(Self {
            source: Arc::clone(source),
            batch: take_record_batch(batch, &UInt32Array::from(rows.to_vec()))?,
            event_timestamps: at(event_timestamps),
            created_timestamps: created_timestamps.as_ref().map(at),
            broker_timestamps: broker_timestamps.as_ref().map(at),
            log: log.as_ref().map(|log| log.iter().map(record).collect()),
            origins: origins.take(rows),
            dead_letters: Vec::new(),
        })
    }

    /// Rows that all count, as they do where nothing depends on other rows, or
    /// where that was decided before: puts them in order. They are whole
    /// entities by the fields `keys`. What windows emit by a whole log is not to
    /// be asked of them.
    pub fn ordered(
        source: Arc<SourcePlan>,
        batch: RecordBatch,
        origins: Origins,
        keys: &[usize],
    ) -> Result<(Self, OrderingReport), RowsError> {
        let all = AllRows::new(&source, &batch)?;
        let RowsInOrder { order, is_sorted, ties } = all.order(&origins);
        let keys = CanonicalBytes::new(keys.iter().map(|at| batch.column(*at).clone()).collect());
        let of_one_key = |tie: &std::ops::Range<u32>| {
            let rows = &order[tie.start as usize..tie.end as usize];
            let mut seen = HashSet::new();
            !rows.iter().all(|row| seen.insert(keys.of(*row as usize)))
        };
        let has_ties = all.log.is_none() && ties.iter().any(of_one_key);
        let AllRows { event_timestamps, created_timestamps, broker_timestamps, .. } = all;
        let report = OrderingReport { came_sorted: is_sorted, has_ties };
        let rows = if is_sorted {
            Self {
                source,
                batch,
                event_timestamps,
                created_timestamps,
                broker_timestamps,
                log: None,
                origins,
                dead_letters: Vec::new(),
            }
        } else {
            let of = |values: Vec<i64>| order.iter().map(|row| values[*row as usize]).collect();
            Self {
                event_timestamps: of(event_timestamps),
                created_timestamps: created_timestamps.map(of),
                broker_timestamps: broker_timestamps.map(of),
                log: None,
                origins: origins.take(&order),
                batch: take_record_batch(&batch, &UInt32Array::from(order))?,
                dead_letters: Vec::new(),
                source,
            }
        };
        Ok((rows, report))
    }

    /// Where the row at `row` came from: its file and its row there, or what is
    /// known of it.
    pub(crate) fn origin_of(&self, row: u32) -> (Arc<str>, Option<u64>) {
        match self.origins.get(row as usize) {
            Some((file, file_row)) => (file, Some(file_row)),
            None => (Arc::from(format!("source {}", self.source.name)), None),
        }
    }

    /// The same in words.
    pub(crate) fn place_of(&self, row: u32) -> String {
        match self.origin_of(row) {
            (file, Some(row)) => format!("{file}, row {row}"),
            (place, None) => place.to_string(),
        }
    }
}
