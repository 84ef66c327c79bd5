//! The list of failed rows.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use unskew_host::RowError;

use crate::error::BatchError;
use crate::format::FileFormat;
use crate::job::ParquetCompression;
use crate::output::Output;
use crate::sink::{Encode, Finished, Sink};
use crate::source::Kept;

/// Writes failed rows: `row` (of the input, counted from 0), `transform`,
/// `status` and `message`.
pub(crate) struct ErrorsFile {
    schema: SchemaRef,
    transform: String,
    encoder: Box<dyn Encode>,
    sink: Box<dyn Sink>,
}

impl ErrorsFile {
    pub(crate) fn create(
        path: &Path,
        format: FileFormat,
        transform: &str,
    ) -> Result<Self, BatchError> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("row", ArrowType::Int64, false),
            Field::new("transform", ArrowType::Utf8, false),
            Field::new("status", ArrowType::Utf8, false),
            Field::new("message", ArrowType::Utf8, false),
        ]));
        let columns = schema.fields().len();
        let compression = ParquetCompression::default();
        let Output { encoder, sink } =
            Output::create(path, format, &schema, columns, compression, 1)?;
        Ok(Self { schema, transform: transform.to_owned(), encoder, sink })
    }

    /// Adds failed rows of a piece that begins at `first_row`.
    pub(crate) fn write(&mut self, first_row: u64, errors: &[RowError]) -> Result<(), BatchError> {
        if errors.is_empty() {
            return Ok(());
        }
        let rows = errors.iter().map(|error| (first_row + error.row as u64) as i64);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.collect::<Int64Array>()),
            Arc::new(StringArray::from_iter_values(errors.iter().map(|_| &self.transform))),
            Arc::new(StringArray::from_iter_values(errors.iter().map(|e| e.status.to_string()))),
            Arc::new(StringArray::from_iter_values(errors.iter().map(|e| &e.message))),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("the columns are of one length and of the types of their schema");
        let encoded = self.encoder.encode(Kept::Columns(batch), Vec::new())?;
        self.sink.write(encoded)
    }

    pub(crate) fn finish(self) -> Result<Finished, BatchError> {
        self.sink.finish()
    }
}
