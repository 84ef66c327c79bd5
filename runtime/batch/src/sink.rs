//! What every output format takes: columns of a piece, made into what is
//! written on any thread, and written in order.

use arrow::array::{ArrayRef, RecordBatch};

use crate::error::BatchError;
use crate::source::Kept;

/// What is written of one piece.
pub(crate) enum Encoded {
    Batch(RecordBatch),
    Bytes(Vec<u8>),
}

/// Makes what is written of what a piece keeps and of the transform's outputs.
pub(crate) trait Encode: Send + Sync {
    fn encode(&self, kept: Kept, outputs: Vec<ArrayRef>) -> Result<Encoded, BatchError>;
}

/// Writes in order.
pub(crate) trait Sink {
    fn write(&mut self, encoded: Encoded) -> Result<(), BatchError>;

    /// Writes what is left and brings it to the disk. The file still has not
    /// got its name.
    fn finish(self: Box<Self>) -> Result<Finished, BatchError>;
}

/// A file that is whole and waits for its name.
#[derive(Debug)]
pub(crate) struct Finished(pub(crate) crate::output_file::OutputFile);

impl Finished {
    /// Gives the file its name.
    pub(crate) fn commit(self) -> Result<(), BatchError> {
        self.0.commit()
    }
}
