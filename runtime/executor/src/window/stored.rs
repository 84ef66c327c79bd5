//! The state of a window operator as bytes, from which another one goes on as
//! if nothing had been.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow::array::BinaryArray;

use crate::aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
use crate::fold_failures::FoldFailures;
use crate::state_bytes::{Reader, StateBytesError, Writer};
use crate::watermark::Watermarks;
use crate::window::EmittingWindow;
use crate::window::log_order::{HiddenRow, LogOrder, PartitionLog, WaitingRecord, WindowRow};
use crate::window::operator::{WindowOperator, WindowSettings, Windows};
use crate::window::records::{Chunk, RowRef};
use crate::window::session::Session;
use crate::window::slots::{Slot, Slots};

impl WindowOperator {
    /// What the operator knows, between two batches: it is the same wherever
    /// earlier batches were cut. A log without any order is read at once, so
    /// its operator cannot be stored.
    pub fn encode(&self) -> Result<Vec<u8>, KernelError> {
        if self.settings.log == LogOrder::None {
            return Err(StateBytesError::new("files without offsets are read at once").into());
        }
        let mut to = Writer::new();
        write_settings(&self.settings, &mut to);
        let log = &self.log;
        log.watermarks.write(&mut to);
        log.read.write(&mut to);
        to.u64(log.sequence);
        to.i64(log.closed_to);
        let mut held = Vec::new();
        to.length(log.partitions.len());
        for (partition, PartitionLog { clock, waiting }) in &log.partitions {
            to.u32(*partition);
            to.optional_i64(*clock);
            to.length(waiting.len());
            for WaitingRecord { clock, event, broker, row } in waiting {
                to.i64(*clock);
                to.i64(*event);
                to.optional_i64(*broker);
                to.u8(row.is_some().into());
                if let Some(row) = row {
                    write_row(row, &mut held, &mut to);
                }
            }
        }
        let mut hidden: Vec<&HiddenRow> = log.hidden.iter().map(|Reverse(row)| row).collect();
        hidden.sort_unstable();
        to.length(hidden.len());
        for HiddenRow { sequence, row } in hidden {
            to.u64(*sequence);
            write_row(row, &mut held, &mut to);
        }
        let mut used: Vec<u32> = (0..self.slots.slots.len() as u32)
            .filter(|slot| self.slots.get(*slot).is_used)
            .collect();
        // Slots are taken as they come free; what is stored does not tell.
        used.sort_unstable_by_key(|slot| {
            let slot = self.slots.get(*slot);
            (slot.end, slot.entity, slot.start)
        });
        to.length(used.len());
        for slot in &used {
            let slot = self.slots.get(*slot);
            to.u32(slot.entity);
            to.i64(slot.start);
            to.i64(slot.end);
            to.u8(slot.revision.is_some().into());
            to.u64(slot.revision.unwrap_or(0));
            to.i64(slot.emitted_visible);
            to.i64(slot.newest_visible);
        }
        match &self.windows {
            Windows::Fixed(windows) => to.i64(windows.closed_to),
            Windows::Sessions(windows) => {
                to.i64(windows.closed_to);
                to.u64(windows.arrived);
                for slot in &used {
                    let session = &windows.sessions[*slot as usize];
                    let Session { is_closed, first_emitted, arrivals } = session;
                    to.u8((*is_closed).into());
                    to.u8(first_emitted.is_some().into());
                    to.u64(first_emitted.unwrap_or(0));
                    to.length(arrivals.len());
                    arrivals.iter().for_each(|arrival| to.u64(*arrival));
                }
            }
        }
        for (index, states) in self.states.iter().enumerate() {
            to.states(&states.take(&used).encode());
            to.states(&self.folded(index, &held)?);
        }
        Ok(to.finish())
    }

    /// The state of each of these rows alone.
    fn folded(&self, index: usize, rows: &[RowRef]) -> Result<BinaryArray, KernelError> {
        let is_column = |row: &&RowRef| matches!(self.chunks.get(row.chunk), Chunk::Columns(_));
        let columns: Vec<RowRef> = rows.iter().filter(is_column).copied().collect();
        let groups: Vec<u32> = (0..columns.len() as u32).collect();
        let kernel = &*self.kernels[index];
        // They are folded again when they arrive, and fail then.
        let untold = &mut FoldFailures::default();
        let folded = self.chunks.fold(index, kernel, &columns, &groups, columns.len(), untold)?;
        let folded = folded.encode();
        let mut folded = folded.iter();
        let mut states = arrow::array::BinaryBuilder::new();
        for row in rows {
            if is_column(&row) {
                states.append_option(folded.next().flatten());
            } else {
                let state = self.chunks.held_state(index, *row).encode();
                states.append_option(state.iter().next().flatten());
            }
        }
        Ok(states.finish())
    }

    /// Goes on from what [`encode`](Self::encode) gave, under the same
    /// settings and with the same kernels.
    pub fn decode(
        settings: WindowSettings,
        kernels: Vec<Arc<dyn AggregateKernel>>,
        bytes: &[u8],
    ) -> Result<Self, KernelError> {
        let mut from = Reader::new(bytes)?;
        if read_settings(&mut from)? != settings {
            let reason = "it belongs to a window of other settings";
            return Err(StateBytesError::new(reason).into());
        }
        let from = &mut from;
        let mut operator = Self::new(settings, &[], kernels)?;
        let log = &mut operator.log;
        log.watermarks = Watermarks::read(settings.watermark, from)?;
        log.read = Watermarks::read(settings.watermark, from)?;
        log.sequence = from.u64()?;
        log.closed_to = from.i64()?;
        let mut held = 0;
        for _ in 0..from.length()? {
            let partition = from.u32()?;
            let mut read = PartitionLog { clock: from.optional_i64()?, ..PartitionLog::default() };
            for _ in 0..from.length()? {
                read.waiting.push_back(WaitingRecord {
                    clock: from.i64()?,
                    event: from.i64()?,
                    broker: from.optional_i64()?,
                    row: if from.bool()? { Some(read_row(&mut held, from)?) } else { None },
                });
            }
            log.partitions.insert(partition, read);
        }
        for _ in 0..from.length()? {
            let sequence = from.u64()?;
            let row = read_row(&mut held, from)?;
            log.hidden.push(Reverse(HiddenRow { sequence, row }));
        }
        let mut slots = Vec::new();
        for _ in 0..from.length()? {
            let (entity, start, end) = (from.u32()?, from.i64()?, from.i64()?);
            let (has_revision, revision) = (from.bool()?, from.u64()?);
            slots.push(Slot {
                entity,
                start,
                end,
                revision: has_revision.then_some(revision),
                emitted_visible: from.i64()?,
                newest_visible: from.i64()?,
                is_used: true,
                ..Slot::default()
            });
        }
        let count = slots.len();
        operator.slots = Slots::restored(slots);
        match &mut operator.windows {
            Windows::Fixed(windows) => {
                windows.closed_to = from.i64()?;
                windows.restore(&operator.slots);
            }
            Windows::Sessions(windows) => {
                windows.closed_to = from.i64()?;
                windows.arrived = from.u64()?;
                for _ in 0..count {
                    let (is_closed, is_emitted) = (from.bool()?, from.bool()?);
                    let first_emitted = from.u64()?;
                    let length = from.length()?;
                    let arrivals = (0..length).map(|_| from.u64());
                    windows.sessions.push(Session {
                        is_closed,
                        first_emitted: is_emitted.then_some(first_emitted),
                        arrivals: arrivals.collect::<Result<_, _>>()?,
                    });
                }
                windows.restore(&operator.slots);
            }
        }
        let mut held_states = Vec::new();
        for (kernel, states) in operator.kernels.iter().zip(&mut operator.states) {
            *states = read_states(&**kernel, count, from)?;
            held_states.push(read_states(&**kernel, held as usize, from)?);
        }
        from.finish()?;
        let chunk = operator.chunks.add(Chunk::States(held_states));
        operator.log.for_each_held_row(|row| row.at.chunk = chunk);
        Ok(operator)
    }
}

fn read_states(
    kernel: &dyn AggregateKernel,
    count: usize,
    from: &mut Reader<'_>,
) -> Result<Box<dyn GroupStates>, KernelError> {
    let states = kernel.decode(&from.states()?)?;
    if states.len() == count {
        return Ok(states);
    }
    Err(StateBytesError::new("it has too many or too few states").into())
}

fn write_row(row: &WindowRow, held: &mut Vec<RowRef>, to: &mut Writer) {
    let WindowRow { at, entity, event, visible } = row;
    held.push(*at);
    to.u32(*entity);
    to.i64(*event);
    to.i64(*visible);
}

fn read_row(held: &mut u32, from: &mut Reader<'_>) -> Result<WindowRow, StateBytesError> {
    let at = RowRef { chunk: 0, row: *held };
    *held += 1;
    Ok(WindowRow { at, entity: from.u32()?, event: from.i64()?, visible: from.i64()? })
}

fn write_settings(settings: &WindowSettings, to: &mut Writer) {
    let WindowSettings { window, watermark, log } = settings;
    let (kind, numbers) = match *window {
        EmittingWindow::Tumbling { size_us, offset_us } => (0, [size_us, 0, offset_us]),
        EmittingWindow::Sliding { size_us, hop_us, offset_us } => (1, [size_us, hop_us, offset_us]),
        EmittingWindow::Session { gap_us } => (2, [gap_us, 0, 0]),
    };
    to.u8(kind);
    numbers.into_iter().for_each(|number| to.i64(number));
    to.i64(watermark.out_of_orderness_us);
    to.i64(watermark.max_future_skew_us);
    to.i64(watermark.allowed_lateness_us);
    to.u8(match log {
        LogOrder::Broker => 0,
        LogOrder::Offsets => 1,
        LogOrder::None => 2,
    });
}

fn read_settings(from: &mut Reader<'_>) -> Result<WindowSettings, StateBytesError> {
    let kind = from.u8()?;
    let [a, b, c] = [from.i64()?, from.i64()?, from.i64()?];
    Ok(WindowSettings {
        window: match kind {
            0 => EmittingWindow::Tumbling { size_us: a, offset_us: c },
            1 => EmittingWindow::Sliding { size_us: a, hop_us: b, offset_us: c },
            2 => EmittingWindow::Session { gap_us: a },
            _ => return Err(StateBytesError::new("it belongs to a window of an unknown shape")),
        },
        watermark: crate::watermark::WatermarkSettings {
            out_of_orderness_us: from.i64()?,
            max_future_skew_us: from.i64()?,
            allowed_lateness_us: from.i64()?,
        },
        log: match from.u8()? {
            0 => LogOrder::Broker,
            1 => LogOrder::Offsets,
            _ => return Err(StateBytesError::new("its log is of an unknown kind")),
        },
    })
}
