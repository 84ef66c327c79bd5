//! What all operators of one running job share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use datafusion::common::{DataFusionError, Result};

use crate::error::BatchError;

/// The first failure of a job, its cancellation, and how far it is.
#[derive(Debug, Default)]
pub(crate) struct JobState {
    failure: Mutex<Option<BatchError>>,
    is_cancelled: AtomicBool,
    progress: Progress,
}

/// How far a job is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Rows of sources that were read.
    pub(crate) rows_read: AtomicU64,
    /// Rows of sources that there are to read, as far as that is known.
    pub(crate) rows_known: AtomicU64,
    /// Labels that were answered by a view, and all that will be.
    pub(crate) labels_answered: AtomicU64,
    pub(crate) labels_asked: AtomicU64,
    /// Labels that were written.
    pub(crate) labels_written: AtomicU64,
}

impl Progress {
    pub(crate) fn add(&self, counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

impl JobState {
    /// Keeps the first failure, which DataFusion's errors could not carry
    /// whole; the error that is returned only stops the plan.
    pub(crate) fn fail(&self, error: BatchError) -> DataFusionError {
        let message = error.to_string();
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
        self.is_cancelled.store(true, Ordering::Relaxed);
        DataFusionError::Execution(message)
    }

    /// What made the job fail: the first failure, or else what DataFusion says.
    pub(crate) fn failure(&self, otherwise: &DataFusionError) -> BatchError {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take().unwrap_or_else(|| BatchError::Plan { reason: otherwise.to_string() })
    }

    /// Asks all operators to stop.
    pub(crate) fn cancel(&self) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(BatchError::Cancelled);
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// An error once the job failed or was cancelled; for long work to look at.
    pub(crate) fn check(&self) -> Result<()> {
        match self.is_cancelled.load(Ordering::Relaxed) {
            true => Err(DataFusionError::Execution("the job was stopped".to_owned())),
            false => Ok(()),
        }
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }
}
