use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use unskew_executor::FeatureStatus;
use unskew_executor::service::{FeatureAnswers, RowWarning};
use unskew_host::RowError;
use unskew_plan::ViewId;

/// What came of evaluation, added up over buckets in any order.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// By view and feature.
    pub(crate) features: BTreeMap<(ViewId, usize), FeatureCounts>,
    /// By view and transform or expression.
    warnings: BTreeMap<(ViewId, String), RowWarning>,
    /// Rows that views left out: how many, by reason.
    pub(crate) left_out: BTreeMap<String, u64>,
    pub(crate) labels_at_event_time: u64,
}

/// How the answers of a feature turned out.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeatureCounts {
    pub(crate) statuses: BTreeMap<FeatureStatus, u64>,
    /// The first label that failed.
    pub(crate) first_error: Option<RowError>,
}

impl Tally {
    fn with<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds the answers of a feature; `label` is the number of the label that
    /// a row of them answers.
    pub(crate) fn add_feature(
        &self,
        view: &ViewId,
        feature: usize,
        answers: &FeatureAnswers,
        label: impl Fn(usize) -> usize,
    ) {
        let mut found: BTreeMap<FeatureStatus, u64> = BTreeMap::new();
        for status in answers.statuses.chunk_by(|a, b| a == b) {
            *found.entry(status[0]).or_insert(0) += status.len() as u64;
        }
        let first = answers.errors.iter().min_by_key(|error| label(error.row));
        let first = first.map(|error| RowError { row: label(error.row), ..error.clone() });
        self.with(|counts| {
            let known = counts.features.entry((view.clone(), feature)).or_default();
            for (status, count) in found {
                *known.statuses.entry(status).or_insert(0) += count;
            }
            if let Some(first) = first
                && known.first_error.as_ref().is_none_or(|known| first.row < known.row)
            {
                known.first_error = Some(first);
            }
        });
    }

    pub(crate) fn add_warnings(&self, warnings: &[RowWarning]) {
        if warnings.is_empty() {
            return;
        }
        self.with(|counts| {
            for warning in warnings {
                let key = (warning.view.clone(), warning.what.clone());
                match counts.warnings.get_mut(&key) {
                    Some(known) => known.add(warning),
                    None => drop(counts.warnings.insert(key, warning.clone())),
                }
            }
        });
    }

    pub(crate) fn add_left_out(&self, reason: String, rows: u64) {
        if rows > 0 {
            self.with(|counts| *counts.left_out.entry(reason).or_insert(0) += rows);
        }
    }

    pub(crate) fn add_labels_at_event_time(&self, labels: u64) {
        self.with(|counts| counts.labels_at_event_time += labels);
    }

    /// All of it, and the warnings in words.
    pub(crate) fn take(&self) -> (Counts, Vec<String>) {
        let mut counts = self.with(std::mem::take);
        let warnings = std::mem::take(&mut counts.warnings);
        (counts, warnings.into_values().map(|warning| warning.to_string()).collect())
    }
}
