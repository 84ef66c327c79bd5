use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
    UInt64Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;

use crate::evaluation_error::EvaluationError;
use crate::rows::{AcceptedRows, CanonicalBytes};
use crate::service::{Contents, SeenRows, ViewOperator, ViewRows};
use crate::steps::StepFailures;
use crate::stored::layout::{StoredContents, TrailingLayout};
use crate::stored::row_errors;
use crate::stored::row_keys::order_keys;
use crate::window::EmittedWindows;

impl ViewOperator {
    /// The columns of the view's table: its join keys, `event_timestamp` (of
    /// what windows emit their end), `created_timestamp`, what breaks ties, and
    /// the columns that evaluation needs. A column whose name is taken has
    /// underscores behind it.
    pub fn table_schema(&self) -> SchemaRef {
        Arc::clone(&self.stored().schema)
    }
}

impl ViewRows<'_> {
    /// All rows as a table. `source` are the rows that these were prepared
    /// from. The table is a function of the rows alone: in the order of time,
    /// ties broken.
    ///
    /// # Panics
    ///
    /// When these rows were restored, not prepared, or from another source.
    pub fn table(&self, source: &AcceptedRows) -> Result<RecordBatch, EvaluationError> {
        self.table_with_ties(source, false)
    }

    /// The same; with `all_ties` every row says what tells it from others of
    /// its times, not only where there are such in this table.
    pub(crate) fn table_with_ties(
        &self,
        source: &AcceptedRows,
        all_ties: bool,
    ) -> Result<RecordBatch, EvaluationError> {
        let layout = self.operator.stored();
        let rows = &self.rows;
        let columns = match (&self.contents, &layout.contents) {
            (
                Contents::Latest { index, columns, failures, event_timestamps: _ },
                StoredContents::Latest { columns: wanted },
            ) => {
                let mut table = self.times_of(source)?;
                table.push(Arc::new(order_keys(source, rows, index, all_ties)?));
                table.push(error_texts(failures, rows.len()));
                table.extend(wanted.iter().map(|at| Arc::clone(&columns[*at])));
                table
            }
            (Contents::Trailing { index, aggregates }, StoredContents::Trailing(trailing)) => {
                let mut table = self.times_of(source)?;
                table.push(Arc::new(order_keys(source, rows, index, all_ties)?));
                table.extend(seen_columns(trailing, aggregates));
                table
            }
            (Contents::Emitted(emitted), StoredContents::Emitted) => {
                self.emitted_columns(emitted)?
            }
            _ => panic!("rows that were prepared are asked for a table"),
        };
        crate::steps::batch_of(&layout.schema, columns, self.table_rows())
    }

    fn table_rows(&self) -> usize {
        match &self.contents {
            Contents::Emitted(emitted) => emitted.len(),
            _ => self.rows.len(),
        }
    }

    /// The columns that every row of a source has: join keys, event and
    /// created time.
    fn times_of(&self, source: &AcceptedRows) -> Result<Vec<ArrayRef>, EvaluationError> {
        let rows = UInt32Array::from(self.rows.clone());
        let keys = self.operator.view().join_keys.iter();
        let keys = keys.map(|key| take(source.batch.column(key.field), &rows, None));
        let mut columns = keys.collect::<Result<Vec<_>, _>>()?;
        let at = |times: &Vec<i64>| self.rows.iter().map(|row| times[*row as usize]).collect();
        columns.push(times_column(at(&source.event_timestamps)));
        columns.push(match &source.created_timestamps {
            Some(created) => times_column(at(created)),
            None => null_times(self.rows.len()),
        });
        Ok(columns)
    }

    fn emitted_columns(&self, emitted: &EmittedWindows) -> Result<Vec<ArrayRef>, EvaluationError> {
        let keys = CanonicalBytes::new(self.keys.clone());
        let names: Vec<Vec<u8>> = (0..self.entities.len()).map(|entity| keys.of(entity)).collect();
        let mut order: Vec<u32> = (0..emitted.len() as u32).collect();
        let key = |row: &u32| {
            let row = *row as usize;
            let entity = &names[emitted.entities[row] as usize];
            (emitted.window_ends[row], entity, emitted.created_timestamps[row])
        };
        // Stable: within one moment what came later revises what came before.
        order.sort_by(|a, b| key(a).cmp(&key(b)));
        let mut sequence = vec![0_u32; order.len()];
        for at in 1..order.len() {
            if key(&order[at - 1]) == key(&order[at]) {
                sequence[at] = sequence[at - 1] + 1;
            }
        }
        let at =
            |times: &[i64]| times_column(order.iter().map(|row| times[*row as usize]).collect());
        let entities: Vec<u32> = order.iter().map(|row| emitted.entities[*row as usize]).collect();
        let entities = UInt32Array::from(entities);
        let keys = self.keys.iter().map(|key| take(key, &entities, None));
        let mut columns = keys.collect::<Result<Vec<ArrayRef>, _>>()?;
        let revisions = order.iter().map(|row| emitted.revisions[*row as usize]);
        let tombstones = order.iter().map(|row| Some(emitted.tombstones[*row as usize]));
        let failures = emitted.values.iter().enumerate().map(|(aggregate, outcome)| StepFailures {
            columns: aggregate..aggregate + 1,
            name: self.operator.view().aggregates[aggregate].name.to_string(),
            errors: outcome.errors.clone(),
        });
        let texts = row_errors::written(&failures.collect::<Vec<_>>());
        let texts = order.iter().map(|row| texts.get(&(*row as usize)).map(String::as_str));
        columns.extend([
            at(&emitted.window_ends),
            at(&emitted.created_timestamps),
            at(&emitted.window_starts),
            Arc::new(UInt64Array::from_iter_values(revisions)) as ArrayRef,
            Arc::new(UInt32Array::from(sequence)),
            Arc::new(BooleanArray::from_iter(tombstones)),
            Arc::new(StringArray::from_iter(texts)),
        ]);
        let order = UInt32Array::from(order);
        for outcome in &emitted.values {
            columns.push(take(&outcome.columns[0], &order, None)?);
        }
        Ok(columns)
    }
}

/// What aggregates see, each column and `where` once.
fn seen_columns(layout: &TrailingLayout, seen: &[SeenRows]) -> Vec<ArrayRef> {
    let inputs =
        layout.inputs.iter().map(|(aggregate, at)| Arc::clone(&seen[*aggregate].inputs[*at]));
    let filters = layout.filters.iter().map(|aggregate| {
        let filter = seen[*aggregate].filter.clone();
        Arc::new(filter.expect("the aggregate has a `where`")) as ArrayRef
    });
    inputs.chain(filters).collect()
}

fn times_column(times: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
}

fn null_times(rows: usize) -> ArrayRef {
    let times = TimestampMicrosecondArray::from(Vec::<i64>::new()).with_timezone("UTC");
    new_null_array(arrow::array::Array::data_type(&times), rows)
}

fn error_texts(failures: &[StepFailures], rows: usize) -> ArrayRef {
    let texts = row_errors::written(failures);
    if texts.is_empty() {
        return new_null_array(&arrow::datatypes::DataType::Utf8, rows);
    }
    Arc::new(StringArray::from_iter((0..rows).map(|row| texts.get(&row).map(String::as_str))))
}
