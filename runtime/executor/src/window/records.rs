use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array, new_empty_array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{interleave, take};

use crate::aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
use crate::fold_failures::FoldFailures;
use crate::row_order::RowOrder;

/// In the place of a row's entity: the record is no row of this view. It may
/// have been dropped, filtered out, or have a null in its join key; it still
/// moves the watermark.
pub const NO_ENTITY: u32 = u32::MAX;

/// Records of a source's log, in the order of their offsets in each partition,
/// as one view sees them.
#[derive(Clone, Debug)]
pub struct LogRecords {
    /// Timestamps and ties.
    pub order: RowOrder,
    /// In microseconds; none where the source has no such time.
    pub broker_timestamps: Option<ScalarBuffer<i64>>,
    /// None where all are of partition 0.
    pub partitions: Option<ScalarBuffer<u32>>,
    /// The entity that each row belongs to, or [`NO_ENTITY`].
    pub entities: ScalarBuffer<u32>,
    /// What each aggregate sees, in the order of the kernels.
    pub aggregates: Vec<AggregateRows>,
}

/// The rows that an aggregate folds.
#[derive(Clone, Debug)]
pub struct AggregateRows {
    /// The columns of the kernel's inputs.
    pub inputs: Vec<ArrayRef>,
    /// The aggregate's `where`: rows where it is not true do not count. None
    /// where all count.
    pub filter: Option<BooleanArray>,
}

impl AggregateRows {
    /// Whether a row counts.
    pub(crate) fn counts(&self, row: usize) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.is_valid(row) && filter.value(row))
    }
}

impl LogRecords {
    /// How many records.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Folds rows into `group_count` states, those alone that the aggregate
    /// counts: row `rows[i]` into the group `groups[i]`. Rows that fail are
    /// added to `failures`.
    pub(crate) fn fold(
        &self,
        aggregate: usize,
        kernel: &dyn AggregateKernel,
        rows: &[u32],
        groups: &[u32],
        group_count: usize,
        failures: &mut FoldFailures,
    ) -> Result<Box<dyn GroupStates>, KernelError> {
        let AggregateRows { inputs, filter } = &self.aggregates[aggregate];
        let (counted, counted_groups): (Vec<u32>, Vec<u32>);
        let (mut rows, mut groups) = (rows, groups);
        if filter.is_some() {
            let all = rows.iter().zip(groups);
            (counted, counted_groups) =
                all.filter(|(row, _)| self.aggregates[aggregate].counts(**row as usize)).unzip();
            (rows, groups) = (&counted, &counted_groups);
        }
        if let Some((offset, length)) = as_range(rows) {
            let inputs: Vec<ArrayRef> =
                inputs.iter().map(|input| input.slice(offset, length)).collect();
            let order = match kernel.needs_order() {
                true => self.order.slice(offset, length),
                false => RowOrder::empty(),
            };
            let mut states = kernel.partial(&inputs, &order, groups, group_count)?;
            failures.add(states.take_row_errors(), |row| offset + row);
            return Ok(states);
        }
        let indices = UInt32Array::from(rows.to_vec());
        let inputs: Vec<ArrayRef> = inputs
            .iter()
            .map(|input| take(input, &indices, None).expect("the rows are there"))
            .collect();
        let order = match kernel.needs_order() {
            true => self.order.take(rows),
            false => RowOrder::empty(),
        };
        let mut states = kernel.partial(&inputs, &order, groups, group_count)?;
        failures.add(states.take_row_errors(), |row| rows[row] as usize);
        Ok(states)
    }

    /// Complains of columns of different lengths, in words for our own logs.
    pub(crate) fn check(&self, kernels: usize) -> Result<(), KernelError> {
        let rows = self.len();
        let lengths_fit = self.entities.len() == rows
            && self.broker_timestamps.as_ref().is_none_or(|broker| broker.len() == rows)
            && self.partitions.as_ref().is_none_or(|partitions| partitions.len() == rows)
            && u32::try_from(rows).is_ok();
        let aggregates_fit = self.aggregates.len() == kernels
            && self.aggregates.iter().all(|aggregate| {
                aggregate.inputs.iter().all(|input| input.len() == rows)
                    && aggregate.filter.as_ref().is_none_or(|filter| filter.len() == rows)
            });
        if lengths_fit && aggregates_fit {
            return Ok(());
        }
        Err(KernelError::WrongInput {
            aggregate: "of a window".to_owned(),
            reason: format!("its columns are not all of the batch's {rows} rows"),
        })
    }
}

/// One row of one of the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowRef {
    pub(crate) chunk: u32,
    pub(crate) row: u32,
}

/// Rows that came in together, of which some are still to be folded.
pub(crate) enum Chunk {
    Columns(Arc<LogRecords>),
    /// Folded already, one state for each row and aggregate: rows that were
    /// held back when the operator was stored.
    States(Vec<Box<dyn GroupStates>>),
}

/// The chunks of which rows are held.
#[derive(Default)]
pub(crate) struct Chunks {
    chunks: Vec<Option<Chunk>>,
}

impl Chunks {
    pub(crate) fn add(&mut self, chunk: Chunk) -> u32 {
        let free = self.chunks.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.chunks.push(None);
            self.chunks.len() - 1
        });
        self.chunks[at] = Some(chunk);
        u32::try_from(at).expect("fewer than 2^32 batches are held")
    }

    pub(crate) fn get(&self, chunk: u32) -> &Chunk {
        self.chunks[chunk as usize].as_ref().expect("a chunk is kept while rows of it are held")
    }

    /// Lets go of all chunks but these.
    pub(crate) fn retain(&mut self, is_held: impl Fn(u32) -> bool) {
        for (at, chunk) in self.chunks.iter_mut().enumerate() {
            if chunk.is_some() && !is_held(at as u32) {
                *chunk = None;
            }
        }
    }

    /// The state of a row that was folded before.
    pub(crate) fn held_state(&self, aggregate: usize, at: RowRef) -> Box<dyn GroupStates> {
        match self.get(at.chunk) {
            Chunk::States(states) => states[aggregate].take(&[at.row]),
            Chunk::Columns(_) => unreachable!("the row has not been folded yet"),
        }
    }

    /// Folds rows of columns into `group_count` states: row i into the group
    /// `groups[i]`, in one call to the kernel. Rows that fail are added to
    /// `failures`.
    pub(crate) fn fold(
        &self,
        aggregate: usize,
        kernel: &dyn AggregateKernel,
        rows: &[RowRef],
        groups: &[u32],
        group_count: usize,
        failures: &mut FoldFailures,
    ) -> Result<Box<dyn GroupStates>, KernelError> {
        let columns = |chunk: u32| match self.get(chunk) {
            Chunk::Columns(records) => records,
            Chunk::States(_) => unreachable!("folded rows have no columns"),
        };
        let chunks = distinct_chunks(rows);
        match chunks[..] {
            [] => {
                let none = kernel.inputs().iter();
                let none = none.map(|input| new_empty_array(&input.data_type.to_arrow()));
                let none: Vec<ArrayRef> = none.collect();
                return kernel.partial(&none, &RowOrder::empty(), &[], group_count);
            }
            [chunk] => {
                let rows: Vec<u32> = rows.iter().map(|row| row.row).collect();
                let records = columns(chunk);
                return records.fold(aggregate, kernel, &rows, groups, group_count, failures);
            }
            _ => {}
        }
        let counts =
            |row: &RowRef| columns(row.chunk).aggregates[aggregate].counts(row.row as usize);
        let all = rows.iter().zip(groups);
        let (rows, groups): (Vec<RowRef>, Vec<u32>) = all.filter(|(row, _)| counts(row)).unzip();
        let place = |chunk: u32| chunks.binary_search(&chunk).expect("one of the chunks");
        let indices: Vec<(usize, usize)> =
            rows.iter().map(|row| (place(row.chunk), row.row as usize)).collect();
        let inputs = (0..kernel.inputs().len()).map(|input| {
            let parts: Vec<&dyn Array> = chunks
                .iter()
                .map(|chunk| &*columns(*chunk).aggregates[aggregate].inputs[input])
                .collect();
            interleave(&parts, &indices).expect("the rows are there, and of one type")
        });
        let inputs: Vec<ArrayRef> = inputs.collect();
        let orders: Vec<&RowOrder> = chunks.iter().map(|chunk| &columns(*chunk).order).collect();
        let order = match kernel.needs_order() {
            true => RowOrder::interleave(&orders, &indices),
            false => RowOrder::empty(),
        };
        let mut states = kernel.partial(&inputs, &order, &groups, group_count)?;
        failures.add(states.take_row_errors(), |row| indices[row].1);
        Ok(states)
    }
}

/// Ascending.
fn distinct_chunks(rows: &[RowRef]) -> Vec<u32> {
    let mut chunks: Vec<u32> = Vec::new();
    for row in rows {
        if chunks.last() != Some(&row.chunk) && !chunks.contains(&row.chunk) {
            chunks.push(row.chunk);
        }
    }
    chunks.sort_unstable();
    chunks
}

/// The offset and length, if rows follow on each other.
fn as_range(rows: &[u32]) -> Option<(usize, usize)> {
    let first = *rows.first()?;
    let is_range = rows.iter().zip(first..).all(|(row, expected)| *row == expected);
    is_range.then_some((first as usize, rows.len()))
}
