//! The open windows of all entities, and what becomes of their states while a
//! batch is worked through: noted first, computed at its end.

use crate::merge_graph::{MergeGraph, NodeId};
use crate::window::log_order::WindowRow;
use crate::window::records::{Chunk, Chunks, RowRef};

/// Where leaves of a batch's graph come from.
pub(crate) const FOLDED: usize = 0;
pub(crate) const STORED: usize = 1;
pub(crate) const HELD: usize = 2;

/// One window of one entity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) entity: u32,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Rows that arrived after it was first emitted; none before that.
    pub(crate) revision: Option<u64>,
    /// What was emitted last is visible from then on.
    pub(crate) emitted_visible: i64,
    /// The greatest time from which one of its rows is visible.
    pub(crate) newest_visible: i64,
    /// Raised when the slot gets another window.
    pub(crate) generation: u32,
    pub(crate) is_used: bool,
    /// Whether the states at this index hold its rows of earlier batches.
    pub(super) is_stored: bool,
    /// Its rows so far, but for the group's.
    pub(super) node: Option<NodeId>,
    /// A group of this batch that its next row may join.
    pub(super) group: Option<u32>,
    pub(super) is_touched: bool,
    /// Whether it got rows in this batch.
    pub(super) is_changed: bool,
}

/// What is to be emitted. `node` is none for a tombstone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emission {
    pub(crate) entity: u32,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) visible: i64,
    pub(crate) revision: u64,
    pub(crate) node: Option<NodeId>,
}

#[derive(Default)]
pub(crate) struct Slots {
    pub(crate) slots: Vec<Slot>,
    free: Vec<u32>,
    /// Given up in this batch: they may be used again in the next one.
    given_up: Vec<u32>,
    touched: Vec<u32>,
    pub(crate) batch: BatchNotes,
}

/// What one batch is to compute.
#[derive(Default)]
pub(crate) struct BatchNotes {
    pub(crate) graph: MergeGraph,
    /// The rows to be folded, and the group that each belongs to.
    pub(crate) rows: Vec<RowRef>,
    pub(crate) groups: Vec<u32>,
    pub(crate) group_count: u32,
    /// The slots whose stored states are needed.
    pub(crate) stored: Vec<u32>,
    /// The held states that are needed.
    pub(crate) held: Vec<RowRef>,
    pub(crate) emissions: Vec<Emission>,
}

impl Slots {
    /// A slot without rows.
    pub(crate) fn open(&mut self, entity: u32, start: i64, end: i64) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 open windows")
        });
        let slot = &mut self.slots[index as usize];
        *slot = Slot {
            entity,
            start,
            end,
            emitted_visible: i64::MIN,
            newest_visible: i64::MIN,
            generation: slot.generation.wrapping_add(1),
            is_used: true,
            ..Slot::default()
        };
        index
    }

    pub(crate) fn get(&self, slot: u32) -> &Slot {
        &self.slots[slot as usize]
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> &mut Slot {
        &mut self.slots[slot as usize]
    }

    /// How many windows are open or may still be revised.
    pub(crate) fn used(&self) -> usize {
        self.slots.len() - self.free.len() - self.given_up.len()
    }

    #[inline]
    fn touch(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if !slot.is_touched {
            slot.is_touched = true;
            self.touched.push(index);
        }
    }

    /// Puts a row into a window.
    #[inline]
    pub(crate) fn add_row(&mut self, index: u32, row: &WindowRow, chunks: &Chunks) {
        self.touch(index);
        let slot = &mut self.slots[index as usize];
        slot.newest_visible = slot.newest_visible.max(row.visible);
        slot.is_changed = true;
        if let Chunk::States(_) = chunks.get(row.at.chunk) {
            let leaf = NodeId::leaf(HELD, self.batch.held.len() as u32);
            self.batch.held.push(row.at);
            self.merge_into(index, leaf);
            return;
        }
        let group = *slot.group.get_or_insert_with(|| {
            self.batch.group_count += 1;
            self.batch.group_count - 1
        });
        self.batch.rows.push(row.at);
        self.batch.groups.push(group);
    }

    /// The state of all rows of a window so far.
    pub(crate) fn node(&mut self, index: u32) -> Option<NodeId> {
        let slot = &mut self.slots[index as usize];
        if slot.node.is_none() && slot.is_stored {
            slot.node = Some(NodeId::leaf(STORED, self.batch.stored.len() as u32));
            self.batch.stored.push(index);
        }
        if let Some(group) = slot.group.take() {
            let leaf = NodeId::leaf(FOLDED, group);
            slot.node = Some(match slot.node {
                Some(node) => self.batch.graph.merge(node, leaf),
                None => leaf,
            });
        }
        slot.node
    }

    fn merge_into(&mut self, index: u32, more: NodeId) {
        let node = match self.node(index) {
            Some(node) => self.batch.graph.merge(node, more),
            None => more,
        };
        let slot = &mut self.slots[index as usize];
        (slot.node, slot.is_changed) = (Some(node), true);
    }

    /// Puts the rows of one window into another, and gives it up.
    pub(crate) fn absorb(&mut self, into: u32, from: u32) {
        self.touch(into);
        self.touch(from);
        if let Some(node) = self.node(from) {
            self.merge_into(into, node);
        }
        let visible = self.get(from).newest_visible;
        let slot = self.get_mut(into);
        slot.newest_visible = slot.newest_visible.max(visible);
        self.give_up(from);
    }

    /// Forgets a window.
    pub(crate) fn give_up(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        (slot.is_used, slot.is_stored) = (false, false);
        self.given_up.push(index);
    }

    /// Emits a window as it is now. What is visible only from a later time on
    /// delays it.
    pub(crate) fn emit(&mut self, index: u32, visible: i64) {
        self.touch(index);
        let node = self.node(index);
        let slot = &mut self.slots[index as usize];
        slot.emitted_visible = visible.max(slot.emitted_visible).max(slot.newest_visible);
        let revision = *slot.revision.get_or_insert(0);
        let &mut Slot { entity, start, end, emitted_visible, .. } = slot;
        self.batch.emissions.push(Emission {
            entity,
            start,
            end,
            visible: emitted_visible,
            revision,
            node,
        });
    }

    /// Says that nothing is at this end any more.
    pub(crate) fn emit_tombstone(&mut self, index: u32, end: i64, visible: i64, revision: u64) {
        let slot = self.get(index);
        let visible = visible.max(slot.emitted_visible);
        let (entity, start) = (slot.entity, slot.start);
        let node = None;
        self.batch.emissions.push(Emission { entity, start, end, visible, revision, node });
    }

    /// The notes of the batch, and the states to be kept of it: slots and the
    /// nodes that they get.
    pub(crate) fn end_batch(&mut self) -> (BatchNotes, Vec<(u32, NodeId)>) {
        let mut kept = Vec::new();
        for index in std::mem::take(&mut self.touched) {
            let Slot { is_used, is_changed, .. } = self.slots[index as usize];
            let node = if is_used && is_changed { self.node(index) } else { None };
            let slot = &mut self.slots[index as usize];
            (slot.node, slot.group) = (None, None);
            (slot.is_touched, slot.is_changed) = (false, false);
            if let Some(node) = node {
                slot.is_stored = true;
                kept.push((index, node));
            }
        }
        // Nothing refers to them any more.
        self.free.append(&mut self.given_up);
        (std::mem::take(&mut self.batch), kept)
    }

    /// Slots as they were stored. All that are not used are free.
    pub(crate) fn restored(mut slots: Vec<Slot>) -> Self {
        let unused = (0..slots.len() as u32).filter(|at| !slots[*at as usize].is_used);
        let free = unused.collect();
        slots.iter_mut().for_each(|slot| slot.is_stored = slot.is_used);
        Self { slots, free, ..Self::default() }
    }
}
