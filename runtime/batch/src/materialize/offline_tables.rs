//! A view's days in the offline store: one slice of each day, written at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use unskew_store::{Date, OfflineStore, TableId};

use crate::error::BatchError;
use crate::materialize::slices::{Day, internal};

/// The name of the only slice that a day has.
const SLICE: &str = "0";

/// The tables of views in an offline store, by day. Readers see a day as it was
/// or as it is.
#[derive(Clone, Debug)]
pub struct OfflineTables(Arc<dyn OfflineStore>);

impl OfflineTables {
    /// Those of this store.
    pub fn new(store: Arc<dyn OfflineStore>) -> Self {
        Self(store)
    }

    /// Replaces what a day holds; a day without rows has no file. Returns the
    /// bytes that were written.
    pub(crate) async fn write_day(
        &self,
        table: &TableId,
        day: Day,
        rows: &RecordBatch,
    ) -> Result<u64, BatchError> {
        let rows = std::slice::from_ref(rows);
        let written = self.0.write_slice(table, Date(day), SLICE, rows).await?;
        Ok(written.map_or(0, |file| file.bytes))
    }

    /// The rows of a day, if it has any.
    pub(crate) async fn read_day(
        &self,
        table: &TableId,
        day: Day,
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>, BatchError> {
        let mut batches = Vec::new();
        for file in self.0.list(table, Date(day)..=Date(day)).await? {
            batches.extend(self.0.read(&file).await?);
        }
        if batches.is_empty() {
            return Ok(None);
        }
        let found = batches.first().map_or_else(|| Arc::clone(schema), RecordBatch::schema);
        Ok(Some(concat_batches(&found, &batches).map_err(internal)?))
    }

    /// The days of a view that have rows.
    pub(crate) async fn days(&self, table: &TableId) -> Result<BTreeSet<Day>, BatchError> {
        let files = self.0.list(table, Date::MIN..=Date::MAX).await?;
        Ok(files.into_iter().map(|file| file.date.0).collect())
    }
}
