use std::sync::Arc;

use arrow::array::RecordBatch;
use unskew_plan::SourcePlan;

use crate::rows::all_rows::{AllRows, Verdicts};
use crate::rows::dead_letter::{DeadLetter, DeadLetterReason};
use crate::rows::error::RowsError;
use crate::rows::origins::Origins;

/// What other rows make of a row, where each counts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropRule {
    /// Records of a log that were given before, and those that came too late.
    /// Decided over whole partitions of the log.
    Log,
    /// Copies, by the source's event id. Decided over all rows of an id that
    /// [`Self::Log`] keeps.
    Copies,
}

/// Rows that count for nothing.
#[derive(Clone, Debug, Default)]
pub struct DroppedRows {
    /// Where they came from, as [`Origins::pack`] has it, ascending.
    pub origins: Vec<u64>,
    /// Why, one for each.
    pub dead_letters: Vec<DeadLetter>,
    /// Whether there were rows of one place of a log, of which nobody looked at
    /// fields that were not read.
    pub has_repeats: bool,
}

/// The rows among these that one rule drops. Together they must be all that the
/// rule looks at; fields that it does not look at may be null.
pub fn dropped_rows(
    source: &SourcePlan,
    batch: &RecordBatch,
    numbers: &[u64],
    files: &Arc<[Arc<str>]>,
    rule: DropRule,
) -> Result<DroppedRows, RowsError> {
    let all = AllRows::new(source, batch)?;
    let mut verdicts: Verdicts = vec![None; batch.num_rows()];
    match rule {
        DropRule::Log => {
            all.drop_repeated_records(source, &mut verdicts)?;
            all.drop_late(source, &mut verdicts);
        }
        DropRule::Copies => {
            if let Some(field) = source.event_id {
                let origins = Origins::new(Arc::clone(files), numbers.to_vec());
                let order = all.order(&origins).order;
                all.drop_copies(batch.column(field), &order, &mut verdicts);
            }
        }
    }
    let mut dropped: Vec<(u64, DeadLetter)> = Vec::new();
    for (row, verdict) in verdicts.into_iter().enumerate() {
        let Some((reason, detail)) = verdict else { continue };
        let (file, place_row) = Origins::unpack(numbers[row]);
        let place = files.get(file).map_or_else(|| Arc::from(""), Arc::clone);
        let position = all.log.as_ref().map(|log| (log.partitions[row], log.offsets[row]));
        dropped
            .push((numbers[row], DeadLetter { place, row: place_row, reason, detail, position }));
    }
    dropped.sort_by_key(|(origin, _)| *origin);
    let is_repeat = |(_, letter): &(u64, DeadLetter)| letter.reason == DeadLetterReason::Duplicate;
    let has_repeats = rule == DropRule::Log && dropped.iter().any(is_repeat);
    let (origins, dead_letters) = dropped.into_iter().unzip();
    Ok(DroppedRows { origins, dead_letters, has_repeats })
}
