use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;

use crate::aggregate_kernel::KernelError;
use crate::row_order::RowOrder;

/// The rows of a view, sorted by entity and then by order key.
#[derive(Clone, Debug)]
pub struct EventIndex {
    /// Where the rows of each entity begin, and those of the last one end.
    offsets: Vec<u32>,
    /// The row at each place; none where rows came sorted.
    rows: Option<Vec<u32>>,
    /// By place, in microseconds.
    events: ScalarBuffer<i64>,
    /// By place: from when on the row may be seen. None where that is its
    /// event time for all.
    visible: Option<Vec<i64>>,
    /// By entity: whether its rows become visible in their order.
    is_in_order: Vec<bool>,
}

impl EventIndex {
    /// Sorts rows. Entities are numbered below `entity_count`.
    ///
    /// # Panics
    ///
    /// When an entity is not, or there is not one for each row.
    pub fn new(entities: &[u32], order: &RowOrder, entity_count: usize) -> Self {
        assert_eq!(entities.len(), order.len(), "one entity for each row");
        let mut offsets = vec![0_u32; entity_count + 1];
        for entity in entities {
            offsets[*entity as usize + 1] += 1;
        }
        for at in 0..entity_count {
            offsets[at + 1] += offsets[at];
        }
        let is_before = |a: u32, b: u32| order.compare(a as usize, b as usize).is_le();
        let row_count = u32::try_from(entities.len()).expect("fewer than 2^32 rows in memory");
        let times = &**order.event_timestamps();
        let is_sorted = (1..row_count).all(|row| {
            let at = row as usize;
            let (before, entity) = (entities[at - 1], entities[at]);
            before < entity
                || (before == entity && (times[at - 1] < times[at] || is_before(row - 1, row)))
        });
        let rows = (!is_sorted).then(|| {
            let mut next = offsets.clone();
            let mut rows = vec![0_u32; entities.len()];
            for row in 0..row_count {
                let place = &mut next[entities[row as usize] as usize];
                rows[*place as usize] = row;
                *place += 1;
            }
            for bounds in offsets.windows(2) {
                let of_entity = &mut rows[bounds[0] as usize..bounds[1] as usize];
                if !of_entity.is_sorted_by(|a, b| is_before(*a, *b)) {
                    of_entity.sort_by(|a, b| order.compare(*a as usize, *b as usize));
                }
            }
            rows
        });
        let sorted = |values: &[i64]| match &rows {
            Some(rows) => rows.iter().map(|row| values[*row as usize]).collect(),
            None => values.to_vec(),
        };
        let events = match &rows {
            Some(_) => sorted(order.event_timestamps()).into(),
            None => order.event_timestamps().clone(),
        };
        let visible = order.created_timestamps().map(|created| sorted(created));
        Self::with_times(offsets, rows, events, visible)
    }

    fn with_times(
        offsets: Vec<u32>,
        rows: Option<Vec<u32>>,
        events: ScalarBuffer<i64>,
        visible: Option<Vec<i64>>,
    ) -> Self {
        let mut is_in_order = vec![true; offsets.len() - 1];
        let mut visible = visible;
        let mut is_ever_later = false;
        if let Some(visible) = &mut visible {
            for (visible, event) in visible.iter_mut().zip(&*events) {
                is_ever_later |= *visible > *event;
                *visible = (*visible).max(*event);
            }
            for (bounds, is_in_order) in offsets.windows(2).zip(&mut is_in_order) {
                *is_in_order = visible[bounds[0] as usize..bounds[1] as usize].is_sorted();
            }
        }
        Self { offsets, rows, events, visible: visible.filter(|_| is_ever_later), is_in_order }
    }

    /// How many entities.
    pub fn entity_count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The places of an entity's rows.
    pub(crate) fn places(&self, entity: u32) -> std::ops::Range<usize> {
        let at = entity as usize;
        self.offsets[at] as usize..self.offsets[at + 1] as usize
    }

    /// Whether an entity's rows become visible in their order.
    pub(crate) fn is_in_order(&self, entity: u32) -> bool {
        self.is_in_order[entity as usize]
    }

    /// By place.
    pub(crate) fn events(&self) -> &[i64] {
        &self.events
    }

    /// By place; from the row's event time on at the earliest.
    pub(crate) fn visible(&self) -> &[i64] {
        self.visible.as_deref().unwrap_or(&self.events)
    }

    /// The row at a place.
    pub(crate) fn row(&self, place: usize) -> u32 {
        self.rows.as_ref().map_or(place as u32, |rows| rows[place])
    }

    /// A column of the rows, by place.
    pub(crate) fn sorted(&self, column: &ArrayRef) -> Result<ArrayRef, KernelError> {
        let Some(rows) = &self.rows else { return Ok(column.clone()) };
        let rows = UInt32Array::from(rows.clone());
        take(column, &rows, None).map_err(|error| KernelError::WrongInput {
            aggregate: "of a trailing window".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Only the rows for which `filter`, by row, is true.
    pub(crate) fn filtered(&self, filter: &BooleanArray) -> Self {
        let is_kept = |row: u32| filter.is_valid(row as usize) && filter.value(row as usize);
        let places: Vec<u32> = (0..self.events.len())
            .filter(|at| is_kept(self.row(*at)))
            .map(|at| at as u32)
            .collect();
        let offsets = self
            .offsets
            .iter()
            .map(|offset| places.partition_point(|place| place < offset) as u32)
            .collect();
        let rows = places.iter().map(|place| self.row(*place as usize)).collect();
        let events: Vec<i64> = places.iter().map(|at| self.events[*at as usize]).collect();
        let visible = self.visible.as_ref();
        let visible = visible.map(|at| places.iter().map(|place| at[*place as usize]).collect());
        Self::with_times(offsets, Some(rows), events.into(), visible)
    }
}
