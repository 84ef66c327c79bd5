//! From the records of a log to the steps of a window: rows arrive, windows
//! close.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::watermark::{NO_WATERMARK, Watermarks};
use crate::window::records::{LogRecords, NO_ENTITY, RowRef};

/// What the log tells of the order in which its records came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOrder {
    /// Records have broker times, and come in the order of their offsets.
    Broker,
    /// Records come in the order of their offsets.
    Offsets,
    /// Nothing: files without partition and offset columns. No row is late.
    None,
}

/// A row on its way to its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowRow {
    pub(crate) at: RowRef,
    pub(crate) entity: u32,
    pub(crate) event: i64,
    /// From when on it may be seen.
    pub(crate) visible: i64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Arrive(WindowRow),
    /// Windows with an end up to `to` close; what they emit is visible from
    /// `visible` on, or if that is none from their end plus out_of_orderness.
    Close {
        to: i64,
        visible: Option<i64>,
    },
}

/// A record that waits for its turn among those of other partitions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitingRecord {
    /// The log's clock once this record has come.
    pub(crate) clock: i64,
    pub(crate) event: i64,
    pub(crate) broker: Option<i64>,
    pub(crate) row: Option<WindowRow>,
}

/// A row that came before it may be seen, in the order of that time and then
/// of its coming.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HiddenRow {
    pub(crate) sequence: u64,
    pub(crate) row: WindowRow,
}

impl HiddenRow {
    fn key(&self) -> (i64, u64) {
        (self.row.visible, self.sequence)
    }
}

impl PartialEq for HiddenRow {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for HiddenRow {}

impl PartialOrd for HiddenRow {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HiddenRow {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[derive(Debug, Default)]
pub(crate) struct PartitionLog {
    /// The greatest time of its clock; none before the first record.
    pub(crate) clock: Option<i64>,
    pub(crate) waiting: VecDeque<WaitingRecord>,
}

/// Reads the partitions of a log as one.
pub(crate) struct LogReader {
    pub(crate) order: LogOrder,
    /// Whether rows that come too late are left out.
    pub(crate) drops_late: bool,
    /// As of the records whose turn has been.
    pub(crate) watermarks: Watermarks,
    /// As of all records, to tell late ones.
    pub(crate) read: Watermarks,
    pub(crate) partitions: BTreeMap<u32, PartitionLog>,
    pub(crate) hidden: BinaryHeap<Reverse<HiddenRow>>,
    pub(crate) sequence: u64,
    /// Up to where windows were told to close.
    pub(crate) closed_to: i64,
}

impl LogReader {
    pub(crate) fn new(order: LogOrder, watermarks: Watermarks, partitions: &[u32]) -> Self {
        Self {
            order,
            drops_late: true,
            read: watermarks.clone(),
            watermarks,
            partitions: partitions.iter().map(|p| (*p, PartitionLog::default())).collect(),
            hidden: BinaryHeap::new(),
            sequence: 0,
            closed_to: i64::MIN,
        }
    }

    fn out_of_orderness(&self) -> i64 {
        self.watermarks.settings().out_of_orderness_us
    }

    /// Takes records in, which are rows `rows` of a chunk, and gives the steps
    /// whose turn has come.
    pub(crate) fn read(
        &mut self,
        chunk: u32,
        records: &LogRecords,
        rows: impl Iterator<Item = u32>,
        steps: &mut Vec<Step>,
    ) {
        let events = records.order.event_timestamps();
        let created = records.order.created_timestamps();
        let brokers = records.broker_timestamps.as_deref();
        for row in rows {
            let at = row as usize;
            let event = events[at];
            let partition = records.partitions.as_ref().map_or(0, |partitions| partitions[at]);
            let broker = brokers.map(|brokers| brokers[at]);
            let seen = created.map(|created| created[at]);
            let visible = match (seen, broker) {
                (Some(seen), Some(broker)) => seen.max(broker),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => event,
            };
            let entity = records.entities[at];
            let is_row = entity != NO_ENTITY
                && !(self.drops_late && self.read.is_too_late(partition, event));
            if self.drops_late {
                self.read.pass(partition, event, broker);
            }
            let at = RowRef { chunk, row };
            let row = is_row.then_some(WindowRow { at, entity, event, visible });
            let log = self.partitions.entry(partition).or_default();
            let now = if self.order == LogOrder::Broker { broker.unwrap_or(event) } else { event };
            let clock = log.clock.map_or(now, |clock| clock.max(now));
            log.clock = Some(clock);
            let record = WaitingRecord { clock, event, broker, row };
            log.waiting.push_back(record);
            if self.partitions.len() == 1
                && let Some(record) =
                    self.partitions.get_mut(&partition).and_then(|log| log.waiting.pop_front())
            {
                self.pass(partition, record, steps);
            }
        }
        self.pass_those_in_turn(steps);
    }

    /// The same where the log tells nothing of the order of its records: they
    /// come here in that of their broker times, or else of the times from which
    /// on they are visible.
    pub(crate) fn read_unordered(
        &mut self,
        chunk: u32,
        records: &LogRecords,
        rows: impl Iterator<Item = u32>,
        steps: &mut Vec<Step>,
    ) {
        if self.order == LogOrder::Broker {
            return self.read(chunk, records, rows, steps);
        }
        let events = records.order.event_timestamps();
        let visible = records.order.created_timestamps().unwrap_or(events);
        for row in rows {
            let (at, entity) = (RowRef { chunk, row }, records.entities[row as usize]);
            let (event, visible) = (events[row as usize], visible[row as usize]);
            if entity != NO_ENTITY {
                self.arrive_when_visible(WindowRow { at, entity, event, visible }, steps);
            }
        }
    }

    /// The records that come before all that other partitions may yet bring.
    fn pass_those_in_turn(&mut self, steps: &mut Vec<Step>) {
        if self.partitions.len() == 1 {
            return;
        }
        while let Some((partition, record)) = self.next_in_turn(false) {
            self.pass(partition, record, steps);
        }
    }

    fn next_in_turn(&mut self, is_end: bool) -> Option<(u32, WaitingRecord)> {
        let mut first: Option<(i64, u32)> = None;
        let mut barrier: Option<(i64, u32)> = None;
        for (partition, log) in &self.partitions {
            match log.waiting.front() {
                Some(record) => {
                    let key = (record.clock, *partition);
                    first = Some(first.map_or(key, |first| first.min(key)));
                }
                None if is_end => {}
                None => {
                    let key = (log.clock.unwrap_or(i64::MIN), *partition);
                    barrier = Some(barrier.map_or(key, |barrier| barrier.min(key)));
                }
            }
        }
        let (clock, partition) = first?;
        if barrier.is_some_and(|barrier| barrier <= (clock, partition)) {
            return None;
        }
        let log = self.partitions.get_mut(&partition)?;
        log.waiting.pop_front().map(|record| (partition, record))
    }

    /// It is this record's turn.
    fn pass(&mut self, partition: u32, record: WaitingRecord, steps: &mut Vec<Step>) {
        let WaitingRecord { clock, event, broker, row } = record;
        self.show_up_to(clock, steps);
        if let Some(row) = row {
            if row.visible <= clock && row.visible <= row.event {
                steps.push(Step::Arrive(row));
            } else if row.visible <= clock {
                // Another partition may hold a window open beyond its time.
                self.arrive_when_visible(row, steps);
            } else {
                self.hidden.push(Reverse(HiddenRow { sequence: self.sequence, row }));
                self.sequence += 1;
            }
        }
        if self.watermarks.pass(partition, event, broker) {
            let visible = (self.order == LogOrder::Broker).then_some(broker).flatten();
            let to = self.watermarks.least();
            self.close(to, visible, steps);
        }
    }

    fn close(&mut self, to: i64, visible: Option<i64>, steps: &mut Vec<Step>) {
        if to > self.closed_to {
            self.closed_to = to;
            steps.push(Step::Close { to, visible });
        }
    }

    /// Rows that may be seen at `clock` arrive.
    fn show_up_to(&mut self, clock: i64, steps: &mut Vec<Step>) {
        while let Some(Reverse(hidden)) = self.hidden.peek()
            && hidden.row.visible <= clock
        {
            let row = hidden.row;
            self.hidden.pop();
            self.arrive_when_visible(row, steps);
        }
    }

    /// Where windows emit at a fixed time after their end, those whose time is
    /// before the row's do so before it.
    fn arrive_when_visible(&mut self, row: WindowRow, steps: &mut Vec<Step>) {
        if self.order != LogOrder::Broker {
            let to = row.visible.saturating_sub(self.out_of_orderness()).saturating_sub(1);
            self.close(to, None, steps);
        }
        steps.push(Step::Arrive(row));
    }

    /// The log has no further records.
    pub(crate) fn end(&mut self, steps: &mut Vec<Step>) {
        while let Some((partition, record)) = self.next_in_turn(true) {
            self.pass(partition, record, steps);
        }
        self.show_up_to(i64::MAX, steps);
        if self.order != LogOrder::Broker {
            self.close(i64::MAX, None, steps);
        }
    }

    /// No row to come has an event time before this.
    pub(crate) fn least_event_to_come(&self) -> i64 {
        let lateness = self.watermarks.settings().allowed_lateness_us;
        let read = match self.read.least() {
            NO_WATERMARK => return i64::MIN,
            watermark => watermark.saturating_sub(lateness),
        };
        let waiting = self.partitions.values().flat_map(|log| &log.waiting);
        let waiting = waiting.filter_map(|record| record.row).map(|row| row.event);
        let hidden = self.hidden.iter().map(|Reverse(hidden)| hidden.row.event);
        waiting.chain(hidden).fold(read, i64::min)
    }

    /// All rows that came and have not arrived.
    pub(crate) fn held_rows(&self) -> impl Iterator<Item = &WindowRow> {
        let waiting = self.partitions.values().flat_map(|log| &log.waiting);
        let waiting = waiting.filter_map(|record| record.row.as_ref());
        waiting.chain(self.hidden.iter().map(|Reverse(hidden)| &hidden.row))
    }

    /// The same, to be changed.
    pub(crate) fn for_each_held_row(&mut self, mut change: impl FnMut(&mut WindowRow)) {
        for log in self.partitions.values_mut() {
            log.waiting.iter_mut().filter_map(|record| record.row.as_mut()).for_each(&mut change);
        }
        let hidden = std::mem::take(&mut self.hidden).into_iter().map(|Reverse(mut hidden)| {
            change(&mut hidden.row);
            Reverse(hidden)
        });
        self.hidden = hidden.collect();
    }
}
