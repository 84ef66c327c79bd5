use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;

use crate::error::BatchError;
use crate::partition::bucket_store::{BucketStore, Chunk};
use crate::partition::division::in_order_of_buckets;

/// Gathers rows of one thread, and divides them into the buckets of a store.
pub(crate) struct BucketWriter {
    store: Arc<BucketStore>,
    pending: Vec<RecordBatch>,
    buckets: Vec<u32>,
    bytes: usize,
    chunk_bytes: usize,
}

/// Rows that are divided at a time: so many that each bucket gets a stretch of
/// some length, so few that they stay in a core's cache.
const CHUNK_ROWS: usize = 1 << 17;

impl BucketWriter {
    pub(crate) fn new(store: Arc<BucketStore>, chunk_bytes: usize) -> Self {
        Self { store, pending: Vec::new(), buckets: Vec::new(), bytes: 0, chunk_bytes }
    }

    /// Adds rows, each with its bucket.
    pub(crate) fn push(
        &mut self,
        batch: RecordBatch,
        buckets: impl IntoIterator<Item = u32>,
    ) -> Result<(), BatchError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.bytes += batch.get_array_memory_size();
        self.buckets.extend(buckets);
        self.pending.push(batch);
        match self.buckets.len() >= CHUNK_ROWS || self.bytes >= self.chunk_bytes {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Hands everything over.
    pub(crate) fn flush(&mut self) -> Result<(), BatchError> {
        let batches = std::mem::take(&mut self.pending);
        let buckets = std::mem::take(&mut self.buckets);
        self.bytes = 0;
        let (Some(first), Some(last)) = (buckets.iter().min(), buckets.iter().max()) else {
            return Ok(());
        };
        let failed = |error: datafusion::arrow::error::ArrowError| BatchError::Plan {
            reason: format!("rows cannot be divided: {error}"),
        };
        let batch = match <[RecordBatch; 1]>::try_from(batches) {
            Ok([batch]) => batch,
            Err(batches) => concat_batches(self.store.schema(), &batches).map_err(failed)?,
        };
        let (first, count) = (*first, (last - first) as usize + 1);
        let (batch, starts) =
            in_order_of_buckets(&batch, &buckets, first, count).map_err(failed)?;
        self.store.add(Chunk::new(batch, first as usize, starts))
    }
}
