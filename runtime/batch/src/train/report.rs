use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use unskew_definition::Name;
use unskew_executor::rows::{DeadLetter, DeadLetterReason};

use crate::operator::counted;
use crate::scan::SourceCounts;
use crate::train::attempt::{Attempt, DroppedOfSource, GroupPlan, Shared};
use crate::train::tally::{Counts, FeatureCounts};
use crate::train::{FeatureSummary, SourceSummary, TrainingCounters, TrainingSummary};

impl Attempt<'_> {
    /// What came of it.
    pub(crate) fn summary(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        groups: &[GroupPlan],
        dropped: &BTreeMap<Name, DroppedOfSource>,
        names: &[String],
        shared: &Shared,
    ) -> TrainingSummary {
        let mut sources: Vec<SourceSummary> = Vec::new();
        for GroupPlan { group, rows, counts, answers: _ } in groups {
            let without_key = counted(rows, "rows_without_key");
            for operator in group.operators(self.service) {
                let reason = DeadLetterReason::JoinKey(operator.view().id.name.clone());
                shared.tally.add_left_out(reason.to_string(), without_key);
            }
            let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(files) = self.inputs.get(&group.source.name) else { continue };
            let files = files.len();
            let summary = SourceSummary::new(&group.source.name, &counts, files);
            match sources.iter_mut().find(|known| known.source == summary.source) {
                None => sources.push(summary),
                // The same rows, read for other keys.
                Some(known) if known.rows < summary.rows => *known = summary,
                Some(_) => {}
            }
        }
        for source in &mut sources {
            let Some(dropped) = dropped.get(&source.source) else { continue };
            let counts = dropped.counts.lock().unwrap_or_else(PoisonError::into_inner);
            for (reason, count) in &counts.dead_letters {
                *source.dead_letters.entry(reason.clone()).or_insert(0) += count;
            }
            if source.first_dead_letter.is_none() {
                source.first_dead_letter = counts.first.as_ref().map(told);
            }
        }
        let (counts, mut warnings) = shared.tally.take();
        let Counts { mut features, left_out, labels_at_event_time, .. } = counts;
        let labels = shared.labels.rows() as u64;
        if labels_at_event_time > 0 {
            warnings.push(format!(
                "{labels_at_event_time} of {labels} labels are at the very time of an event of their entity, which counts; if events are known only later, give their source a created_timestamp"
            ));
        }
        let features = self.service.features().iter().zip(names).map(|(feature, column)| {
            let key = (feature.view.id().clone(), feature.feature);
            FeatureSummary::new(features.remove(&key).unwrap_or_default(), column)
        });
        TrainingSummary {
            output: self.job.output.clone(),
            manifest: None,
            labels,
            sources,
            features: features.collect(),
            left_out,
            labels_at_event_time,
            warnings,
            counters: TrainingCounters::of(plan),
            plan: DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(false).to_string(),
        }
    }
}

impl TrainingCounters {
    fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        let count = |name: &str| counted(plan, name);
        Self {
            row_groups_read: count("row_groups_read"),
            row_groups_pruned: count("row_groups_pruned"),
            columns_read: count("columns_read"),
            columns_pruned: count("columns_pruned"),
            rows_read: count("rows_read"),
            rows_outside_time: count("rows_outside_time"),
            sorts: count("sorts"),
            sorts_skipped: count("sorts_skipped"),
            bytes_spilled: count("spilled_bytes"),
            spills: count("spill_count"),
            wasm_calls: count("wasm_calls"),
            wasm_rows: count("wasm_rows"),
        }
    }
}

fn told(letter: &DeadLetter) -> String {
    format!("{}, row {}: {}: {}", letter.place, letter.row, letter.reason, letter.detail)
}

impl SourceSummary {
    fn new(name: &Name, counts: &SourceCounts, files: usize) -> Self {
        let first = counts.first.as_ref().map(told);
        Self {
            source: name.clone(),
            files,
            rows: counts.rows,
            dead_letters: counts.dead_letters.clone(),
            first_dead_letter: first,
        }
    }
}

impl FeatureSummary {
    fn new(counts: FeatureCounts, column: &str) -> Self {
        let FeatureCounts { statuses, first_error } = counts;
        Self {
            column: column.to_owned(),
            statuses,
            first_error: first_error
                .map(|error| format!("label {}: {}: {}", error.row, error.status, error.message)),
        }
    }
}
