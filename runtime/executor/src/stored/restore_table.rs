use arrow::array::{Array, AsArray, RecordBatch};

use crate::evaluation_error::EvaluationError;
use crate::point_in_time::EventIndex;
use crate::service::{Contents, Instants, SeenRows, ViewOperator, ViewRows};
use crate::stored::emitted::outcomes;
use crate::stored::error::StoredError;
use crate::stored::latest::spread;
use crate::stored::layout::StoredContents;
use crate::stored::records::TableRows;
use crate::stored::row_errors::RowErrors;
use crate::window::EmittedWindows;

impl ViewOperator {
    /// The rows that a table holds: they answer every question as those do that
    /// the table was made of. The rows may be of several tables, put together
    /// in any order.
    ///
    /// Of a view whose windows emit, the rows of its source are gone; so no
    /// question is said to be
    /// [at the time of an event](crate::service::ViewAnswers::at_event_times).
    pub fn restore_table(&self, table: &RecordBatch) -> Result<ViewRows<'_>, EvaluationError> {
        let view = self.view();
        let layout = self.stored();
        let wrong = |reason: String| StoredError::WrongTable { view: view.id.clone(), reason };
        let rows = TableRows::new(self, layout, table)?;
        let (entities, numbers) = rows.entities();
        let mut errors = RowErrors::default();
        if let Some(texts) = rows.errors.filter(|texts| texts.null_count() < texts.len()) {
            let columns = match layout.contents {
                StoredContents::Emitted => self.kernels.len(),
                _ => view.columns.len(),
            };
            for (row, text) in texts.iter().enumerate() {
                let Some(text) = text else { continue };
                errors
                    .push(row, text, columns)
                    .map_err(|reason| wrong(format!("have a row that says {reason}")))?;
            }
        }
        let instants = match layout.has_created || view.window.emits() {
            true => Instants::Known,
            false => Instants::Indexed,
        };
        let contents = match &layout.contents {
            StoredContents::Latest { columns } => Contents::Latest {
                index: EventIndex::new(&numbers, &rows.order(), entities.len()),
                event_timestamps: rows.events.to_vec(),
                columns: spread(view, columns, rows.values.to_vec(), rows.len()),
                failures: errors.finish(),
            },
            StoredContents::Trailing(trailing) => {
                let seen = trailing.aggregates.iter().map(|aggregate| SeenRows {
                    inputs: aggregate.inputs.iter().map(|at| rows.values[*at].clone()).collect(),
                    filter: aggregate
                        .filter
                        .map(|at| rows.values[trailing.inputs.len() + at].as_boolean().clone()),
                });
                Contents::Trailing {
                    index: EventIndex::new(&numbers, &rows.order(), entities.len()),
                    aggregates: seen.collect(),
                }
            }
            StoredContents::Emitted => self.emitted_table(&rows, numbers, errors)?,
        };
        Ok(ViewRows {
            operator: self,
            entities,
            keys: Vec::new(),
            contents,
            dead_letters: Vec::new(),
            warnings: Vec::new(),
            instants,
            rows: Vec::new(),
            read: None,
        })
    }

    /// What windows emitted, each entity's in the order in which they did.
    fn emitted_table(
        &self,
        rows: &TableRows<'_>,
        numbers: Vec<u32>,
        errors: RowErrors,
    ) -> Result<Contents, EvaluationError> {
        let windows = rows.windows.as_ref().expect("a table of windows has their columns");
        let created = rows.created.expect("what windows emit has created times");
        let tombstones = rows.tombstones.expect("a table of windows has their columns");
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|row| {
            let row = *row as usize;
            (rows.events[row], created[row], windows.sequences.value(row))
        });
        let pick = |values: &[i64]| order.iter().map(|row| values[*row as usize]).collect();
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, row)| place[*row as usize] = at);
        let indices = arrow::array::UInt32Array::from(order.clone());
        let columns = rows.values.iter().map(|column| arrow::compute::take(column, &indices, None));
        let mut values = outcomes(columns.collect::<Result<_, _>>()?, errors);
        for outcome in &mut values {
            outcome.errors.iter_mut().for_each(|error| error.row = place[error.row]);
            outcome.errors.sort_by_key(|error| error.row);
        }
        Ok(Contents::Emitted(EmittedWindows {
            entities: order.iter().map(|row| numbers[*row as usize]).collect(),
            window_starts: pick(windows.starts),
            window_ends: pick(rows.events),
            created_timestamps: pick(created),
            revisions: order.iter().map(|row| windows.revisions.value(*row as usize)).collect(),
            tombstones: order.iter().map(|row| tombstones.value(*row as usize)).collect(),
            values,
        }))
    }
}
