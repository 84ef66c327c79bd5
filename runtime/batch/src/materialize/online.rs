//! From the offline store's tables to the online store.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use unskew_executor::rows::key_hashes;
use unskew_executor::service::ViewOperator;
use unskew_executor::stored::{EntityRecord, Part, PartKind, PartVersion, RecordSlice};
use unskew_store::{OnlineStore, Record, TableId, WriteMode};

use crate::error::BatchError;
use crate::materialize::offline_tables::OfflineTables;
use crate::materialize::slices::{
    DAY_US, Day, day_of, days_within, internal, rows_within, slice_times,
};
use crate::partition::{bucket_of, in_order_of_buckets};

/// Records that are written at a time, and writes that are under way at once.
const RECORDS: usize = 1_000;
/// About so many rows become records at a time.
const GROUP_ROWS: usize = 1 << 15;
const WRITES: usize = 4;

/// Fills the online store with what the offline store has of a view.
pub(crate) struct OnlineFiller<'a> {
    pub(crate) operator: &'a ViewOperator,
    pub(crate) table: &'a TableId,
    pub(crate) offline: &'a OfflineTables,
    pub(crate) online: &'a dyn OnlineStore,
    pub(crate) cancelled: &'a dyn Fn() -> bool,
    pub(crate) entities: u64,
    pub(crate) parts: u64,
}

impl OnlineFiller<'_> {
    /// A generation that is being built gets all that can answer once files
    /// are covered until a time.
    pub(crate) async fn rebuild(
        &mut self,
        generation: u64,
        covered_until: i64,
    ) -> Result<(), BatchError> {
        let days = self.offline.days(self.table).await?;
        let Some(span) = self.operator.tile_span(covered_until) else {
            return self.rebuild_rows(generation, covered_until, &days).await;
        };
        let step = (DAY_US / span.coarsest_us + 1).saturating_mul(span.coarsest_us);
        let mut from = span.from;
        while from < covered_until {
            let until = from.saturating_add(step).min(covered_until);
            let slice = RecordSlice { from, until, covered_until };
            self.write_slice(&days, generation, &slice, WriteMode::Fresh).await?;
            from = until;
        }
        Ok(())
    }

    /// From the last day to the first: an entity whose newest rows are there
    /// needs none of earlier days.
    async fn rebuild_rows(
        &mut self,
        generation: u64,
        covered_until: i64,
        days: &BTreeSet<Day>,
    ) -> Result<(), BatchError> {
        let mut known: HashSet<Bytes> = HashSet::new();
        for day in days.iter().rev().filter(|day| **day <= day_of(covered_until)) {
            self.check()?;
            let Some(rows) = self.read(&BTreeSet::from([*day])).await? else { continue };
            let slice = RecordSlice { from: i64::MIN, until: covered_until, covered_until };
            let new = |records: &mut Vec<Record>| {
                records.retain(|record| !known.contains(&record.entity));
                for record in records {
                    // In a generation that is being built there is nothing older to drop.
                    if record.drop_rows_below.take().is_some() {
                        known.insert(record.entity.clone());
                    }
                }
            };
            self.write(generation, &rows, &slice, WriteMode::Fresh, new).await?;
        }
        Ok(())
    }

    /// The current generation, which covers files until `from`, gets what they
    /// have up to `until`, in steps each of which is whole.
    pub(crate) async fn extend(
        &mut self,
        generation: u64,
        from: i64,
        until: i64,
        now: i64,
    ) -> Result<(), BatchError> {
        let days = self.offline.days(self.table).await?;
        let Some(span) = self.operator.tile_span(until) else {
            for day in days_within(from..until).filter(|day| days.contains(day)) {
                self.check()?;
                let Some(rows) = self.read(&BTreeSet::from([day])).await? else { continue };
                let slice = RecordSlice { from: i64::MIN, until, covered_until: until };
                self.write(generation, &rows, &slice, WriteMode::Newer, |_| ()).await?;
            }
            return self.advance(generation, until, now).await;
        };
        let begin = |covered: i64| {
            let tiled = self.operator.tiled_until(covered).unwrap_or(covered);
            tiled.div_euclid(span.coarsest_us).saturating_mul(span.coarsest_us).max(span.from)
        };
        let grace = until.saturating_sub(self.operator.tiled_until(until).unwrap_or(until));
        let step = DAY_US.saturating_add(grace).saturating_add(span.coarsest_us.saturating_mul(2));
        let mut next = begin(from);
        loop {
            let to = next.saturating_add(step).min(until);
            let slice = RecordSlice { from: next, until: to, covered_until: to };
            self.write_slice(&days, generation, &slice, WriteMode::Newer).await?;
            self.advance(generation, to.max(from), now).await?;
            if to >= until {
                return Ok(());
            }
            next = begin(to).max(next.saturating_add(1));
        }
    }

    async fn advance(&self, generation: u64, until: i64, now: i64) -> Result<(), BatchError> {
        Ok(self.online.advance(self.table, generation, until, now).await?)
    }

    fn check(&self) -> Result<(), BatchError> {
        if (self.cancelled)() { Err(BatchError::Cancelled) } else { Ok(()) }
    }

    async fn write_slice(
        &mut self,
        days: &BTreeSet<Day>,
        generation: u64,
        slice: &RecordSlice,
        mode: WriteMode,
    ) -> Result<(), BatchError> {
        self.check()?;
        let within: BTreeSet<Day> =
            days.range(within_days(slice.from..slice.until)).copied().collect();
        let Some(rows) = self.read(&within).await? else { return Ok(()) };
        let emits = self.operator.view().window.emits();
        let times = slice_times(&rows, self.time_column(), emits);
        let rows = rows_within(&rows, &times, &(slice.from..slice.until))?;
        self.write(generation, &rows, slice, mode, |_| ()).await
    }

    fn time_column(&self) -> usize {
        self.operator.view().join_keys.len()
    }

    async fn read(&self, days: &BTreeSet<Day>) -> Result<Option<RecordBatch>, BatchError> {
        let schema = self.operator.table_schema();
        let mut batches = Vec::new();
        for day in days {
            batches.extend(self.offline.read_day(self.table, *day, &schema).await?);
        }
        let Some(first) = batches.first() else { return Ok(None) };
        Ok(Some(concat_batches(&first.schema(), &batches).map_err(internal)?))
    }

    /// Writes what the store keeps of some rows, group of entities by group:
    /// one is made on a thread of its own while another is on its way. `adjust`
    /// sees all records first.
    async fn write(
        &mut self,
        generation: u64,
        rows: &RecordBatch,
        slice: &RecordSlice,
        mode: WriteMode,
        mut adjust: impl FnMut(&mut Vec<Record>),
    ) -> Result<(), BatchError> {
        let (operator, online, table) = (self.operator, self.online, self.table);
        let groups = grouped(rows, self.time_column())?;
        let (sender, mut made) = mpsc::channel::<Result<Vec<Record>, BatchError>>(2);
        let (entities, parts) = (&mut self.entities, &mut self.parts);
        let cancelled = self.cancelled;
        // The runtime's other threads go on; this one waits for both.
        tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    for group in groups {
                        let failed = |source| BatchError::Training { source: Box::new(source) };
                        let records = operator.records(&group, slice).map_err(failed);
                        let records = records
                            .map(|records| records.into_iter().map(stored).collect::<Vec<_>>());
                        // Nobody listens where a write has failed.
                        if sender.blocking_send(records).is_err() {
                            return;
                        }
                    }
                });
                // It owns the receiver: where it ends, the other thread does.
                Handle::current().block_on(async move {
                    while let Some(records) = made.recv().await {
                        let mut records = records?;
                        adjust(&mut records);
                        *entities += records.len() as u64;
                        *parts +=
                            records.iter().map(|record| record.parts.len() as u64).sum::<u64>();
                        let writes = futures::stream::iter(records.chunks(RECORDS))
                            .map(|records| online.write(table, generation, records, mode))
                            .buffer_unordered(WRITES);
                        writes.try_for_each(|_| async { Ok(()) }).await?;
                        if cancelled() {
                            return Err(BatchError::Cancelled);
                        }
                    }
                    Ok(())
                })
            })
        })
    }
}

/// The rows of a table in pieces of some size, each of whole entities; `keys`
/// is how many columns their join keys are. Rows of an entity keep their order.
fn grouped(rows: &RecordBatch, keys: usize) -> Result<Vec<RecordBatch>, BatchError> {
    let groups = rows.num_rows() / GROUP_ROWS + 1;
    let hashes = key_hashes(&rows.columns()[..keys], rows.num_rows());
    let of: Vec<u32> = hashes.into_iter().map(|hash| bucket_of(hash, groups)).collect();
    let (sorted, starts) = in_order_of_buckets(rows, &of, 0, groups).map_err(internal)?;
    let piece = |ends: &[u32]| sorted.slice(ends[0] as usize, (ends[1] - ends[0]) as usize);
    Ok(starts.windows(2).filter(|ends| ends[1] > ends[0]).map(piece).collect())
}

fn within_days(times: Range<i64>) -> Range<Day> {
    days_within(times)
}

/// A record as the store takes it.
fn stored(record: EntityRecord) -> Record {
    let EntityRecord { entity, parts, drop_rows_below } = record;
    let part = |part: Part| {
        let Part { kind, name, version, value } = part;
        let PartVersion { event_timestamp, created_timestamp, revision } = version;
        unskew_store::Part {
            kind: match kind {
                PartKind::Tile => unskew_store::PartKind::Tile,
                PartKind::Row => unskew_store::PartKind::Row,
            },
            name: name.into(),
            version: unskew_store::PartVersion { event_timestamp, created_timestamp, revision },
            value: value.into(),
        }
    };
    Record {
        entity: entity.into(),
        parts: parts.into_iter().map(part).collect(),
        drop_rows_below: drop_rows_below.map(Bytes::from),
    }
}
