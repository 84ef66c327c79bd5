//! What the server keeps in the offline store: pushed rows, as further files of
//! their source, and answers for `unskew replay`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array as _, AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, Schema, TimestampMicrosecondType};
use async_trait::async_trait;
use unskew_online::{OnlineError, PushArchive, ServedSink};
use unskew_plan::SourcePlan;
use unskew_store::{Date, OfflineStore, TableId};

/// The table of served answers.
pub(crate) const SERVED: &str = "served@log";

/// The table of a source's pushed rows.
pub(crate) fn source_table(source: &SourcePlan) -> String {
    format!("source@{}", source.name)
}

/// The offline store as the server writes to it.
pub(crate) struct Archive {
    store: Arc<dyn OfflineStore>,
    /// Tells the files of this process from those of others.
    process: u32,
    files: AtomicU64,
}

impl Archive {
    pub(crate) fn new(store: Arc<dyn OfflineStore>, process: u32) -> Self {
        Self { store, process, files: AtomicU64::new(0) }
    }

    /// Appends rows under `name`, by the day of the times in column `time`.
    async fn append_by_day(
        &self,
        table: &TableId,
        name: &str,
        rows: &RecordBatch,
        time: usize,
    ) -> Result<(), OnlineError> {
        let times = rows.column(time).as_primitive::<TimestampMicrosecondType>();
        let mut days: BTreeMap<Date, Vec<u32>> = BTreeMap::new();
        for row in 0..rows.num_rows() {
            if times.is_valid(row) {
                days.entry(Date::of(times.value(row))).or_default().push(row as u32);
            }
        }
        for (day, places) in days {
            let of_day = match places.len() == rows.num_rows() {
                true => rows.clone(),
                false => take_record_batch(rows, &UInt32Array::from(places))
                    .map_err(|error| OnlineError::Internal(error.to_string()))?,
            };
            self.store.append(table, day, name, &[of_day]).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl PushArchive for Archive {
    async fn append(
        &self,
        source: &SourcePlan,
        name: &str,
        rows: &RecordBatch,
    ) -> Result<(), OnlineError> {
        // As a file of the source has them: by the names of its columns there. Fields that
        // share a column are there once.
        let mut fields: Vec<Field> = Vec::new();
        let mut columns = Vec::new();
        for (field, column) in source.fields.iter().zip(rows.columns()) {
            if fields.iter().all(|known| *known.name() != field.column) {
                fields.push(Field::new(&field.column, column.data_type().clone(), true));
                columns.push(Arc::clone(column));
            }
        }
        let event = &source.fields[source.event_timestamp].column;
        let event = fields.iter().position(|field| field.name() == event).unwrap_or_default();
        let file = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .map_err(|error| OnlineError::Internal(error.to_string()))?;
        let table = TableId::new(&source_table(source))?;
        self.append_by_day(&table, name, &file, event).await
    }
}

#[async_trait]
impl ServedSink for Archive {
    async fn append(&self, rows: RecordBatch) -> Result<(), OnlineError> {
        let table = TableId::new(SERVED)?;
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let first = rows.column(0).as_primitive::<TimestampMicrosecondType>();
        let time = if rows.num_rows() > 0 { first.value(0) } else { 0 };
        let name = format!("{time}-{:08x}-{number}", self.process);
        self.append_by_day(&table, &name, &rows, 0).await
    }
}
