//! The offline store: what it takes, gives and promises.

mod date;
mod file_name;
mod object;
mod open;
mod trouble;

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;

use crate::{StoreError, TableId};
pub use date::Date;
pub use object::ObjectOfflineStore;
pub use open::{OfflineStoreSettings, open_bucket, open_offline_store};

/// A file of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfflineFile {
    /// The table.
    pub table: TableId,
    /// The day that its rows are of.
    pub date: Date,
    /// What it was written as: the name of a slice, or of an append.
    pub name: String,
    /// Where it is: a path of this machine, or a URL.
    pub place: String,
    /// Its length.
    pub bytes: u64,
}

/// Rows of many days, for training sets: Parquet files, partitioned by date, as `view=NAME@VERSION/date=YYYY-MM-DD/part-NAME.parquet`.
///
/// A file is whole or absent. Methods are safe to call from many tasks and processes at a time; of two writes of one name the later stays. What lies
/// beside our files, such as what a killed writer left, is never listed.
#[async_trait]
pub trait OfflineStore: Send + Sync + std::fmt::Debug {
    /// Folder or URL, for messages.
    fn place(&self) -> &str;

    /// Writes the rows of a slice that are of one day, in the place of what that slice held of that day. No rows leave no file.
    ///
    /// The name is of letters, digits, `_`, `-` and `.`, and must tell slices apart; batches have one schema.
    async fn write_slice(
        &self,
        table: &TableId,
        date: Date,
        slice: &str,
        batches: &[RecordBatch],
    ) -> Result<Option<OfflineFile>, StoreError>;

    /// Adds rows under a name that no other append has; where that is there already nothing is done, so that a replay is harmless.
    async fn append(
        &self,
        table: &TableId,
        date: Date,
        name: &str,
        batches: &[RecordBatch],
    ) -> Result<Option<OfflineFile>, StoreError>;

    /// Removes a file, if it is there.
    async fn remove(&self, file: &OfflineFile) -> Result<(), StoreError>;

    /// The files of some days, both ends included, by date and name.
    async fn list(
        &self,
        table: &TableId,
        dates: RangeInclusive<Date>,
    ) -> Result<Vec<OfflineFile>, StoreError>;

    /// The rows of a file.
    async fn read(&self, file: &OfflineFile) -> Result<Vec<RecordBatch>, StoreError>;

    /// Whether the store can be listed.
    async fn check(&self) -> Result<(), StoreError>;
}

/// Any offline store.
pub type SharedOfflineStore = Arc<dyn OfflineStore>;
