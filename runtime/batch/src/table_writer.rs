//! A table as a file of any format: what training sets are written by.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::BatchError;
use crate::format::FileFormat;
use crate::job::ParquetCompression;
use crate::output::Output;
use crate::source::Kept;

/// Writes batches of one schema. The file appears under its name when it is
/// whole and on the disk, or not at all.
pub struct TableWriter {
    output: Output,
    schema: SchemaRef,
}

impl TableWriter {
    /// Begins a file; its format is what its name says. Columns that the
    /// format cannot hold are refused. Up to `threads` encode columns.
    pub fn create(
        path: &Path,
        schema: &SchemaRef,
        compression: ParquetCompression,
        threads: usize,
    ) -> Result<Self, BatchError> {
        let format = FileFormat::of(path).ok_or_else(|| {
            let path = path.to_owned();
            BatchError::UnknownFormat { path, option: "it a name with one of them" }
        })?;
        let columns = schema.fields().len();
        let output = Output::create(path, format, schema, columns, compression, threads)?;
        Ok(Self { output, schema: SchemaRef::clone(schema) })
    }

    /// Adds rows, in pieces that a format can hold.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), BatchError> {
        debug_assert_eq!(batch.schema().fields(), self.schema.fields());
        const ROWS: usize = crate::source::PIECE_ROWS;
        for first in (0..batch.num_rows()).step_by(ROWS) {
            let rows = batch.slice(first, ROWS.min(batch.num_rows() - first));
            let encoded = self.output.encoder.encode(Kept::Columns(rows), Vec::new())?;
            self.output.sink.write(encoded)?;
        }
        Ok(())
    }

    /// Brings the file to the disk and gives it its name.
    pub fn commit(self) -> Result<(), BatchError> {
        self.output.sink.finish()?.commit()
    }
}
