use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use unskew_executor::{OnError, TransformError, TransformKernel};
use unskew_host::{CallMetrics, Outcome, RowError};

use crate::error::BatchError;
use crate::errors_file::ErrorsFile;
use crate::job::Job;
use crate::pipeline;
use crate::plan::{Plan, Stages};
use crate::sink::Encoded;
use crate::source::{Decoded, Piece};
use crate::statistics::ColumnStatistics;
use crate::summary::{Progress, Summary, Tally};

/// Runs a job: every row of the input through the transform into the output.
///
/// `progress` is told after every piece; `cancelled` is asked at least every
/// tenth of a second. The output appears under its name when it is whole and on
/// the disk; after an error or a cancellation there is none. The list of failed
/// rows is kept when the job stops because rows failed: it has those up to the
/// one that was too much.
///
/// The output's bytes depend on the input, the transform and the options, never
/// on threads or time.
pub fn run(
    job: &Job,
    kernel: Arc<dyn TransformKernel>,
    progress: &mut dyn FnMut(&Progress),
    cancelled: &dyn Fn() -> bool,
) -> Result<Summary, BatchError> {
    let plan = Plan::new(job, Arc::clone(&kernel), cancelled)?;
    let Plan { source, stages, mut sink, mut errors, size } = plan;
    let mut tally = Tally::new(job, kernel.signature(), size);

    let evaluate = {
        let (input, max_errors) = (job.input.clone(), job.max_errors);
        move |piece| stages.evaluate(piece, &input, max_errors)
    };
    let write = |evaluated: Evaluated| {
        let Evaluated { first_row, rows, bytes_read, encoded, errors: failed, statistics, calls } =
            evaluated;
        let bearable = bearable(job, tally.failed()).min(failed.len());
        let listed = &failed[..failed.len().min(bearable + 1)];
        errors.as_mut().map_or(Ok(()), |errors| errors.write(first_row, listed))?;
        tally.add_errors(first_row, listed);
        if failed.len() > bearable {
            return Err(stopped(job, &tally, first_row, &failed[0]));
        }
        encoded.map_or(Ok(()), |encoded| sink.write(encoded))?;
        tally.add(rows, bytes_read, &statistics, calls);
        progress(tally.progress());
        Ok(())
    };
    let done = pipeline::run(source, threads(job), evaluate, write, cancelled, &job.input);

    if let Err(error) = done {
        let by_rows =
            matches!(error, BatchError::RowFailed { .. } | BatchError::TooManyErrors { .. });
        if let Some(errors) = errors.filter(|_| by_rows) {
            errors.finish()?.commit()?;
        }
        return Err(error);
    }
    let output = sink.finish()?;
    let errors = errors.map(ErrorsFile::finish).transpose()?;
    if cancelled() {
        return Err(BatchError::Cancelled);
    }
    // The output comes last: where it is, all is done.
    if let Some(errors) = errors {
        errors.commit()?;
    }
    output.commit()?;
    Ok(tally.summary(job))
}

fn threads(job: &Job) -> NonZero<usize> {
    let cores = || thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    job.threads.unwrap_or_else(cores)
}

/// How many more rows may fail.
fn bearable(job: &Job, failed: u64) -> usize {
    let limit = match job.on_error {
        OnError::Fail => 0,
        OnError::Null | OnError::Default => job.max_errors.unwrap_or(u64::MAX),
    };
    usize::try_from(limit.saturating_sub(failed)).unwrap_or(usize::MAX)
}

/// The error for a row too much, `failed` being the first of its piece.
fn stopped(job: &Job, tally: &Tally, first_row: u64, failed: &RowError) -> BatchError {
    let (path, transform) = (job.input.clone(), tally.transform().to_owned());
    match (job.on_error, job.max_errors) {
        (OnError::Null | OnError::Default, Some(limit)) => BatchError::TooManyErrors {
            path,
            transform,
            limit,
            first: tally.first_failure().unwrap_or_default().to_owned(),
            errors_file: job.errors.clone(),
        },
        _ => BatchError::RowFailed {
            path,
            row: first_row + failed.row as u64,
            transform,
            status: failed.status,
            message: failed.message.clone(),
        },
    }
}

/// A piece that was evaluated; without anything to write where so many rows
/// failed that the job stops at it.
struct Evaluated {
    first_row: u64,
    rows: usize,
    bytes_read: u64,
    encoded: Option<Encoded>,
    errors: Vec<RowError>,
    statistics: Vec<ColumnStatistics>,
    calls: CallMetrics,
}

impl Stages {
    fn evaluate(
        &self,
        piece: Piece,
        input: &Path,
        max_errors: Option<u64>,
    ) -> Result<Evaluated, BatchError> {
        let Piece { first_row, rows, content, bytes_read } = piece;
        let Decoded { columns, kept } = self.decoder.decode(content)?;
        let evaluated = |encoded, errors, statistics, calls| Evaluated {
            first_row,
            rows,
            bytes_read,
            encoded,
            errors,
            statistics,
            calls,
        };
        match self.operator.evaluate(&columns, max_errors) {
            Ok(Outcome { columns, errors, metrics }) => {
                let statistics = columns.iter().map(ColumnStatistics::of).collect();
                let encoded = self.encoder.encode(kept, columns)?;
                Ok(evaluated(Some(encoded), errors, statistics, metrics))
            }
            Err(TransformError::TooManyErrors { errors, .. }) => {
                Ok(evaluated(None, errors, Vec::new(), CallMetrics::default()))
            }
            Err(TransformError::RowFailed { transform: _, row, status, message }) => {
                let errors = vec![RowError { row, status, message }];
                Ok(evaluated(None, errors, Vec::new(), CallMetrics::default()))
            }
            Err(source) => Err(BatchError::Evaluate {
                path: input.to_owned(),
                first_row,
                last_row: (first_row + rows as u64).saturating_sub(1),
                source,
            }),
        }
    }
}
