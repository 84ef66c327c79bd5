//! The one thread that writes, for each folder and process.
//!
//! What waits is put into one transaction, so that it shares a lock and an `fsync`. A piece of work that fails on its own account is taken out and
//! told so, and the others are done without it.

use std::sync::Arc;
use std::time::Duration;

use heed::{MdbError, RwTxn};
use tokio::sync::{mpsc, oneshot};

use super::environment::Environment;
use crate::StoreError;

/// The most pieces of work in one transaction.
const MOST_JOBS: usize = 64;
const QUEUE: usize = 256;

/// Why a piece of work was not done.
pub(super) enum Failure {
    /// It was wrong itself.
    Own(StoreError),
    /// The database failed, whoever's work it did.
    Database(heed::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Own(error)
    }
}

impl From<heed::Error> for Failure {
    fn from(error: heed::Error) -> Self {
        Self::Database(error)
    }
}

trait Job: Send {
    fn operation(&self) -> &'static str;
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
    /// May be called again after a transaction that was not committed.
    fn run(&mut self, environment: &Environment, txn: &mut RwTxn<'_>) -> Result<(), Failure>;
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Task<T, F> {
    operation: &'static str,
    work: F,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&Environment, &mut RwTxn<'_>) -> Result<T, Failure> + Send,
{
    fn operation(&self) -> &'static str {
        self.operation
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, environment: &Environment, txn: &mut RwTxn<'_>) -> Result<(), Failure> {
        self.done = Some((self.work)(environment, txn)?);
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { operation: _, work: _, done, reply } = *self;
        let result = match (outcome, done) {
            (Ok(()), Some(done)) => Ok(done),
            (Err(error), _) => Err(error),
            (Ok(()), None) => {
                Err(StoreError::Invalid { what: "work was committed that was never run".into() })
            }
        };
        // Whoever asked may have stopped waiting.
        let _ = reply.send(result);
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the thread; it ends when the last sender is gone.
    pub(super) fn start(environment: Arc<Environment>) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let place = environment.place().to_owned();
        std::thread::Builder::new()
            .name("unskew-store".into())
            .spawn(move || serve(&environment, queue))
            .map_err(|error| StoreError::Refused {
                place,
                operation: "start its writing thread",
                why: error.to_string(),
            })?;
        Ok(Self { jobs })
    }

    /// Has work done in a transaction, and returns what it said once that is committed.
    pub(super) async fn submit<T, F>(
        &self,
        environment: &Environment,
        operation: &'static str,
        limit: Duration,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Environment, &mut RwTxn<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { operation, work, done: None, reply });
        let gone = || environment.corrupted("its writing thread is gone, by a panic");
        let whole = async {
            self.jobs.send(job).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        match tokio::time::timeout(limit, whole).await {
            Ok(result) => result,
            Err(_) => {
                let place = environment.place().to_owned();
                Err(match environment.holder.other() {
                    Some(holder) => StoreError::Locked { place, holder, limit },
                    None => StoreError::Deadline { place, operation, limit },
                })
            }
        }
    }
}

fn serve(environment: &Environment, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut jobs = vec![first];
        while jobs.len() < MOST_JOBS
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        commit(environment, jobs);
    }
}

/// Does all in one transaction; where that fails, what can be done without what failed.
fn commit(environment: &Environment, mut jobs: Vec<Box<dyn Job>>) {
    loop {
        jobs.retain(|job| !job.is_abandoned());
        if jobs.is_empty() {
            return;
        }
        let mut at = 0;
        let attempt = environment.write(|txn| {
            jobs.iter_mut().enumerate().try_for_each(|(index, job)| {
                at = index;
                job.run(environment, txn)
            })
        });
        let failure = match attempt {
            Ok(()) => {
                jobs.into_iter().for_each(|job| job.finish(Ok(())));
                return;
            }
            Err(failure) => failure,
        };
        let mended = match failure {
            Failure::Own(error) => {
                jobs.remove(at).finish(Err(error));
                continue;
            }
            Failure::Database(heed::Error::Mdb(MdbError::MapFull)) => environment.grow(),
            Failure::Database(heed::Error::Mdb(MdbError::MapResized)) => environment.follow_map(),
            Failure::Database(error) => Err(environment.error(jobs[at].operation(), &error)),
        };
        let Err(error) = mended else { continue };
        if jobs.len() == 1 {
            jobs.remove(0).finish(Err(error));
            return;
        }
        // One of them may be too large, or hit what is damaged; each is judged alone.
        return jobs.into_iter().for_each(|job| commit(environment, vec![job]));
    }
}
