//! Parquet as an output.
//!
//! Row groups of at most 1,048,576 rows and about 32 MiB, pages of about
//! 1 MiB, compressed with zstd at level 1 unless told otherwise: files about as
//! small as with higher levels at a fraction of their time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::error::BatchError;
use crate::job::ParquetCompression;
use crate::output_file::{OutputFile, WriteFailure};
use crate::sink::{Encode, Encoded, Finished, Sink};
use crate::source::Kept;

const ROW_GROUP_ROWS: usize = 1 << 20;
const ROW_GROUP_BYTES: usize = 32 << 20;

/// Puts the transform's outputs behind the kept columns.
pub(crate) struct ParquetEncoder {
    path: PathBuf,
    schema: SchemaRef,
}

impl ParquetEncoder {
    pub(crate) fn new(path: &Path, schema: &SchemaRef) -> Self {
        Self { path: path.to_owned(), schema: Arc::clone(schema) }
    }
}

impl Encode for ParquetEncoder {
    fn encode(&self, kept: Kept, outputs: Vec<ArrayRef>) -> Result<Encoded, BatchError> {
        let Kept::Columns(kept) = kept else { unreachable!("a Parquet output keeps columns") };
        let rows = outputs.first().map_or(kept.num_rows(), |output| output.len());
        let columns = kept.columns().iter().cloned().chain(outputs).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map(Encoded::Batch)
            .map_err(|error| BatchError::Unwritable {
                path: self.path.clone(),
                reason: error.to_string(),
            })
    }
}

/// Writes batches into row groups.
pub(crate) struct ParquetSink {
    writer: ArrowWriter<OutputFile>,
    failure: WriteFailure,
}

impl ParquetSink {
    /// The schema's metadata becomes that of the file.
    pub(crate) fn create(
        path: &Path,
        schema: &SchemaRef,
        compression: ParquetCompression,
    ) -> Result<Self, BatchError> {
        let mut metadata: Vec<KeyValue> = schema
            .metadata()
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
            .collect();
        // A map has no order of its own, and equal runs give equal bytes.
        metadata.sort_by(|a, b| a.key.cmp(&b.key));
        let properties = WriterProperties::builder()
            .set_created_by(concat!("unskew ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(match compression {
                ParquetCompression::None => Compression::UNCOMPRESSED,
                ParquetCompression::Snappy => Compression::SNAPPY,
                ParquetCompression::Zstd => Compression::ZSTD(ZstdLevel::default()),
            })
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_key_value_metadata((!metadata.is_empty()).then_some(metadata))
            .build();
        let file = OutputFile::create(path)?;
        let failure = file.failure();
        // Nothing reaches the disk yet, so what fails here is a type.
        let writer =
            ArrowWriter::try_new(file, Arc::clone(schema), Some(properties)).map_err(|error| {
                BatchError::Unwritable { path: path.to_owned(), reason: error.to_string() }
            })?;
        Ok(Self { writer, failure })
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, encoded: Encoded) -> Result<(), BatchError> {
        let Encoded::Batch(batch) = encoded else { unreachable!("Parquet is written in batches") };
        self.writer.write(&batch).map_err(|error| self.failure.error(error))
    }

    fn finish(self: Box<Self>) -> Result<Finished, BatchError> {
        // Writes the footer, too.
        let mut file = self.writer.into_inner().map_err(|error| self.failure.error(error))?;
        file.sync()?;
        Ok(Finished(file))
    }
}
