//! Tumbling and sliding windows: their bounds follow from a row's time alone.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use crate::window::floor_to;
use crate::window::log_order::WindowRow;
use crate::window::records::Chunks;
use crate::window::slots::Slots;

/// Hashes dense ids, which nobody outside chooses, by one multiplication.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("only ids are hashed");
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

pub(crate) type IdMap<T> = HashMap<u32, T, BuildHasherDefault<IdHasher>>;

/// The windows of all entities with one end.
#[derive(Default)]
pub(crate) struct Pane {
    pub(crate) start: i64,
    pub(crate) slots: IdMap<u32>,
}

pub(crate) struct FixedWindows {
    pub(crate) size: i64,
    pub(crate) hop: i64,
    pub(crate) offset: i64,
    /// By their end.
    pub(crate) panes: BTreeMap<i64, Pane>,
    pub(crate) closed_to: i64,
}

impl FixedWindows {
    pub(crate) fn new(size: i64, hop: i64, offset: i64) -> Self {
        let offset = offset.rem_euclid(hop);
        Self { size, hop, offset, panes: BTreeMap::new(), closed_to: i64::MIN }
    }

    /// Whether the window that ends then has closed before.
    fn is_closed(&self, end: i64) -> bool {
        end <= self.closed_to
    }

    /// `closing` is from when on what a window emits is visible, given its end.
    pub(crate) fn arrive(
        &mut self,
        row: &WindowRow,
        closing: impl Fn(i64) -> i64,
        slots: &mut Slots,
        chunks: &Chunks,
    ) {
        let mut start = floor_to(row.event, self.hop, self.offset);
        // Windows that hold the row: start <= event < start + size.
        while i128::from(row.event) - i128::from(start) < self.size.into() {
            let end = start.saturating_add(self.size);
            let pane = self.panes.entry(end).or_insert_with(|| Pane { start, ..Pane::default() });
            let slot =
                *pane.slots.entry(row.entity).or_insert_with(|| slots.open(row.entity, start, end));
            if self.is_closed(end) {
                if let Some(revision) = &mut slots.get_mut(slot).revision {
                    *revision += 1;
                }
                slots.add_row(slot, row, chunks);
                slots.emit(slot, row.visible.max(closing(end)));
            } else {
                slots.add_row(slot, row, chunks);
            }
            match start.checked_sub(self.hop) {
                Some(before) => start = before,
                None => break,
            }
        }
    }

    pub(crate) fn close(&mut self, to: i64, closing: impl Fn(i64) -> i64, slots: &mut Slots) {
        if to <= self.closed_to {
            return;
        }
        let first = self.closed_to.saturating_add(1);
        // At the very first the least end counts, too.
        let first = if self.closed_to == i64::MIN { i64::MIN } else { first };
        let mut emitted = Vec::new();
        for (end, pane) in self.panes.range(first..=to) {
            emitted.clear();
            emitted.extend(pane.slots.iter().map(|(entity, slot)| (*entity, *slot)));
            emitted.sort_unstable();
            for (_, slot) in &emitted {
                slots.emit(*slot, closing(*end));
            }
        }
        self.closed_to = to;
    }

    /// Forgets windows that no row can reach any more.
    pub(crate) fn evict(&mut self, least_event_to_come: i64, slots: &mut Slots) {
        let to = least_event_to_come.min(self.closed_to);
        while let Some(pane) = self.panes.first_entry()
            && *pane.key() <= to
        {
            pane.remove().slots.into_values().for_each(|slot| slots.give_up(slot));
        }
    }

    /// Finds the windows of these slots again.
    pub(crate) fn restore(&mut self, slots: &Slots) {
        for (index, slot) in slots.slots.iter().enumerate().filter(|(_, slot)| slot.is_used) {
            let pane = self.panes.entry(slot.end).or_default();
            pane.start = slot.start;
            pane.slots.insert(slot.entity, index as u32);
        }
    }
}
