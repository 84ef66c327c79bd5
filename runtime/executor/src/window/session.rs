//! Sessions: their bounds follow from all rows of an entity.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::window::fixed::IdMap;
use crate::window::log_order::WindowRow;
use crate::window::records::Chunks;
use crate::window::slots::Slots;

/// What is known of a session beside its slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// Whether what was emitted of it still stands.
    pub(crate) is_closed: bool,
    /// How many rows had arrived when it was first emitted; none before that.
    pub(crate) first_emitted: Option<u64>,
    /// The numbers of its rows by arrival, as far as they came while another
    /// session of the entity was emitted already: if the two become one, the
    /// later rows count for its revision.
    pub(crate) arrivals: Vec<u64>,
}

/// Slots in the order of an end, which may have moved on since.
type Ends = BinaryHeap<Reverse<(i64, u32, u32, u32)>>;

pub(crate) struct SessionWindows {
    pub(crate) gap: i64,
    /// The slots of each entity, ascending by their start.
    pub(crate) entities: IdMap<Vec<u32>>,
    /// By slot.
    pub(crate) sessions: Vec<Session>,
    /// To be closed: (end, entity, slot, generation).
    open: Ends,
    /// To be evicted, likewise.
    closed: Ends,
    pub(crate) closed_to: i64,
    /// How many rows have arrived.
    pub(crate) arrived: u64,
}

impl SessionWindows {
    pub(crate) fn new(gap: i64) -> Self {
        Self {
            gap,
            entities: IdMap::default(),
            sessions: Vec::new(),
            open: Ends::new(),
            closed: Ends::new(),
            closed_to: i64::MIN,
            arrived: 0,
        }
    }

    /// `closing` is from when on what a window emits is visible, given its end.
    pub(crate) fn arrive(
        &mut self,
        row: &WindowRow,
        closing: impl Fn(i64) -> i64,
        slots: &mut Slots,
        chunks: &Chunks,
    ) {
        let number = self.arrived;
        self.arrived += 1;
        let row_end = row.event.saturating_add(self.gap);
        let of_entity = self.entities.entry(row.entity).or_default();
        let keeps_numbers =
            of_entity.iter().any(|slot| self.sessions[*slot as usize].first_emitted.is_some());
        // Sessions are apart from each other, so those that the row belongs to
        // are neighbours, and two at most.
        let first = of_entity.partition_point(|slot| slots.get(*slot).end <= row.event);
        let parts = of_entity[first..].iter().take_while(|slot| slots.get(**slot).start < row_end);
        let parts: Vec<u32> = parts.copied().collect();
        let Some((&slot, others)) = parts.split_first() else {
            let slot = slots.open(row.entity, row.event, row_end);
            of_entity.insert(first, slot);
            if self.sessions.len() <= slot as usize {
                self.sessions.resize_with(slot as usize + 1, Session::default);
            }
            let arrivals = if keeps_numbers { vec![number] } else { Vec::new() };
            self.sessions[slot as usize] = Session { arrivals, ..Session::default() };
            slots.add_row(slot, row, chunks);
            self.settle(slot, true, row.visible.max(closing(row_end)), slots);
            return;
        };
        of_entity.drain(first + 1..first + parts.len());
        // An open session is in the queue, though perhaps at a lesser end.
        let is_queued = !self.sessions[slot as usize].is_closed;
        let ends = parts.iter().map(|part| slots.get(*part).end);
        let end = ends.fold(row_end, i64::max);
        for part in &parts {
            let (part_end, revision) = (slots.get(*part).end, slots.get(*part).revision);
            if self.sessions[*part as usize].is_closed && part_end != end {
                slots.emit_tombstone(*part, part_end, row.visible, revision.unwrap_or(0) + 1);
                self.sessions[*part as usize].is_closed = false;
            }
        }
        // Only then may bounds change: tombstones carry the old ones.
        for other in others {
            self.join(slot, *other, slots);
        }
        let joined = slots.get_mut(slot);
        joined.start = joined.start.min(row.event);
        joined.end = end;
        let session = &mut self.sessions[slot as usize];
        if keeps_numbers {
            session.arrivals.push(number);
        }
        if session.first_emitted.is_some() {
            *joined.revision.get_or_insert(0) += 1;
        }
        slots.add_row(slot, row, chunks);
        self.settle(slot, !is_queued, row.visible.max(closing(end)), slots);
    }

    /// Makes two sessions of an entity one.
    fn join(&mut self, into: u32, from: u32, slots: &mut Slots) {
        let other = std::mem::take(&mut self.sessions[from as usize]);
        let session = &mut self.sessions[into as usize];
        let revision = |slot: u32| slots.get(slot).revision.unwrap_or(0);
        let since = |emitted: u64, numbers: &[u64]| {
            (numbers.len() - numbers.partition_point(|number| *number < emitted)) as u64
        };
        let joined = match (session.first_emitted, other.first_emitted) {
            (None, None) => None,
            (Some(ours), theirs) if theirs.is_none_or(|theirs| ours <= theirs) => {
                Some((ours, revision(into) + since(ours, &other.arrivals)))
            }
            (ours, Some(theirs)) if ours.is_none_or(|ours| theirs < ours) => {
                Some((theirs, revision(from) + since(theirs, &session.arrivals)))
            }
            _ => unreachable!("one of two numbers is not above the other"),
        };
        session.first_emitted = joined.map(|(first, _)| first);
        session.arrivals.extend(other.arrivals);
        session.arrivals.sort_unstable();
        let visible = slots.get(from).emitted_visible;
        slots.absorb(into, from);
        let slot = slots.get_mut(into);
        slot.revision = joined.map(|(_, revision)| revision);
        slot.emitted_visible = slot.emitted_visible.max(visible);
    }

    /// Emits a session that is closed, or sees to it that it is closed later.
    fn settle(&mut self, slot: u32, is_to_queue: bool, visible: i64, slots: &mut Slots) {
        let (end, entity) = (slots.get(slot).end, slots.get(slot).entity);
        let generation = slots.get(slot).generation;
        if end <= self.closed_to {
            self.emit(slot, visible, slots);
        } else {
            self.sessions[slot as usize].is_closed = false;
            if is_to_queue {
                self.open.push(Reverse((end, entity, slot, generation)));
            }
        }
    }

    fn emit(&mut self, slot: u32, visible: i64, slots: &mut Slots) {
        let session = &mut self.sessions[slot as usize];
        session.is_closed = true;
        session.first_emitted.get_or_insert(self.arrived);
        slots.emit(slot, visible);
        let at = slots.get(slot);
        self.closed.push(Reverse((at.end, at.entity, slot, at.generation)));
    }

    pub(crate) fn close(&mut self, to: i64, closing: impl Fn(i64) -> i64, slots: &mut Slots) {
        self.closed_to = self.closed_to.max(to);
        while let Some(&Reverse((end, entity, slot, generation))) = self.open.peek()
            && end <= to
        {
            self.open.pop();
            let at = slots.get(slot);
            let is_open = at.is_used
                && at.generation == generation
                && !self.sessions[slot as usize].is_closed;
            if !is_open {
                continue;
            }
            if at.end > end {
                self.open.push(Reverse((at.end, entity, slot, generation)));
            } else {
                self.emit(slot, closing(end), slots);
            }
        }
    }

    /// Forgets sessions that no row can reach any more.
    pub(crate) fn evict(&mut self, least_event_to_come: i64, slots: &mut Slots) {
        while let Some(&Reverse((end, entity, slot, generation))) = self.closed.peek()
            && end <= least_event_to_come
        {
            self.closed.pop();
            let at = slots.get(slot);
            let is_closed = at.is_used
                && at.generation == generation
                && at.end == end
                && self.sessions[slot as usize].is_closed;
            if !is_closed {
                continue;
            }
            slots.give_up(slot);
            self.sessions[slot as usize] = Session::default();
            if let Some(of_entity) = self.entities.get_mut(&entity) {
                of_entity.retain(|other| *other != slot);
                if of_entity.is_empty() {
                    self.entities.remove(&entity);
                }
            }
        }
    }

    /// Finds the sessions of these slots again.
    pub(crate) fn restore(&mut self, slots: &Slots) {
        for (index, at) in slots.slots.iter().enumerate().filter(|(_, slot)| slot.is_used) {
            let slot = index as u32;
            self.entities.entry(at.entity).or_default().push(slot);
            let is_closed = self.sessions[index].is_closed;
            let queue = if is_closed { &mut self.closed } else { &mut self.open };
            queue.push(Reverse((at.end, at.entity, slot, at.generation)));
        }
        for of_entity in self.entities.values_mut() {
            of_entity.sort_unstable_by_key(|slot| slots.get(*slot).start);
        }
    }
}
