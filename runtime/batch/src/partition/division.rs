//! Which bucket a row belongs to, and rows in the order of their buckets.

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::error::ArrowError;

/// The bucket of a hash, of so many.
pub(crate) fn bucket_of(hash: u64, buckets: usize) -> u32 {
    // Its high bits: tables of entities use the low ones.
    (((hash >> 32) * buckets as u64) >> 32) as u32
}

/// The rows by bucket, those of one in the order in which they came; and where
/// each of `count` buckets from `first` on begins, and where the last one ends.
pub(crate) fn in_order_of_buckets(
    batch: &RecordBatch,
    buckets: &[u32],
    first: u32,
    count: usize,
) -> Result<(RecordBatch, Vec<u32>), ArrowError> {
    let mut starts = vec![0_u32; count + 1];
    buckets.iter().for_each(|bucket| starts[(bucket - first) as usize + 1] += 1);
    (1..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
    if buckets.is_sorted() {
        return Ok((batch.clone(), starts));
    }
    let mut next = starts.clone();
    let mut order = vec![0_u32; buckets.len()];
    for (row, bucket) in (0_u32..).zip(buckets) {
        let place = &mut next[(bucket - first) as usize];
        order[*place as usize] = row;
        *place += 1;
    }
    Ok((take_record_batch(batch, &UInt32Array::from(order))?, starts))
}
