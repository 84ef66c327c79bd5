//! Parquet as an input.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{
    DataType as ArrowType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, Type as PhysicalType};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use crate::error::BatchError;
use crate::open_file::OpenFile;
use crate::source::{
    Content, Decode, Decoded, InputSize, Kept, KeptSchema, Opened, PIECE_ROWS, Piece, Source,
};

/// Bytes of a batch that its number of rows is chosen for: rows of a kilobyte
/// come in full batches, larger ones in smaller batches.
const BATCH_BYTES: u64 = 8 << 20;

/// Bytes of a Parquet file at least: two marks and the length of its footer.
const SHORTEST: u64 = 12;

/// A Parquet file whose schema is known.
#[derive(Debug)]
pub(crate) struct ParquetFile {
    pub(crate) path: PathBuf,
    pub(crate) file: OpenFile,
    pub(crate) metadata: ArrowReaderMetadata,
    /// All columns of the file.
    pub(crate) schema: SchemaRef,
}

impl ParquetFile {
    pub(crate) fn open(path: &Path, file: OpenFile) -> Result<Self, BatchError> {
        check_form(path, &file)?;
        let wrong = |reason: String| BatchError::WrongFile { path: path.to_owned(), reason };
        let load = |options| {
            guarded(|| ArrowReaderMetadata::load(&file, options)).map_err(|reason| {
                wrong(format!(
                    "the Parquet file is damaged, or of a kind that is not supported: {reason}"
                ))
            })
        };
        let mut metadata = load(ArrowReaderOptions::new())?;
        let mut schema = Arc::clone(metadata.schema());
        if let Some(hinted) = with_wide_int96(&metadata) {
            // Nanoseconds would silently wrap outside of the years 1677 to 2262.
            metadata = load(ArrowReaderOptions::new().with_schema(Arc::new(hinted)))?;
            let fields = metadata.schema().fields().clone();
            schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        }
        Ok(Self { path: path.to_owned(), file, metadata, schema })
    }

    /// Refuses columns that cannot be read.
    pub(crate) fn check_columns(&self, columns: &[usize]) -> Result<(), BatchError> {
        check_compression(&self.path, self.metadata.metadata(), columns)
    }

    /// The error for a row group that cannot be read.
    pub(crate) fn damaged(&self, row_group: usize, first_row: u64, reason: String) -> BatchError {
        damaged(&self.path, row_group, first_row, &reason)
    }

    /// Reads the columns at `columns` (ascending), and keeps those at `kept`
    /// among them.
    pub(crate) fn read(self, columns: &[usize], kept: &[usize]) -> Result<Opened, BatchError> {
        let Self { path, file, metadata, schema } = self;
        check_compression(&path, metadata.metadata(), columns)?;
        let internal = |reason: String| BatchError::Internal { path: path.clone(), reason };
        let read_schema =
            Arc::new(schema.project(columns).map_err(|error| internal(error.to_string()))?);
        let kept_at: Vec<usize> =
            kept.iter().filter_map(|at| columns.iter().position(|column| column == at)).collect();
        let kept_schema = schema.project(kept).map_err(|error| internal(error.to_string()))?;

        let size = InputSize {
            rows: Some(metadata.metadata().row_groups().iter().map(rows_of).sum()),
            bytes: file.bytes(),
        };
        let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
        let kept_schema = Arc::new(kept_schema);
        let source = ParquetSource {
            path,
            file,
            metadata,
            mask,
            schema: Arc::clone(&read_schema),
            reader: None,
            row_group: 0,
            first_row: 0,
            rows_read: 0,
            size,
        };
        let decoder = ParquetDecoder { kept_at, kept: Arc::clone(&kept_schema) };
        Ok(Opened {
            source: Box::new(source),
            decoder: Box::new(decoder),
            schema: read_schema,
            kept: KeptSchema::Columns(kept_schema),
            size,
        })
    }
}

fn rows_of(row_group: &RowGroupMetaData) -> u64 {
    u64::try_from(row_group.num_rows()).unwrap_or(0)
}

/// Says what a file is that is no Parquet file.
fn check_form(path: &Path, file: &OpenFile) -> Result<(), BatchError> {
    let wrong = |reason: &str| {
        Err(BatchError::WrongFile { path: path.to_owned(), reason: reason.to_owned() })
    };
    let length = file.bytes().unwrap_or(0);
    if length == 0 {
        return wrong("the file is empty (0 bytes), so it is no Parquet file");
    }
    let mut head = [0; 4];
    let mut tail = [0; 4];
    let known = usize::try_from(length).unwrap_or(4).min(4);
    head[..known].copy_from_slice(&file.range(path, 0, known)?);
    if length >= SHORTEST {
        tail.copy_from_slice(&file.range(path, length - 4, 4)?);
    }
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match (&head, &tail) {
        (b"PAR1", b"PAR1") => Ok(()),
        (b"PARE", _) | (_, b"PARE") => {
            wrong("the Parquet file is encrypted, which is not supported; decrypt it first")
        }
        (b"PAR1", _) => wrong(
            "the file begins as Parquet but its end is missing; it was cut off, or is still being written",
        ),
        _ if head[..2] == [0x1f, 0x8b] => wrong(
            "it is no Parquet file but a gzip file; unpack it, or say what it holds (--input-format csv.gz or jsonl.gz)",
        ),
        _ if head == [0x28, 0xb5, 0x2f, 0xfd] => wrong(
            "it is no Parquet file but a zstd file; unpack it, or say what it holds (--input-format csv.zst or jsonl.zst)",
        ),
        _ if head[0] == b'{' => {
            wrong("it is no Parquet file; it looks like JSON lines (--input-format jsonl)")
        }
        _ if head[..known].iter().all(is_text) => {
            wrong("it is no Parquet file; it looks like text (--input-format csv or jsonl)")
        }
        _ if length < SHORTEST => wrong("the file is too short to be a Parquet file"),
        _ => wrong("it is no Parquet file: it does not begin and end with PAR1"),
    }
}

/// The schema with top-level INT96 timestamps in microseconds, if there are any.
fn with_wide_int96(metadata: &ArrowReaderMetadata) -> Option<Schema> {
    let roots = metadata.parquet_schema().root_schema().get_fields();
    let mut found = false;
    let fields: Fields = metadata
        .schema()
        .fields()
        .iter()
        .zip(roots)
        .map(|(field, root)| -> FieldRef {
            let int96 = root.is_primitive() && root.get_physical_type() == PhysicalType::INT96;
            match field.data_type() {
                ArrowType::Timestamp(TimeUnit::Nanosecond, zone) if int96 => {
                    found = true;
                    let micros = ArrowType::Timestamp(TimeUnit::Microsecond, zone.clone());
                    Arc::new(Field::clone(field).with_data_type(micros))
                }
                _ => Arc::clone(field),
            }
        })
        .collect();
    found.then(|| Schema::new(fields))
}

/// Refuses codecs that this build cannot unpack, before anything is read.
fn check_compression(
    path: &Path,
    metadata: &ParquetMetaData,
    columns: &[usize],
) -> Result<(), BatchError> {
    let schema = metadata.file_metadata().schema_descr();
    let mut first_row = 0;
    for (row_group, group) in metadata.row_groups().iter().enumerate() {
        for (leaf, column) in group.columns().iter().enumerate() {
            let supported = matches!(
                column.compression(),
                Compression::UNCOMPRESSED
                    | Compression::SNAPPY
                    | Compression::GZIP(_)
                    | Compression::LZ4
                    | Compression::LZ4_RAW
                    | Compression::ZSTD(_)
            );
            if !supported && columns.contains(&schema.get_column_root_idx(leaf)) {
                return Err(BatchError::RowGroup {
                    path: path.to_owned(),
                    row_group,
                    first_row,
                    reason: format!(
                        "column {:?} is compressed with {}, which is not supported; write it again with snappy, zstd, gzip or lz4",
                        schema.column(leaf).path().string(),
                        column.compression().to_string().to_lowercase()
                    ),
                });
            }
        }
        first_row += rows_of(group);
    }
    Ok(())
}

/// How many rows of a row group a batch may have so that it does not grow too
/// large.
pub(crate) fn batch_rows(
    row_group: &RowGroupMetaData,
    mask: &ProjectionMask,
    most: usize,
) -> usize {
    let columns = row_group.columns().iter().enumerate();
    let read = columns.filter(|(leaf, _)| mask.leaf_included(*leaf)).map(|(_, column)| column);
    let bytes = read.map(|column| {
        // Where values repeat, this is much more than what is stored.
        let unpacked = column.unencoded_byte_array_data_bytes().unwrap_or(0);
        u64::try_from(column.uncompressed_size().max(unpacked)).unwrap_or(0)
    });
    let row_bytes = bytes.sum::<u64>() / rows_of(row_group).max(1);
    usize::try_from(BATCH_BYTES / row_bytes.max(1)).unwrap_or(most).clamp(1, most)
}

/// Reads one row group after the other, so that damage is reported where it is.
struct ParquetSource {
    path: PathBuf,
    file: OpenFile,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    schema: SchemaRef,
    /// Of the current row group, once it was begun.
    reader: Option<ParquetRecordBatchReader>,
    row_group: usize,
    /// The first row of the current row group.
    first_row: u64,
    rows_read: u64,
    size: InputSize,
}

impl Source for ParquetSource {
    fn next(&mut self) -> Result<Option<Piece>, BatchError> {
        let groups = Arc::clone(self.metadata.metadata());
        while let Some(group) = groups.row_groups().get(self.row_group) {
            let batch = self.next_batch(group).map_err(|reason| self.damaged(reason))?;
            let Some(batch) = batch else {
                let found = self.rows_read - self.first_row;
                if found != rows_of(group) {
                    let reason = format!("{found} rows instead of {}", rows_of(group));
                    return Err(self.damaged(reason));
                }
                self.reader = None;
                self.row_group += 1;
                self.first_row = self.rows_read;
                continue;
            };
            let (first_row, rows) = (self.rows_read, batch.num_rows());
            self.rows_read += rows as u64;
            let share = self.rows_read as f64 / self.size.rows.unwrap_or(0).max(1) as f64;
            let bytes_read = (self.size.bytes.unwrap_or(0) as f64 * share) as u64;
            return Ok(Some(Piece { first_row, rows, content: Content::Batch(batch), bytes_read }));
        }
        Ok(None)
    }
}

impl ParquetSource {
    /// The next batch of the current row group.
    fn next_batch(&mut self, group: &RowGroupMetaData) -> Result<Option<RecordBatch>, String> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let file = self.file.try_clone().map_err(|error| error.to_string())?;
                let metadata = self.metadata.clone();
                let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                    .with_projection(self.mask.clone())
                    .with_batch_size(batch_rows(group, &self.mask, PIECE_ROWS))
                    .with_row_groups(vec![self.row_group]);
                guarded(|| builder.build())?
            }
        };
        let batch = guarded(|| reader.next().transpose())?;
        self.reader = Some(reader);
        // The reader's own schema has lost the metadata of the file.
        let with_schema = |batch: RecordBatch| batch.with_schema(Arc::clone(&self.schema));
        batch.map(with_schema).transpose().map_err(|error| error.to_string())
    }

    fn damaged(&self, reason: String) -> BatchError {
        damaged(&self.path, self.row_group, self.first_row, &reason)
    }
}

fn damaged(path: &Path, row_group: usize, first_row: u64, reason: &str) -> BatchError {
    BatchError::RowGroup {
        path: path.to_owned(),
        row_group,
        first_row,
        reason: format!("it cannot be read, the file is damaged: {reason}"),
    }
}

/// Runs the Parquet reader, which panics on some damaged files.
pub(crate) fn guarded<T, E: std::fmt::Display>(
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => Err(panic_message(panic.as_ref())),
    }
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    message.or_else(|| panic.downcast_ref().copied()).unwrap_or("it panicked").to_owned()
}

struct ParquetDecoder {
    /// Where the kept columns are among those that are read.
    kept_at: Vec<usize>,
    kept: SchemaRef,
}

impl Decode for ParquetDecoder {
    fn decode(&self, piece: Content) -> Result<Decoded, BatchError> {
        let Content::Batch(columns) = piece else { unreachable!("a Parquet source gives batches") };
        let kept = self.kept_at.iter().map(|at| Arc::clone(columns.column(*at))).collect();
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(columns.num_rows()));
        let kept = RecordBatch::try_new_with_options(Arc::clone(&self.kept), kept, &options)
            .expect("the columns are of the schema they were taken from");
        Ok(Decoded { columns, kept: Kept::Columns(kept) })
    }
}
