use arrow::array::{Array, ArrayRef, UInt32Array, new_empty_array};
use arrow::compute::{concat, take};
use unskew_host::{Outcome, RowError};

use crate::aggregate_kernel::{AggregateKernel, KernelError};

/// What windows emitted, row by row, in the order in which they did.
#[derive(Clone, Debug)]
pub struct EmittedWindows {
    /// Whose window it is.
    pub entities: Vec<u32>,
    /// In microseconds; included.
    pub window_starts: Vec<i64>,
    /// In microseconds; excluded. It is the row's event_timestamp, and with
    /// the entity what an upsert replaces.
    pub window_ends: Vec<i64>,
    /// From when on the row may be seen, in microseconds.
    pub created_timestamps: Vec<i64>,
    /// The number of rows that reached the window after it was first emitted.
    pub revisions: Vec<u64>,
    /// Whether it only says that nothing is at this end any more.
    pub tombstones: Vec<bool>,
    /// For each aggregate its column, null in tombstones and failed rows; the
    /// latter are listed.
    pub values: Vec<Outcome>,
}

impl EmittedWindows {
    /// Nothing, of aggregates with these outputs.
    pub fn empty<'a>(kernels: impl IntoIterator<Item = &'a dyn AggregateKernel>) -> Self {
        let values = kernels.into_iter().map(|kernel| Outcome {
            columns: vec![new_empty_array(&kernel.output().data_type.to_arrow())],
            errors: Vec::new(),
            metrics: Default::default(),
        });
        Self {
            entities: Vec::new(),
            window_starts: Vec::new(),
            window_ends: Vec::new(),
            created_timestamps: Vec::new(),
            revisions: Vec::new(),
            tombstones: Vec::new(),
            values: values.collect(),
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// All rows of these, one after the other; none of none.
    pub fn concatenated(parts: Vec<Self>) -> Result<Option<Self>, KernelError> {
        let mut parts = parts.into_iter();
        let Some(mut all) = parts.next() else { return Ok(None) };
        let mut columns: Vec<Vec<ArrayRef>> =
            all.values.iter().map(|value| value.columns.clone()).collect();
        for part in parts {
            let rows = all.len();
            let Self {
                entities,
                window_starts,
                window_ends,
                created_timestamps,
                revisions,
                tombstones,
                values,
            } = part;
            all.entities.extend(entities);
            all.window_starts.extend(window_starts);
            all.window_ends.extend(window_ends);
            all.created_timestamps.extend(created_timestamps);
            all.revisions.extend(revisions);
            all.tombstones.extend(tombstones);
            for ((all, columns), value) in all.values.iter_mut().zip(&mut columns).zip(values) {
                let Outcome { columns: more, errors, metrics } = value;
                columns.extend(more);
                let errors = errors.into_iter();
                all.errors.extend(errors.map(|error| RowError { row: error.row + rows, ..error }));
                all.metrics += metrics;
            }
        }
        for (all, columns) in all.values.iter_mut().zip(columns) {
            let columns: Vec<&dyn Array> = columns.iter().map(|column| &**column).collect();
            all.columns = vec![concat(&columns).map_err(internal)?];
        }
        Ok(Some(all))
    }
}

fn internal(error: arrow::error::ArrowError) -> KernelError {
    KernelError::WrongInput { aggregate: "of a window".to_owned(), reason: error.to_string() }
}

/// The outcome of rows that may have none: row i is that of `outcome` at
/// `rows[i]`.
pub(crate) fn scattered(outcome: Outcome, rows: &[Option<u32>]) -> Result<Outcome, KernelError> {
    let indices = UInt32Array::from(rows.to_vec());
    let columns = outcome.columns.iter().map(|column| take(column, &indices, None));
    let columns = columns.collect::<Result<_, _>>().map_err(internal)?;
    let mut errors = Vec::new();
    if !outcome.errors.is_empty() {
        for (row, from) in rows.iter().enumerate() {
            let Some(from) = from.map(|from| from as usize) else { continue };
            let found = outcome.errors.binary_search_by_key(&from, |error| error.row);
            errors.extend(found.map(|at| RowError { row, ..outcome.errors[at].clone() }));
        }
    }
    Ok(Outcome { columns, errors, metrics: outcome.metrics })
}
