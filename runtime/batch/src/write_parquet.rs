//! Parquet as an output.
//!
//! Row groups of at most 1,048,576 rows and about 32 MiB, pages of about
//! 1 MiB, compressed with zstd at level 1 unless told otherwise: files about as
//! small as with higher levels at a fraction of their time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

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

/// Writes batches into row groups, whose columns are encoded on several
/// threads. The bytes are the same, however many there are.
pub(crate) struct ParquetSink {
    file: SerializedFileWriter<OutputFile>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    /// Of the row group that is written, if it has rows.
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
    groups: usize,
    threads: usize,
    failure: WriteFailure,
}

/// Fewer values than this are not worth another thread.
const VALUES_FOR_THREADS: usize = 1 << 15;

impl ParquetSink {
    /// The schema's metadata becomes that of the file.
    pub(crate) fn create(
        path: &Path,
        schema: &SchemaRef,
        compression: ParquetCompression,
        threads: usize,
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
            .set_key_value_metadata((!metadata.is_empty()).then_some(metadata))
            .build();
        let file = OutputFile::create(path)?;
        let failure = file.failure();
        // Nothing reaches the disk yet, so what fails here is a type.
        let (file, factory) = ArrowWriter::try_new(file, Arc::clone(schema), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|error| BatchError::Unwritable {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            file,
            factory,
            schema: Arc::clone(schema),
            columns: Vec::new(),
            rows: 0,
            groups: 0,
            threads: threads.max(1),
            failure,
        })
    }

    /// Encodes rows that fit the row group.
    fn encode(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        if self.rows == 0 {
            self.columns = self.factory.create_column_writers(self.groups)?;
        }
        self.rows += batch.num_rows();
        let mut fields = Vec::with_capacity(batch.num_columns());
        let mut writers = self.columns.as_mut_slice();
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            let (of_field, others) = writers.split_at_mut(leaves(field.data_type()));
            writers = others;
            fields.push((of_field, field, column));
        }
        let values = batch.num_rows() * fields.len();
        let threads = self.threads.min(fields.len()).min(values / VALUES_FOR_THREADS).max(1);
        let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
        for (at, field) in fields.into_iter().enumerate() {
            shares[at % threads].push(field);
        }
        let first = shares.pop().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> =
                shares.into_iter().map(|share| scope.spawn(|| encode_columns(share))).collect();
            let mut done = encode_columns(first);
            for other in others {
                let other = other.join().unwrap_or_else(|_| {
                    Err(ParquetError::General("a column could not be encoded".to_owned()))
                });
                done = done.and(other);
            }
            done
        })
    }

    /// Ends the row group, if one was begun.
    fn end_group(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for column in self.columns.drain(..) {
            column.close()?.append_to_row_group(&mut group)?;
        }
        group.close()?;
        (self.rows, self.groups) = (0, self.groups + 1);
        Ok(())
    }

    fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = (batch.num_rows() - at).min(ROW_GROUP_ROWS - self.rows);
            self.encode(&batch.slice(at, rows))?;
            at += rows;
            let bytes: usize =
                self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
            if self.rows >= ROW_GROUP_ROWS || bytes >= ROW_GROUP_BYTES {
                self.end_group()?;
            }
        }
        Ok(())
    }
}

type FieldColumns<'a> = (&'a mut [ArrowColumnWriter], &'a FieldRef, &'a ArrayRef);

fn encode_columns(share: Vec<FieldColumns<'_>>) -> Result<(), ParquetError> {
    for (writers, field, column) in share {
        for (writer, leaf) in writers.iter_mut().zip(compute_leaves(field, column)?) {
            writer.write(&leaf)?;
        }
    }
    Ok(())
}

/// How many columns a file has for one of this type.
fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            leaves(item.data_type())
        }
        DataType::Map(entries, _) => leaves(entries.data_type()),
        _ => 1,
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, encoded: Encoded) -> Result<(), BatchError> {
        let Encoded::Batch(batch) = encoded else { unreachable!("Parquet is written in batches") };
        self.write_batch(&batch).map_err(|error| self.failure.error(error))
    }

    fn finish(mut self: Box<Self>) -> Result<Finished, BatchError> {
        let ended = self.end_group();
        let Self { file, failure, .. } = *self;
        // Writes the footer, too.
        let ended = ended.and_then(|()| file.into_inner());
        let mut file = ended.map_err(|error| failure.error(error))?;
        file.sync()?;
        Ok(Finished(file))
    }
}
