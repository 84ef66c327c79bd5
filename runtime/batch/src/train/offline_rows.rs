use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use unskew_plan::ViewId;

use crate::error::BatchError;

/// What views left in an offline store, day by day.
#[async_trait]
pub trait OfflineRows: Send + Sync + std::fmt::Debug {
    /// Folder or URL, for messages.
    fn place(&self) -> &str;

    /// Up to when, in microseconds, all rows of a view are there (this moment
    /// excluded). A view that was never materialized is an error.
    async fn covered_until(&self, view: &ViewId) -> Result<i64, BatchError>;

    /// The days since 1970-01-01 of which a view has rows, and their bytes,
    /// ascending.
    async fn days(&self, view: &ViewId) -> Result<Vec<(i64, u64)>, BatchError>;

    /// The rows of a day.
    async fn read(&self, view: &ViewId, day: i64) -> Result<Vec<RecordBatch>, BatchError>;
}
