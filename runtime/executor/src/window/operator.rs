use std::sync::Arc;

use crate::aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
use crate::fold_failures::FoldFailures;
use crate::merge_graph::NodeId;
use crate::watermark::{WatermarkSettings, Watermarks};
use crate::window::EmittingWindow;
use crate::window::emitted::{EmittedWindows, scattered};
use crate::window::fixed::FixedWindows;
use crate::window::log_order::{LogOrder, LogReader, Step};
use crate::window::records::{Chunk, Chunks, LogRecords, RowRef};
use crate::window::session::SessionWindows;
use crate::window::slots::{BatchNotes, Emission, Slot, Slots};
use crate::window::whole_log::WholeLog;

/// What a view's windows are, and how its source tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSettings {
    /// Their shape.
    pub window: EmittingWindow,
    /// How far events are out of order and late.
    pub watermark: WatermarkSettings,
    /// What the log tells of the order of its records.
    pub log: LogOrder,
}

/// Rows that are worked through at a time. What comes out does not depend on
/// it.
const ROWS_AT_A_TIME: usize = 1 << 15;

/// The windows of one view, fed from the log of its source.
pub struct WindowOperator {
    pub(crate) settings: WindowSettings,
    pub(crate) kernels: Vec<Arc<dyn AggregateKernel>>,
    pub(crate) log: LogReader,
    pub(crate) windows: Windows,
    pub(crate) slots: Slots,
    /// The states of the slots, for each aggregate.
    pub(crate) states: Vec<Box<dyn GroupStates>>,
    pub(crate) chunks: Chunks,
    /// Of each aggregate, the rows that failed in it.
    pub(crate) failures: Vec<FoldFailures>,
    /// All of the rows, while the log tells nothing of their order.
    gathered: Vec<u32>,
}

pub(crate) enum Windows {
    Fixed(FixedWindows),
    Sessions(SessionWindows),
}

impl Windows {
    pub(crate) fn new(window: EmittingWindow) -> Self {
        match window {
            EmittingWindow::Tumbling { size_us, offset_us } => {
                Self::Fixed(FixedWindows::new(size_us, size_us, offset_us))
            }
            EmittingWindow::Sliding { size_us, hop_us, offset_us } => {
                Self::Fixed(FixedWindows::new(size_us, hop_us, offset_us))
            }
            EmittingWindow::Session { gap_us } => Self::Sessions(SessionWindows::new(gap_us)),
        }
    }
}

impl WindowOperator {
    /// Before the first record. `partitions` are all that the log has: while
    /// one of them is silent, no window closes. `kernels` are the view's
    /// aggregates.
    ///
    /// # Panics
    ///
    /// When a size, hop or gap is not above 0.
    pub fn new(
        settings: WindowSettings,
        partitions: &[u32],
        kernels: Vec<Arc<dyn AggregateKernel>>,
    ) -> Result<Self, KernelError> {
        match settings.window {
            EmittingWindow::Tumbling { size_us: step, .. }
            | EmittingWindow::Sliding { hop_us: step, .. }
            | EmittingWindow::Session { gap_us: step } => {
                assert!(step > 0, "a window's size, hop or gap is above 0");
            }
        }
        let watermarks = Watermarks::new(settings.watermark, partitions.iter().copied());
        let mut chunks = Chunks::default();
        let states = empty_states(&kernels, 0, &mut chunks)?;
        Ok(Self {
            failures: vec![FoldFailures::default(); kernels.len()],
            settings,
            log: LogReader::new(settings.log, watermarks, partitions),
            windows: Windows::new(settings.window),
            slots: Slots::default(),
            kernels,
            states,
            chunks,
            gathered: Vec::new(),
        })
    }

    /// How many windows are open or may still be revised.
    pub fn open_windows(&self) -> usize {
        self.slots.used()
    }

    /// Of each aggregate the rows that failed in it so far: each is a row of
    /// the records that it came in with.
    pub fn failures(&self) -> &[FoldFailures] {
        &self.failures
    }

    /// The watermarks of the records so far.
    #[expect(
        clippy::misnamed_getters,
        reason = "the log's other watermarks wait for the turn of records"
    )]
    pub fn watermarks(&self) -> &Watermarks {
        &self.log.read
    }

    /// About how many bytes the states take.
    pub fn memory_bytes(&self) -> usize {
        let slots = self.slots.slots.len() * size_of::<Slot>();
        slots + self.states.iter().map(|states| states.memory_bytes()).sum::<usize>()
    }

    /// Takes records in; what they make windows emit comes out. Rows that are
    /// too late are left out; the caller lists them by [`Watermarks`].
    pub fn push(&mut self, records: LogRecords) -> Result<EmittedWindows, KernelError> {
        records.check(self.kernels.len())?;
        let records = Arc::new(records);
        let chunk = self.chunks.add(Chunk::Columns(Arc::clone(&records)));
        if self.settings.log == LogOrder::None {
            self.gathered.push(chunk);
            return Ok(self.nothing());
        }
        let rows = records.len() as u32;
        let mut emitted = Vec::new();
        let mut steps = Vec::new();
        for start in (0..rows).step_by(ROWS_AT_A_TIME) {
            let end = rows.min(start + ROWS_AT_A_TIME as u32);
            self.log.read(chunk, &records, start..end, &mut steps);
            let least = self.log.least_event_to_come();
            emitted.push(self.take_steps(&mut steps, least)?);
        }
        let mut held: Vec<u32> = self.log.held_rows().map(|row| row.at.chunk).collect();
        held.sort_unstable();
        held.dedup();
        self.chunks.retain(|chunk| held.binary_search(&chunk).is_ok());
        self.joined(emitted)
    }

    /// The log has ended, which closes all windows unless it has broker times:
    /// then those stay open that its watermark does not reach.
    pub fn finish(&mut self) -> Result<EmittedWindows, KernelError> {
        let mut emitted = Vec::new();
        let mut steps = Vec::new();
        if self.settings.log == LogOrder::None {
            if let Some(emitted) = self.finish_whole()? {
                return Ok(emitted);
            }
            self.finish_gathered(&mut emitted)?;
        }
        self.log.end(&mut steps);
        // No row comes any more, so nothing need be kept.
        emitted.push(self.take_steps(&mut steps, i64::MAX)?);
        self.chunks.retain(|_| false);
        self.joined(emitted)
    }

    /// All rows at once, where they came at once and none comes late.
    fn finish_whole(&mut self) -> Result<Option<EmittedWindows>, KernelError> {
        let (size_us, hop_us, offset_us) = match self.settings.window {
            EmittingWindow::Tumbling { size_us, offset_us } => (size_us, size_us, offset_us),
            EmittingWindow::Sliding { size_us, hop_us, offset_us } => (size_us, hop_us, offset_us),
            EmittingWindow::Session { .. } => return Ok(None),
        };
        let [chunk] = self.gathered[..] else { return Ok(None) };
        let Chunk::Columns(records) = self.chunks.get(chunk) else { return Ok(None) };
        let whole = WholeLog {
            records,
            kernels: &self.kernels,
            size_us,
            hop_us,
            offset_us: offset_us.rem_euclid(hop_us),
            out_of_orderness_us: self.settings.watermark.out_of_orderness_us,
        };
        let emitted = whole.emit(&mut self.failures)?;
        if emitted.is_some() {
            self.gathered.clear();
            self.chunks.retain(|_| false);
        }
        Ok(emitted)
    }

    /// All rows in the order in which they become visible.
    fn finish_gathered(&mut self, emitted: &mut Vec<EmittedWindows>) -> Result<(), KernelError> {
        let gathered: Vec<(u32, Arc<LogRecords>)> = std::mem::take(&mut self.gathered)
            .into_iter()
            .map(|chunk| match self.chunks.get(chunk) {
                Chunk::Columns(records) => (chunk, Arc::clone(records)),
                Chunk::States(_) => unreachable!("rows are gathered as columns"),
            })
            .collect();
        let has_broker = gathered.iter().any(|(_, records)| records.broker_timestamps.is_some());
        let come = |records: &LogRecords, row: usize| {
            let created = records.order.created_timestamps();
            match &records.broker_timestamps {
                Some(broker) => broker[row],
                None => created.map_or(records.order.event_timestamps()[row], |at| at[row]),
            }
        };
        let mut rows: Vec<(i64, u32, u32)> = Vec::new();
        for (place, (_, records)) in gathered.iter().enumerate() {
            rows.extend((0..records.len()).map(|r| (come(records, r), place as u32, r as u32)));
        }
        let by_key = |a: &(i64, u32, u32), b: &(i64, u32, u32)| {
            a.0.cmp(&b.0).then_with(|| {
                let (ours, theirs) = (&gathered[a.1 as usize].1, &gathered[b.1 as usize].1);
                ours.order.compare_with(a.2 as usize, &theirs.order, b.2 as usize)
            })
        };
        if !rows.is_sorted_by(|a, b| a.0 <= b.0 && by_key(a, b).is_le()) {
            rows.sort_by(by_key);
        }
        let events = |&(_, place, row): &(i64, u32, u32)| {
            gathered[place as usize].1.order.event_timestamps()[row as usize]
        };
        // Of each slice, the least event time that comes behind it.
        let mut least: Vec<i64> = Vec::new();
        let mut so_far = i64::MAX;
        for slice in rows.chunks(ROWS_AT_A_TIME).rev() {
            least.push(so_far);
            so_far = slice.iter().map(events).fold(so_far, i64::min);
        }
        if has_broker {
            (self.log.order, self.log.drops_late) = (LogOrder::Broker, false);
        }
        let mut steps = Vec::new();
        for slice in rows.chunks(ROWS_AT_A_TIME) {
            for same in slice.chunk_by(|a, b| a.1 == b.1) {
                let (chunk, records) = &gathered[same[0].1 as usize];
                let rows = same.iter().map(|(_, _, row)| *row);
                self.log.read_unordered(*chunk, records, rows, &mut steps);
            }
            let least = least.pop().unwrap_or(i64::MAX);
            let hidden = self.log.held_rows().map(|row| row.event);
            let least = hidden.fold(least, i64::min);
            emitted.push(self.take_steps(&mut steps, least)?);
        }
        Ok(())
    }

    fn evict(&mut self, least_event_to_come: i64) {
        match &mut self.windows {
            Windows::Fixed(windows) => windows.evict(least_event_to_come, &mut self.slots),
            Windows::Sessions(windows) => windows.evict(least_event_to_come, &mut self.slots),
        }
    }

    fn nothing(&self) -> EmittedWindows {
        EmittedWindows::empty(self.kernels.iter().map(|kernel| &**kernel))
    }

    fn joined(&self, emitted: Vec<EmittedWindows>) -> Result<EmittedWindows, KernelError> {
        let emitted = emitted.into_iter().filter(|emitted| !emitted.is_empty()).collect();
        Ok(EmittedWindows::concatenated(emitted)?.unwrap_or_else(|| self.nothing()))
    }

    /// Notes what the steps do, then computes it. No row to come has an event
    /// time before `least_event_to_come`, so windows before it are forgotten.
    fn take_steps(
        &mut self,
        steps: &mut Vec<Step>,
        least_event_to_come: i64,
    ) -> Result<EmittedWindows, KernelError> {
        let out_of_orderness = self.settings.watermark.out_of_orderness_us;
        let is_broker = self.log.order == LogOrder::Broker;
        // When a window is emitted that closed before: not before its end was
        // reached, which with broker times is before the row came.
        let closing = |end: i64| match is_broker {
            true => i64::MIN,
            false => end.saturating_add(out_of_orderness),
        };
        let (slots, chunks) = (&mut self.slots, &self.chunks);
        for step in steps.drain(..) {
            match (&mut self.windows, step) {
                (Windows::Fixed(windows), Step::Arrive(row)) => {
                    windows.arrive(&row, closing, slots, chunks);
                }
                (Windows::Sessions(windows), Step::Arrive(row)) => {
                    windows.arrive(&row, closing, slots, chunks);
                }
                (Windows::Fixed(windows), Step::Close { to, visible }) => {
                    let closing = |end| visible.unwrap_or_else(|| closing(end));
                    windows.close(to, closing, slots);
                }
                (Windows::Sessions(windows), Step::Close { to, visible }) => {
                    let closing = |end| visible.unwrap_or_else(|| closing(end));
                    windows.close(to, closing, slots);
                }
            }
        }
        self.evict(least_event_to_come);
        let (notes, kept) = self.slots.end_batch();
        if notes.emissions.is_empty() && kept.is_empty() {
            return Ok(self.nothing());
        }
        self.compute(notes, &kept)
    }

    fn compute(
        &mut self,
        notes: BatchNotes,
        kept: &[(u32, NodeId)],
    ) -> Result<EmittedWindows, KernelError> {
        let BatchNotes { graph, rows, groups, group_count, stored, held, emissions } = notes;
        let group_count = group_count as usize;
        let schedule = graph.scheduled([group_count, stored.len(), held.len()]);
        let mut value_rows = Vec::new();
        let emitted_rows: Vec<Option<u32>> = emissions
            .iter()
            .map(|emission| {
                emission.node.map(|node| {
                    value_rows.push(schedule.row(node));
                    value_rows.len() as u32 - 1
                })
            })
            .collect();
        let has_tombstones = value_rows.len() < emissions.len();
        let kept_slots: Vec<u32> = kept.iter().map(|(slot, _)| *slot).collect();
        let kept_rows: Vec<u32> = kept.iter().map(|(_, node)| schedule.row(*node)).collect();
        let slots = self.slots.slots.len();
        let mut emitted = self.nothing();
        for (index, kernel) in self.kernels.iter().enumerate() {
            let failures = &mut self.failures[index];
            let mut states =
                self.chunks.fold(index, &**kernel, &rows, &groups, group_count, failures)?;
            let stored_states = &mut self.states[index];
            if !stored.is_empty() {
                states.append(stored_states.take(&stored));
            }
            for held in &held {
                states.append(self.chunks.held_state(index, *held));
            }
            let states = schedule.run(states)?;
            if !value_rows.is_empty() {
                let outcome = states.finish_of(&value_rows)?;
                emitted.values[index] =
                    if has_tombstones { scattered(outcome, &emitted_rows)? } else { outcome };
            } else if has_tombstones {
                let nothing = emitted.values[index].clone();
                emitted.values[index] = scattered(nothing, &emitted_rows)?;
            }
            if stored_states.len() < slots {
                let more = slots - stored_states.len();
                let more = self.chunks.fold(index, &**kernel, &[], &[], more, failures)?;
                stored_states.append(more);
            }
            stored_states.assign(&kept_slots, &*states, &kept_rows);
        }
        for emission in emissions {
            let Emission { entity, start, end, visible, revision, node } = emission;
            emitted.entities.push(entity);
            emitted.window_starts.push(start);
            emitted.window_ends.push(end);
            emitted.created_timestamps.push(visible);
            emitted.revisions.push(revision);
            emitted.tombstones.push(node.is_none());
        }
        Ok(emitted)
    }
}

/// `count` states without rows, of each aggregate.
pub(crate) fn empty_states(
    kernels: &[Arc<dyn AggregateKernel>],
    count: usize,
    chunks: &mut Chunks,
) -> Result<Vec<Box<dyn GroupStates>>, KernelError> {
    // Of no rows none fails.
    let none = &mut FoldFailures::default();
    let each = kernels.iter().enumerate();
    each.map(|(index, kernel)| chunks.fold(index, &**kernel, &[] as &[RowRef], &[], count, none))
        .collect()
}
