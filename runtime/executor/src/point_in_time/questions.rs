use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array, new_empty_array};
use arrow::compute::{concat, take};
use unskew_host::{CallMetrics, Outcome, RowError};

use crate::aggregate_kernel::KernelError;
use crate::window::NO_ENTITY;

/// Answers to the questions at these places of the sorted order.
pub(crate) type Part = (Outcome, Arc<Vec<u32>>);

/// Pairs of an entity and a time at which its features are wanted.
#[derive(Clone, Debug)]
pub struct Questions {
    /// The questions in the order of entity and time, as they were given.
    sorted: Vec<u32>,
    /// In the sorted order.
    entities: Vec<u32>,
    times: Vec<i64>,
    /// Whether they were given in this order.
    is_sorted: bool,
}

impl Questions {
    /// Question i asks for `entities[i]`, [`NO_ENTITY`] where nothing is known
    /// of it, at `times[i]` in microseconds.
    ///
    /// # Panics
    ///
    /// When there is not one time for each entity.
    pub fn new(entities: &[u32], times: &[i64]) -> Self {
        assert_eq!(entities.len(), times.len(), "one time for each question");
        let count = u32::try_from(entities.len()).expect("fewer than 2^32 questions at once");
        let mut sorted: Vec<u32> = (0..count).collect();
        let key = |question: &u32| (entities[*question as usize], times[*question as usize]);
        let is_sorted = sorted.is_sorted_by_key(key);
        if !is_sorted {
            sorted.sort_by_key(key);
        }
        Self {
            is_sorted,
            entities: sorted.iter().map(|question| entities[*question as usize]).collect(),
            times: sorted.iter().map(|question| times[*question as usize]).collect(),
            sorted,
        }
    }

    /// How many questions.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// In the order of entity and time.
    pub(crate) fn times(&self) -> &[i64] {
        &self.times
    }

    /// In the order of entity and time.
    pub(crate) fn entities(&self) -> &[u32] {
        &self.entities
    }

    /// The entities that are asked for, each with its questions in the sorted
    /// order; of those alone that are numbered below `entity_count`.
    pub(crate) fn by_entity(
        &self,
        entity_count: usize,
    ) -> impl Iterator<Item = (u32, std::ops::Range<usize>)> {
        let mut start = 0;
        let runs = self.entities.chunk_by(|a, b| a == b).map(move |run| {
            start += run.len();
            (run[0], start - run.len()..start)
        });
        runs.filter(move |(entity, _)| *entity != NO_ENTITY && (*entity as usize) < entity_count)
    }

    /// Answers in the sorted order, put into that of the questions.
    pub(crate) fn unsorted<T: Clone>(&self, answers: Vec<T>) -> Vec<T> {
        let mut unsorted = answers.clone();
        for (answer, question) in answers.into_iter().zip(&self.sorted) {
            unsorted[*question as usize] = answer;
        }
        unsorted
    }

    /// Outcomes that each answer some of the questions, put together in the
    /// order of the questions: row i of an outcome answers the question at
    /// place `places[i]` of the sorted order. All questions are answered.
    pub(crate) fn outcome(
        &self,
        parts: Vec<Part>,
        empty: &arrow::datatypes::DataType,
    ) -> Result<Outcome, KernelError> {
        if self.is_sorted
            && let [(outcome, places)] = &parts[..]
            && places.len() == self.len()
            && places.is_sorted()
        {
            // Each question has one answer, so here are all in their order.
            return Ok(outcome.clone());
        }
        let mut rows = vec![0_u32; self.len()];
        let (mut columns, mut errors): (Vec<ArrayRef>, Vec<RowError>) = (Vec::new(), Vec::new());
        let mut metrics = CallMetrics::default();
        let mut count = 0_u32;
        for (outcome, places) in parts {
            for error in outcome.errors {
                let question = self.sorted[places[error.row] as usize];
                errors.push(RowError { row: question as usize, ..error });
            }
            for (row, place) in places.iter().enumerate() {
                rows[self.sorted[*place as usize] as usize] = count + row as u32;
            }
            count += places.len() as u32;
            columns.extend(outcome.columns);
            metrics += outcome.metrics;
        }
        errors.sort_by_key(|error| error.row);
        let internal = |error: arrow::error::ArrowError| KernelError::WrongInput {
            aggregate: "of a trailing window".to_owned(),
            reason: error.to_string(),
        };
        let column = match &columns[..] {
            [] => new_empty_array(empty),
            [one] => one.clone(),
            several => {
                let several: Vec<&dyn Array> = several.iter().map(|column| &**column).collect();
                concat(&several).map_err(internal)?
            }
        };
        let is_sorted = rows.iter().zip(0..).all(|(row, at)| *row == at);
        let column = match is_sorted {
            true => column,
            false => take(&column, &UInt32Array::from(rows), None).map_err(internal)?,
        };
        Ok(Outcome { columns: vec![column], errors, metrics })
    }
}
