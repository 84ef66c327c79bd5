//! Rows divided into buckets, in memory as long as there is room, on disk
//! otherwise. A bucket holds whole entities (or a stretch of labels), so it can
//! be worked on by itself.

mod bucket_store;
mod bucket_writer;
mod division;
mod entity_partition;

pub(crate) use bucket_store::BucketStore;
pub(crate) use bucket_writer::BucketWriter;
pub(crate) use division::{bucket_of, in_order_of_buckets};
pub(crate) use entity_partition::{EntityPartition, NullKeys};
