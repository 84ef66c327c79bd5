use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, take_record_batch};
use unskew_plan::SourcePlan;

use crate::rows::accepted_rows::AcceptedRows;
use crate::rows::dead_letter::DeadLetter;
use crate::rows::error::RowsError;
use crate::rows::origins::Origins;
use crate::rows::row_judge::{JudgedRows, RowJudge};
use crate::rows::source_reader::{SourceRows, source_schema};

/// Decides which rows of a source count: takes them in any order and in pieces
/// of any size, and gives the same rows for every order and size.
pub struct Acceptance {
    source: Arc<SourcePlan>,
    judge: RowJudge,
    batches: Vec<RecordBatch>,
    files: Vec<Arc<str>>,
    origins: Vec<u64>,
    dead_letters: Vec<DeadLetter>,
}

/// Rows are numbered by 32 bits.
const MAX_ROWS: usize = u32::MAX as usize;

impl Acceptance {
    /// For rows of `source`.
    pub fn new(source: Arc<SourcePlan>) -> Self {
        Self {
            judge: RowJudge::new(Arc::clone(&source)),
            source,
            batches: Vec::new(),
            files: Vec::new(),
            origins: Vec::new(),
            dead_letters: Vec::new(),
        }
    }

    /// Takes rows of the file `place`, the first of which is its row
    /// `first_row`.
    pub fn push(
        &mut self,
        rows: &SourceRows,
        place: &Arc<str>,
        first_row: u64,
    ) -> Result<(), RowsError> {
        let file = match self.files.last() {
            Some(file) if file == place => self.files.len() - 1,
            _ => {
                self.files.push(Arc::clone(place));
                self.files.len() - 1
            }
        };
        let JudgedRows { kept, dead_letters } = self.judge.judge(rows, place, first_row)?;
        self.dead_letters.extend(dead_letters);
        let origin = |row: u64| Origins::pack(file, first_row + row);
        let count = rows.batch.num_rows();
        if self.origins.len() + kept.as_ref().map_or(count, |kept| kept.len()) > MAX_ROWS {
            let source_name = self.source.name.clone();
            return Err(RowsError::TooManyRows { source_name, limit: MAX_ROWS });
        }
        match kept {
            None => {
                self.origins.extend((0..count as u64).map(origin));
                self.batches.push(rows.batch.clone());
            }
            Some(kept) => {
                self.origins.extend(kept.values().iter().map(|row| origin(u64::from(*row))));
                self.batches.push(take_record_batch(&rows.batch, &kept)?);
            }
        }
        Ok(())
    }

    /// All rows together: those that came too late and those that are copies
    /// go, the others are put in order.
    pub fn finish(self) -> Result<AcceptedRows, RowsError> {
        let Self { source, judge: _, batches, files, origins, dead_letters } = self;
        let batch = concat_batches(&source_schema(&source), &batches)?;
        drop(batches);
        AcceptedRows::judged(source, &batch, Origins::sorted(files, origins), dead_letters)
    }
}
