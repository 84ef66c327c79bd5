use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt32Array};
use unskew_definition::BadRows;
use unskew_plan::SourcePlan;

use crate::rows::dead_letter::{DeadLetter, DeadLetterReason};
use crate::rows::error::RowsError;
use crate::rows::source_reader::{FieldFault, SourceRows};

/// Decides of each row by itself whether it counts: whether its times and its
/// values could be read. What depends on other rows (late ones, copies) is
/// decided by [`Acceptance`](crate::rows::Acceptance).
#[derive(Debug)]
pub struct RowJudge {
    source: Arc<SourcePlan>,
    /// The fields without which a row counts for nothing.
    needed: Vec<(usize, DeadLetterReason)>,
}

/// What became of the rows of a batch.
pub struct JudgedRows {
    /// The rows that count, ascending; none if all do.
    pub kept: Option<UInt32Array>,
    /// The others.
    pub dead_letters: Vec<DeadLetter>,
}

impl RowJudge {
    /// For rows of `source`.
    pub fn new(source: Arc<SourcePlan>) -> Self {
        let created = source.created_timestamp.map(|at| (at, DeadLetterReason::CreatedTimestamp));
        let place = [source.partition, source.offset].into_iter().flatten();
        let needed = [(source.event_timestamp, DeadLetterReason::EventTimestamp)]
            .into_iter()
            .chain(created)
            .chain(place.map(|at| (at, DeadLetterReason::Position)))
            .collect();
        Self { source, needed }
    }

    /// Judges rows of the file `place`, the first of which is its row
    /// `first_row`.
    pub fn judge(
        &self,
        rows: &SourceRows,
        place: &Arc<str>,
        first_row: u64,
    ) -> Result<JudgedRows, RowsError> {
        let SourceRows { batch, faults } = rows;
        let is_there = |(field, _): &(usize, _)| batch.column(*field).null_count() == 0;
        if faults.is_empty() && self.needed.iter().all(is_there) {
            return Ok(JudgedRows { kept: None, dead_letters: Vec::new() });
        }
        let mut kept = Vec::with_capacity(batch.num_rows());
        let mut dead_letters = Vec::new();
        let mut faults = faults.iter().peekable();
        for row in 0..batch.num_rows() {
            let fault = faults.peek().filter(|fault| fault.row == row).copied();
            while faults.next_if(|fault| fault.row == row).is_some() {}
            match self.fault_of(batch, row, fault) {
                None => kept.push(row as u32),
                Some((reason, detail)) => {
                    let row = first_row + row as u64;
                    dead_letters.push(self.refused(place, row, reason, detail)?);
                }
            }
        }
        Ok(JudgedRows { kept: Some(kept.into()), dead_letters })
    }

    fn fault_of(
        &self,
        batch: &RecordBatch,
        row: usize,
        fault: Option<&FieldFault>,
    ) -> Option<(DeadLetterReason, String)> {
        if let Some((field, reason)) =
            self.needed.iter().find(|(field, _)| batch.column(*field).is_null(row))
        {
            let detail = match fault.filter(|fault| fault.field == *field) {
                Some(fault) => fault.reason.clone(),
                None => "it is null".to_owned(),
            };
            let field = &self.source.fields[*field].name;
            return Some((reason.clone(), format!("{field}: {detail}")));
        }
        fault.map(|fault| {
            let field = &self.source.fields[fault.field].name;
            (DeadLetterReason::Field(field.clone()), format!("{field}: {}", fault.reason))
        })
    }

    fn refused(
        &self,
        place: &Arc<str>,
        row: u64,
        reason: DeadLetterReason,
        detail: String,
    ) -> Result<DeadLetter, RowsError> {
        match self.source.bad_rows {
            BadRows::DeadLetter => {
                let place = Arc::clone(place);
                Ok(DeadLetter { place, row, reason, detail, position: None })
            }
            BadRows::Refuse => Err(RowsError::Refused {
                source_name: self.source.name.clone(),
                place: place.to_string(),
                row,
                reason: detail,
            }),
        }
    }
}
