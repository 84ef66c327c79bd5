use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::spill_file::SpillFile;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

use crate::error::BatchError;
use crate::job_state::JobState;

/// Batches of rows, each divided into buckets. Any number of threads adds to
/// it, and then reads bucket by bucket.
#[derive(Debug)]
pub(crate) struct BucketStore {
    schema: SchemaRef,
    context: Arc<TaskContext>,
    spilled: SpillMetrics,
    content: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    chunks: Vec<Chunk>,
    /// What was written to disk: all older than `chunks`.
    runs: Vec<Run>,
    reservation: MemoryReservation,
    rows: u64,
}

/// Rows in the order of their buckets.
#[derive(Debug)]
pub(crate) struct Chunk {
    batch: RecordBatch,
    /// The bucket of the first row.
    first_bucket: usize,
    /// Where each bucket from the first on begins, and where the last ends.
    starts: Vec<u32>,
}

/// Rows on disk, in the order of their buckets.
struct Run {
    file: Arc<dyn SpillFile>,
    path: PathBuf,
    first_bucket: usize,
    /// Where the section of each bucket begins, and where the last ends; each
    /// is a stream of Arrow's IPC.
    starts: Vec<u64>,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Chunk {
    /// `starts` are those of the buckets from `first_bucket` on, and the number
    /// of rows.
    pub(crate) fn new(batch: RecordBatch, first_bucket: usize, starts: Vec<u32>) -> Self {
        debug_assert_eq!(starts.last().copied(), Some(batch.num_rows() as u32));
        Self { batch, first_bucket, starts }
    }

    fn buckets(&self) -> std::ops::Range<usize> {
        self.first_bucket..self.first_bucket + self.starts.len() - 1
    }

    fn rows_of(&self, bucket: usize) -> Option<RecordBatch> {
        let at = bucket.checked_sub(self.first_bucket)?;
        let (start, end) = (*self.starts.get(at)?, *self.starts.get(at + 1)?);
        (end > start).then(|| self.batch.slice(start as usize, (end - start) as usize))
    }

    fn memory_bytes(&self) -> usize {
        self.batch.get_array_memory_size() + self.starts.len() * size_of::<u32>()
    }
}

impl BucketStore {
    /// An empty store of rows of `schema`; `name` is for messages about memory.
    pub(crate) fn new(
        name: &str,
        schema: SchemaRef,
        context: &Arc<TaskContext>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Self {
        let consumer = MemoryConsumer::new(name).with_can_spill(true);
        let reservation = consumer.register(context.memory_pool());
        let content = Content { chunks: Vec::new(), runs: Vec::new(), reservation, rows: 0 };
        Self {
            schema,
            context: Arc::clone(context),
            spilled: SpillMetrics::new(metrics, 0),
            content: Mutex::new(content),
        }
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows it holds.
    pub(crate) fn rows(&self) -> u64 {
        self.content.lock().unwrap_or_else(PoisonError::into_inner).rows
    }

    /// Adds rows; writes what is in memory to disk where there is no room.
    pub(crate) fn add(&self, chunk: Chunk) -> Result<(), BatchError> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = chunk.memory_bytes();
        content.rows += chunk.batch.num_rows() as u64;
        if content.reservation.try_grow(bytes).is_ok() {
            content.chunks.push(chunk);
            return Ok(());
        }
        self.spill(&mut content)?;
        match content.reservation.try_grow(bytes) {
            Ok(()) => {
                content.chunks.push(chunk);
                Ok(())
            }
            Err(_) => {
                content.chunks.push(chunk);
                self.spill(&mut content)
            }
        }
    }

    /// Nothing more will be added. Where some rows are on disk the others go
    /// there, too, so that their memory is free for the work on them.
    pub(crate) fn finish(&self) -> Result<(), BatchError> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        match content.runs.is_empty() {
            true => Ok(()),
            false => self.spill(&mut content),
        }
    }

    fn spill(&self, content: &mut Content) -> Result<(), BatchError> {
        let chunks = std::mem::take(&mut content.chunks);
        if chunks.is_empty() {
            return Ok(());
        }
        let run = self.write_run(&chunks)?;
        drop(chunks);
        content.runs.push(run);
        content.reservation.free();
        Ok(())
    }

    fn write_run(&self, chunks: &[Chunk]) -> Result<Run, BatchError> {
        let disk = &self.context.runtime_env().disk_manager;
        let file = disk.create_tmp_file("rows divided by entity").map_err(|error| {
            BatchError::Plan { reason: format!("no temporary file can be made: {error}") }
        })?;
        let path = file.path().map(Path::to_owned).unwrap_or_default();
        let failed = |source| BatchError::writing(&path, source);
        let opened = File::options().write(true).open(&path).map_err(failed)?;
        let mut to = BufWriter::with_capacity(1 << 18, Counting { file: opened, bytes: 0 });
        let first_bucket = chunks.iter().map(|chunk| chunk.first_bucket).min().unwrap_or(0);
        let end = chunks.iter().map(|chunk| chunk.buckets().end).max().unwrap_or(first_bucket);
        let mut starts = Vec::with_capacity(end - first_bucket + 1);
        let mut written = 0;
        let mut rows = 0;
        for bucket in first_bucket..end {
            starts.push(written);
            let slices: Vec<RecordBatch> =
                chunks.iter().filter_map(|chunk| chunk.rows_of(bucket)).collect();
            if slices.is_empty() {
                continue;
            }
            let batch = self.joined(&slices)?;
            rows += batch.num_rows();
            let ipc = |error: datafusion::arrow::error::ArrowError| match error {
                datafusion::arrow::error::ArrowError::IoError(_, source) => {
                    BatchError::writing(&path, source)
                }
                other => BatchError::Plan { reason: format!("rows cannot be kept: {other}") },
            };
            let mut writer = StreamWriter::try_new(&mut to, &self.schema).map_err(ipc)?;
            writer.write(&batch).map_err(ipc)?;
            writer.finish().map_err(ipc)?;
            drop(writer);
            written = to.get_ref().bytes + to.buffer().len() as u64;
        }
        starts.push(written);
        to.flush().map_err(failed)?;
        self.spilled.spilled_bytes.add(written as usize);
        self.spilled.spilled_rows.add(rows);
        self.spilled.spill_file_count.add(1);
        Ok(Run { file, path, first_bucket, starts })
    }

    /// The rows of a bucket, in the order in which they were added by each
    /// thread.
    pub(crate) fn bucket(&self, bucket: usize) -> Result<Vec<RecordBatch>, BatchError> {
        let content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sections = Vec::new();
        for run in &content.runs {
            let Some(at) = bucket.checked_sub(run.first_bucket) else { continue };
            if let (Some(start), Some(end)) = (run.starts.get(at), run.starts.get(at + 1))
                && end > start
            {
                sections.push((Arc::clone(&run.file), run.path.clone(), *start, *end));
            }
        }
        let in_memory: Vec<RecordBatch> =
            content.chunks.iter().filter_map(|chunk| chunk.rows_of(bucket)).collect();
        drop(content);
        let mut batches = Vec::with_capacity(sections.len() + in_memory.len());
        for (_file, path, start, end) in sections {
            let failed = |source| BatchError::reading(&path, source);
            let mut file = File::open(&path).map_err(failed)?;
            file.seek(SeekFrom::Start(start)).map_err(failed)?;
            let mut bytes = vec![0; (end - start) as usize];
            file.read_exact(&mut bytes).map_err(failed)?;
            let damaged = |error: datafusion::arrow::error::ArrowError| BatchError::Plan {
                reason: format!("rows kept in {} cannot be read: {error}", path.display()),
            };
            for batch in StreamReader::try_new(&bytes[..], None).map_err(damaged)? {
                batches.push(batch.map_err(damaged)?);
            }
        }
        batches.extend(in_memory);
        Ok(batches)
    }

    /// The rows of a bucket as one batch; none if it has none. Pieces are put
    /// in the order of their first values in `order_column`, so that rows that
    /// were sorted by it before still are.
    pub(crate) fn gathered(
        &self,
        bucket: usize,
        order_column: impl Fn(&RecordBatch) -> i64,
        job: &JobState,
    ) -> datafusion::common::Result<Option<RecordBatch>> {
        let mut batches = self.bucket(bucket).map_err(|error| job.fail(error))?;
        batches.sort_by_key(order_column);
        match &batches[..] {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            several => {
                let joined = self.joined(several).map_err(|error| job.fail(error))?;
                Ok(Some(joined))
            }
        }
    }

    fn joined(&self, batches: &[RecordBatch]) -> Result<RecordBatch, BatchError> {
        concat_batches(&self.schema, batches).map_err(|error| BatchError::Plan {
            reason: format!("rows of one part of the entities do not fit one column: {error}; choose more parts by a lower --memory-limit"),
        })
    }
}

struct Counting {
    file: File,
    bytes: u64,
}

impl std::io::Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
