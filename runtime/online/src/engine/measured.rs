//! Modules as they are served: each call timed and its faults counted, so that
//! the slow ones are known and kept away from the others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use unskew_definition::{Name, TransformSignature};
use unskew_executor::{
    AggregateKernel, EvaluationError, FeatureStatus, ModuleCatalog, TransformKernel,
};
use unskew_host::{CallError, Outcome};

use crate::measure::{Counter, Histogram};

/// What is known of one module.
#[derive(Debug, Default)]
pub(crate) struct ModuleMeasure {
    pub(crate) calls: Histogram,
    pub(crate) rows: Counter,
    /// Rows that failed.
    pub(crate) faults: Counter,
    /// Calls that gave no outcome at all.
    pub(crate) refusals: Counter,
    pub(crate) fuel: Counter,
}

/// What is known of one view.
#[derive(Debug, Default)]
pub(crate) struct ViewMeasure {
    /// From stored bytes, or from inputs, to values.
    pub(crate) computation: Histogram,
    /// Values by status: PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE,
    /// ERROR.
    pub(crate) statuses: [Counter; 5],
    /// The greatest age of a value that was found since somebody looked, in
    /// microseconds.
    oldest_us: AtomicU64,
    /// The same of the interval before.
    last_oldest_us: AtomicU64,
    /// What a row takes, smoothed, in nanoseconds.
    row_ns: AtomicU64,
}

impl ViewMeasure {
    /// Counts values and, of those found, ages.
    pub(crate) fn count(&self, statuses: &[FeatureStatus]) {
        let mut counts = [0; 5];
        for status in statuses {
            counts[*status as usize] += 1;
        }
        self.statuses.iter().zip(counts).for_each(|(counter, n)| counter.add(n));
    }

    /// Notes the age of a value.
    pub(crate) fn note_age(&self, age_us: i64) {
        let age = age_us.max(0).unsigned_abs();
        if age > self.oldest_us.load(Relaxed) {
            self.oldest_us.fetch_max(age, Relaxed);
        }
    }

    /// The greatest age since the last call, in microseconds.
    pub(crate) fn take_oldest_us(&self) -> u64 {
        let oldest = self.oldest_us.swap(0, Relaxed);
        self.last_oldest_us.store(oldest, Relaxed);
        oldest
    }

    /// The greatest age of the last interval, or of this one, in microseconds.
    pub(crate) fn last_oldest_us(&self) -> u64 {
        self.oldest_us.load(Relaxed).max(self.last_oldest_us.load(Relaxed))
    }

    /// Notes what `rows` rows took.
    pub(crate) fn note_rows(&self, rows: usize, took: Duration) {
        self.computation.record(took);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let each = took / rows.max(1) as u64;
        let known = self.row_ns.load(Relaxed);
        // A quarter of the weight to the newest: a first call is slow, a loop stays so.
        let smoothed = if known == 0 { each } else { known - known / 4 + each / 4 };
        self.row_ns.store(smoothed.max(1), Relaxed);
    }

    /// What a row takes, as far as is known.
    pub(crate) fn row_time(&self) -> Duration {
        Duration::from_nanos(self.row_ns.load(Relaxed))
    }
}

/// The modules of a project, measured.
pub(crate) struct MeasuredModules {
    inner: Arc<dyn ModuleCatalog + Send + Sync>,
    measures: Mutex<BTreeMap<Name, Arc<ModuleMeasure>>>,
}

impl MeasuredModules {
    pub(crate) fn new(inner: Arc<dyn ModuleCatalog + Send + Sync>) -> Self {
        Self { inner, measures: Mutex::default() }
    }

    fn measure(&self, module: &Name) -> Arc<ModuleMeasure> {
        let mut measures = self.measures.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(measures.entry(module.clone()).or_default())
    }

    /// What is known of each module.
    pub(crate) fn measures(&self) -> BTreeMap<Name, Arc<ModuleMeasure>> {
        self.measures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ModuleCatalog for MeasuredModules {
    fn transform(
        &self,
        module: &Name,
        transform: &Name,
    ) -> Result<Arc<dyn TransformKernel>, EvaluationError> {
        let kernel = self.inner.transform(module, transform)?;
        Ok(Arc::new(MeasuredTransform { kernel, measure: self.measure(module) }))
    }

    fn aggregate(
        &self,
        module: &Name,
        aggregate: &Name,
    ) -> Result<Arc<dyn AggregateKernel>, EvaluationError> {
        self.inner.aggregate(module, aggregate)
    }
}

struct MeasuredTransform {
    kernel: Arc<dyn TransformKernel>,
    measure: Arc<ModuleMeasure>,
}

impl TransformKernel for MeasuredTransform {
    fn signature(&self) -> &TransformSignature {
        self.kernel.signature()
    }

    fn transform(
        &self,
        arguments: &RecordBatch,
        max_errors: Option<u64>,
    ) -> Result<Outcome, CallError> {
        let begun = Instant::now();
        let outcome = self.kernel.transform(arguments, max_errors);
        self.measure.calls.record(begun.elapsed());
        self.measure.rows.add(arguments.num_rows() as u64);
        match &outcome {
            Ok(outcome) => {
                self.measure.faults.add(outcome.errors.len() as u64);
                self.measure.fuel.add(outcome.metrics.fuel);
            }
            Err(_) => self.measure.refusals.add(1),
        }
        outcome
    }
}
