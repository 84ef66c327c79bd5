//! What a job may use of the machine.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;

use crate::error::BatchError;

/// What a job may use of the machine. None of it changes a value.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Bytes of memory for rows. What does not fit is kept in temporary files
    /// meanwhile.
    pub memory_limit_bytes: u64,
    /// How many threads work.
    pub threads: usize,
    /// Where temporary files go: a folder of its own in this one, removed at
    /// the end. By default in the system's.
    pub temp_dir: Option<PathBuf>,
    /// Into how many parts entities are divided; chosen by the size of the data
    /// if it is not given.
    pub buckets: Option<usize>,
}

/// The memory limit where none is given.
pub const DEFAULT_MEMORY_LIMIT_BYTES: u64 = 2 << 30;
/// With less no batch of rows can be read.
const LEAST_MEMORY_BYTES: u64 = 1 << 20;
/// Buckets at most: each takes a little memory in each run of spilled rows.
const MOST_BUCKETS: usize = 4096;

impl Default for Resources {
    fn default() -> Self {
        Self {
            memory_limit_bytes: DEFAULT_MEMORY_LIMIT_BYTES,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            temp_dir: None,
            buckets: None,
        }
    }
}

impl Resources {
    /// Refuses what nothing can be done with.
    pub(crate) fn check(&self) -> Result<(), BatchError> {
        let Self { memory_limit_bytes, threads, temp_dir, buckets } = self;
        let wrong = |what: String| Err(BatchError::WrongOption(what));
        if *memory_limit_bytes < LEAST_MEMORY_BYTES {
            return wrong(format!(
                "--memory-limit is {memory_limit_bytes} bytes; give at least {LEAST_MEMORY_BYTES} (1MiB)"
            ));
        }
        if !(1..=1024).contains(threads) {
            return wrong(format!("--threads is {threads}; give 1 to 1024"));
        }
        if buckets.is_some_and(|buckets| !(1..=MOST_BUCKETS).contains(&buckets)) {
            return wrong(format!("give 1 to {MOST_BUCKETS} buckets"));
        }
        match temp_dir {
            Some(dir) if !dir.is_dir() => wrong(format!(
                "--temp-dir {}: there is no such folder; make it, or give another",
                dir.display()
            )),
            _ => Ok(()),
        }
    }

    /// Memory and temporary files of DataFusion's operators and ours. Rows that
    /// are kept take half of the memory; the other half is for the work on
    /// them.
    pub(crate) fn runtime(&self) -> Result<Arc<RuntimeEnv>, BatchError> {
        let mode = match &self.temp_dir {
            Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let disk = DiskManagerBuilder::default().with_mode(mode);
        let disk = disk.with_max_temp_directory_size(u64::MAX);
        let limit = usize::try_from(self.memory_limit_bytes / 2).unwrap_or(usize::MAX);
        RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(limit)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(|error| match &self.temp_dir {
                Some(dir) => BatchError::WrongOption(format!(
                    "--temp-dir {}: no temporary folder can be made there: {error}",
                    dir.display()
                )),
                None => BatchError::Plan { reason: error.to_string() },
            })
    }

    pub(crate) fn context(&self, runtime: Arc<RuntimeEnv>) -> Arc<TaskContext> {
        let config = SessionConfig::new().with_target_partitions(self.threads);
        Arc::new(TaskContext::default().with_session_config(config).with_runtime(runtime))
    }

    /// Into how many buckets rows of so many bytes go, so that each thread can
    /// work on one.
    pub(crate) fn buckets_for(&self, bytes: u64) -> usize {
        if let Some(buckets) = self.buckets {
            return buckets;
        }
        let bucket_bytes =
            (self.memory_limit_bytes / (64 * self.threads as u64)).clamp(64 << 10, 4 << 20);
        let wanted = usize::try_from(bytes / bucket_bytes).unwrap_or(MOST_BUCKETS);
        wanted.clamp(1, MOST_BUCKETS).next_power_of_two().max(4 * self.threads).min(MOST_BUCKETS)
    }

    /// Bytes of rows that one thread gathers before it divides them.
    pub(crate) fn chunk_bytes(&self) -> usize {
        let share = self.memory_limit_bytes / (32 * self.threads as u64);
        usize::try_from(share).unwrap_or(usize::MAX).clamp(64 << 10, 16 << 20)
    }
}
