use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use unskew_definition::TransformSignature;
use unskew_host::{CallMetrics, RowError};

use crate::job::Job;
use crate::source::InputSize;
use crate::statistics::{ColumnStatistics, OutputStatistics};

/// How far a job has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows written.
    pub rows: u64,
    /// Rows there are, where that is known.
    pub total_rows: Option<u64>,
    /// Bytes of the input read, packed as they are in the file.
    pub bytes: u64,
    /// Bytes there are, where that is known.
    pub total_bytes: Option<u64>,
    /// Rows that failed.
    pub failed: u64,
}

/// What a job did.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The transform that was run.
    pub transform: String,
    /// The file that was read.
    pub input: PathBuf,
    /// The file that was written.
    pub output: PathBuf,
    /// The list of failed rows, where one was asked for.
    pub errors: Option<PathBuf>,
    /// Rows read and written.
    pub rows: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Rows that failed, by their status.
    pub failed_by_status: BTreeMap<String, u64>,
    /// The first failed row, counted from 0, with its status and message.
    pub first_failure: Option<String>,
    /// What the outputs turned out to hold.
    pub outputs: Vec<OutputStatistics>,
    /// What the calls into the module took.
    pub calls: CallMetrics,
}

/// What is known of a job while it runs.
pub(crate) struct Tally {
    transform: String,
    progress: Progress,
    failed_by_status: BTreeMap<String, u64>,
    first_failure: Option<String>,
    /// Name, type and statistics of each output.
    outputs: Vec<(String, String, ColumnStatistics)>,
    calls: CallMetrics,
}

impl Tally {
    pub(crate) fn new(job: &Job, signature: &TransformSignature, size: InputSize) -> Self {
        let outputs = signature.outputs.iter().map(|output| {
            let name = output.name.as_str();
            let given = job.output_names.iter().find(|(given, _)| given == name);
            let name = given.map_or(name, |(_, name)| name).to_owned();
            (name, output.data_type.to_string(), ColumnStatistics::default())
        });
        Self {
            transform: signature.name.to_string(),
            progress: Progress {
                total_rows: size.rows,
                total_bytes: size.bytes,
                ..Progress::default()
            },
            failed_by_status: BTreeMap::new(),
            first_failure: None,
            outputs: outputs.collect(),
            calls: CallMetrics::default(),
        }
    }

    pub(crate) fn transform(&self) -> &str {
        &self.transform
    }

    pub(crate) fn failed(&self) -> u64 {
        self.progress.failed
    }

    pub(crate) fn first_failure(&self) -> Option<&str> {
        self.first_failure.as_deref()
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Adds failed rows of a piece that begins at `first_row`.
    pub(crate) fn add_errors(&mut self, first_row: u64, errors: &[RowError]) {
        for RowError { row, status, message } in errors {
            let row = first_row + *row as u64;
            self.first_failure.get_or_insert_with(|| format!("row {row}: {status}: {message}"));
            *self.failed_by_status.entry(status.to_string()).or_default() += 1;
        }
        self.progress.failed += errors.len() as u64;
    }

    /// Adds a piece that was written.
    pub(crate) fn add(
        &mut self,
        rows: usize,
        bytes_read: u64,
        statistics: &[ColumnStatistics],
        calls: CallMetrics,
    ) {
        self.progress.rows += rows as u64;
        self.progress.bytes = bytes_read;
        self.calls += calls;
        for ((_, _, known), of_piece) in self.outputs.iter_mut().zip(statistics) {
            known.add(*of_piece);
        }
    }

    pub(crate) fn summary(self, job: &Job) -> Summary {
        let Self { transform, progress, failed_by_status, first_failure, outputs, calls } = self;
        let outputs = outputs.into_iter();
        Summary {
            transform,
            input: job.input.clone(),
            output: job.output.clone(),
            errors: job.errors.clone(),
            rows: progress.rows,
            failed: progress.failed,
            failed_by_status,
            first_failure,
            outputs: outputs.map(|(name, of_type, found)| found.named(&name, of_type)).collect(),
            calls,
        }
    }
}
