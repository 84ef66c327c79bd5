//! Reading, evaluating and writing at the same time, in order.
//!
//! One thread reads pieces and hands each to the workers together with a
//! ticket; the caller's thread takes the tickets in the order of the pieces and
//! writes what the workers made of them. So memory is bounded, what is written
//! does not depend on the number of threads, and of several errors the one of
//! the first piece is reported.
//!
//! The caller never waits for a worker without looking at `cancelled`. When it
//! leaves early it drops its ends of the channels, upon which the other threads
//! end as soon as they have finished what they are at.

use std::any::Any;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::BatchError;
use crate::read_parquet::panic_message;
use crate::source::{Piece, Source};

/// How often the caller looks at `cancelled` while it waits.
const POLL: Duration = Duration::from_millis(50);

/// What became of a piece, to come.
type Ticket<T> = Receiver<Result<T, BatchError>>;
type Work<T> = (Piece, SyncSender<Result<T, BatchError>>);

/// Runs `evaluate` on every piece of `source`, on `threads` threads, and
/// `write` on what it gives, in order, on this one.
pub(crate) fn run<T: Send + 'static>(
    source: Box<dyn Source>,
    threads: NonZero<usize>,
    evaluate: impl Fn(Piece) -> Result<T, BatchError> + Send + Sync + 'static,
    mut write: impl FnMut(T) -> Result<(), BatchError>,
    cancelled: &dyn Fn() -> bool,
    input: &Path,
) -> Result<(), BatchError> {
    let (tickets, taken) = sync_channel::<Ticket<T>>(2 * threads.get());
    let (work, workload) = sync_channel::<Work<T>>(threads.get());
    let evaluate = Arc::new(evaluate);
    let workload = Arc::new(Mutex::new(workload));

    let mut workers = Vec::with_capacity(threads.get() + 1);
    for number in 0..threads.get() {
        let (evaluate, workload) = (Arc::clone(&evaluate), Arc::clone(&workload));
        let path = input.to_owned();
        workers.push(spawn(input, format!("unskew-eval-{number}"), move || {
            evaluate_all(&workload, &*evaluate, &path);
        })?);
    }
    // Only workers may hold it: the reader ends when the last of them is gone.
    drop(workload);
    let path = input.to_owned();
    workers.push(spawn(input, "unskew-read".to_owned(), move || {
        read_all(source, &tickets, &work, &path);
    })?);

    while let Some(ticket) = patiently(&taken, cancelled)? {
        match patiently(&ticket, cancelled)? {
            Some(result) => write(result?)?,
            None => return Err(BatchError::Cancelled),
        }
    }
    for worker in workers {
        // Their panics were caught and have come as errors.
        let _ = worker.join();
    }
    Ok(())
}

fn spawn(
    input: &Path,
    name: String,
    work: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, BatchError> {
    thread::Builder::new().name(name).spawn(work).map_err(|error| BatchError::Internal {
        path: input.to_owned(),
        reason: format!("no thread can be started: {error}"),
    })
}

fn panicked(path: &Path, panic: &(dyn Any + Send)) -> BatchError {
    BatchError::Internal { path: path.to_owned(), reason: panic_message(panic) }
}

/// The next message; `None` when there will be none.
fn patiently<M>(
    messages: &Receiver<M>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<M>, BatchError> {
    loop {
        if cancelled() {
            return Err(BatchError::Cancelled);
        }
        match messages.recv_timeout(POLL) {
            Ok(message) => return Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

fn read_all<T>(
    mut source: Box<dyn Source>,
    tickets: &SyncSender<Ticket<T>>,
    work: &SyncSender<Work<T>>,
    path: &Path,
) {
    loop {
        let next = catch_unwind(AssertUnwindSafe(|| source.next()))
            .unwrap_or_else(|panic| Err(panicked(path, panic.as_ref())));
        let (result, ticket) = sync_channel(1);
        // An error of a channel: the caller has left, or all workers are gone.
        match next {
            Ok(None) => return,
            Ok(Some(piece)) => {
                if tickets.send(ticket).is_err() || work.send((piece, result)).is_err() {
                    return;
                }
            }
            Err(error) => {
                let _ = result.send(Err(error));
                let _ = tickets.send(ticket);
                return;
            }
        }
    }
}

fn evaluate_all<T>(
    workload: &Mutex<Receiver<Work<T>>>,
    evaluate: &(dyn Fn(Piece) -> Result<T, BatchError> + Send + Sync),
    path: &Path,
) {
    loop {
        let next = workload.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((piece, result)) = next else { return };
        let evaluated = catch_unwind(AssertUnwindSafe(|| evaluate(piece)))
            .unwrap_or_else(|panic| Err(panicked(path, panic.as_ref())));
        if result.send(evaluated).is_err() {
            return;
        }
    }
}
