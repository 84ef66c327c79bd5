use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use unskew_definition::BadRows;
use unskew_plan::SourcePlan;

use crate::rows::all_rows::{AllRows, LogRecord, Verdicts};
use crate::rows::dead_letter::{DeadLetter, DeadLetterReason};
use crate::rows::error::RowsError;
use crate::rows::source_reader::{FieldFault, SourceRows, source_schema};

/// The rows of a source that count, in the order that breaks every tie:
/// ascending by event time, created time, partition and offset; without the
/// last two by their canonical bytes.
#[derive(Clone, Debug)]
pub struct AcceptedRows {
    /// The source.
    pub source: Arc<SourcePlan>,
    /// The source's fields, of exactly their types.
    pub batch: RecordBatch,
    /// Microseconds since the epoch, UTC.
    pub event_timestamps: Vec<i64>,
    /// The same, where the source has created times; those of the broker stand
    /// in for them.
    pub created_timestamps: Option<Vec<i64>>,
    /// The times that the broker gave the rows, where the source has them.
    pub broker_timestamps: Option<Vec<i64>>,
    /// The whole log, by partition and offset, where the source says how it
    /// was: dropped records, too, have moved watermarks.
    pub log: Option<Vec<LogRecord>>,
    /// Where each row came from: a file, and the row there.
    pub origins: Vec<(Arc<str>, u64)>,
    /// The rows that count for nothing.
    pub dead_letters: Vec<DeadLetter>,
}

impl AcceptedRows {
    /// These rows alone, which are given in ascending order. The log stays
    /// whole: the others have moved watermarks, too.
    pub fn only(&self, rows: &[u32]) -> Result<Self, RowsError> {
        let Self {
            source,
            batch,
            event_timestamps,
            created_timestamps,
            broker_timestamps,
            log,
            origins,
            dead_letters: _,
        } = self;
        let at = |times: &Vec<i64>| rows.iter().map(|row| times[*row as usize]).collect();
        let place = |row: u32| rows.binary_search(&row).ok().map(|place| place as u32);
        let record = |record: &LogRecord| LogRecord { row: record.row.and_then(place), ..*record };
        Ok(Self {
            source: Arc::clone(source),
            batch: take_record_batch(batch, &UInt32Array::from(rows.to_vec()))?,
            event_timestamps: at(event_timestamps),
            created_timestamps: created_timestamps.as_ref().map(at),
            broker_timestamps: broker_timestamps.as_ref().map(at),
            log: log.as_ref().map(|log| log.iter().map(record).collect()),
            origins: rows.iter().map(|row| origins[*row as usize].clone()).collect(),
            dead_letters: Vec::new(),
        })
    }

    /// Where the row at `row` came from, in words.
    pub(crate) fn place_of(&self, row: u32) -> String {
        let (file, file_row) = &self.origins[row as usize];
        format!("{file}, row {file_row}")
    }
}

/// Decides which rows of a source count: takes them in any order and in pieces
/// of any size, and gives the same rows for every order and size.
pub struct Acceptance {
    source: Arc<SourcePlan>,
    batches: Vec<RecordBatch>,
    origins: Vec<(Arc<str>, u64)>,
    dead_letters: Vec<DeadLetter>,
}

/// Rows are numbered by 32 bits.
const MAX_ROWS: usize = u32::MAX as usize;

impl Acceptance {
    /// For rows of `source`.
    pub fn new(source: Arc<SourcePlan>) -> Self {
        Self { source, batches: Vec::new(), origins: Vec::new(), dead_letters: Vec::new() }
    }

    /// Takes rows of the file `place`, the first of which is its row
    /// `first_row`.
    pub fn push(
        &mut self,
        rows: &SourceRows,
        place: &Arc<str>,
        first_row: u64,
    ) -> Result<(), RowsError> {
        let SourceRows { batch, faults } = rows;
        let mut kept = Vec::with_capacity(batch.num_rows());
        let mut faults = faults.iter().peekable();
        let needed = self.needed_fields();
        for row in 0..batch.num_rows() {
            let fault = faults.peek().filter(|fault| fault.row == row).copied();
            while faults.next_if(|fault| fault.row == row).is_some() {}
            match self.fault_of(batch, row, fault, &needed) {
                None => {
                    kept.push(row as u32);
                    self.origins.push((Arc::clone(place), first_row + row as u64));
                }
                Some((reason, detail)) => {
                    self.refuse(place, first_row + row as u64, reason, detail)?;
                }
            }
        }
        if self.origins.len() > MAX_ROWS {
            let source_name = self.source.name.clone();
            return Err(RowsError::TooManyRows { source_name, limit: MAX_ROWS });
        }
        self.batches.push(if kept.len() == batch.num_rows() {
            batch.clone()
        } else {
            take_record_batch(batch, &UInt32Array::from(kept))?
        });
        Ok(())
    }

    /// The fields without which a row counts for nothing.
    fn needed_fields(&self) -> Vec<(usize, DeadLetterReason)> {
        let source = &self.source;
        let created = source.created_timestamp.map(|at| (at, DeadLetterReason::CreatedTimestamp));
        let place = [source.partition, source.offset].into_iter().flatten();
        [(source.event_timestamp, DeadLetterReason::EventTimestamp)]
            .into_iter()
            .chain(created)
            .chain(place.map(|at| (at, DeadLetterReason::Position)))
            .collect()
    }

    fn fault_of(
        &self,
        batch: &RecordBatch,
        row: usize,
        fault: Option<&FieldFault>,
        needed: &[(usize, DeadLetterReason)],
    ) -> Option<(DeadLetterReason, String)> {
        if let Some((field, reason)) =
            needed.iter().find(|(field, _)| batch.column(*field).is_null(row))
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

    fn refuse(
        &mut self,
        place: &Arc<str>,
        row: u64,
        reason: DeadLetterReason,
        detail: String,
    ) -> Result<(), RowsError> {
        match self.source.bad_rows {
            BadRows::DeadLetter => {
                let place = Arc::clone(place);
                self.dead_letters.push(DeadLetter { place, row, reason, detail, position: None });
                Ok(())
            }
            BadRows::Refuse => Err(RowsError::Refused {
                source_name: self.source.name.clone(),
                place: place.to_string(),
                row,
                reason: detail,
            }),
        }
    }

    /// All rows together: those that came too late and those that are copies
    /// go, the others are put in order.
    pub fn finish(self) -> Result<AcceptedRows, RowsError> {
        let Self { source, batches, origins, mut dead_letters } = self;
        let batch = concat_batches(&source_schema(&source), &batches)?;
        drop(batches);
        let all = AllRows::new(&source, &batch)?;
        let order = all.order(&origins);
        let mut verdicts: Verdicts = vec![None; batch.num_rows()];
        all.drop_repeated_records(&source, &mut verdicts)?;
        all.drop_late(&source, &mut verdicts);
        if let Some(field) = source.event_id {
            all.drop_copies(batch.column(field), &order, &mut verdicts);
        }

        let kept: Vec<u32> =
            order.into_iter().filter(|row| verdicts[*row as usize].is_none()).collect();
        let log = all.log.as_ref().map(|places| all.records(places, &kept));
        for (row, verdict) in verdicts.into_iter().enumerate() {
            let Some((reason, detail)) = verdict else { continue };
            let (place, place_row) = origins[row].clone();
            let position = all.log.as_ref().map(|log| (log.partitions[row], log.offsets[row]));
            dead_letters.push(DeadLetter { place, row: place_row, reason, detail, position });
        }
        dead_letters.sort_by(|a, b| (&a.place, a.row).cmp(&(&b.place, b.row)));
        let of = |values: &Vec<i64>| kept.iter().map(|row| values[*row as usize]).collect();
        Ok(AcceptedRows {
            event_timestamps: of(&all.event_timestamps),
            created_timestamps: all.created_timestamps.as_ref().map(of),
            broker_timestamps: all.broker_timestamps.as_ref().map(of),
            log,
            origins: kept.iter().map(|row| origins[*row as usize].clone()).collect(),
            batch: take_record_batch(&batch, &UInt32Array::from(kept))?,
            dead_letters,
            source,
        })
    }
}
