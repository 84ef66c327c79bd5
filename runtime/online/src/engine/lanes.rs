//! Where work goes that would hold up others: threads of their own, behind
//! all others when it comes to the processor.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::OnlineError;

type Job = Box<dyn FnOnce() + Send>;

/// How many jobs wait at most; more are refused at once.
const QUEUE: usize = 256;

/// Threads for modules that are known to be slow.
#[derive(Clone)]
pub(crate) struct SlowLane {
    jobs: SyncSender<Job>,
}

impl SlowLane {
    /// Starts `threads` threads. They end when the lane is dropped and their
    /// work is done.
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            let name = format!("unskew-slow-{number}");
            thread::Builder::new().name(name).spawn(move || work(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Does `job` there, and waits for it until the deadline. A job nobody
    /// waits for any more is not begun.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        within: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OnlineError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !reply.is_closed() {
                // Whoever waited may have gone meanwhile.
                let _ = reply.send(job());
            }
        });
        match self.jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(OnlineError::Unavailable(
                    "too many requests wait for slow modules; look at `slowest_modules` of /v1/performance".to_owned(),
                ));
            }
            Err(TrySendError::Disconnected(_)) => {
                return Err(OnlineError::Internal("the threads for slow modules ended".to_owned()));
            }
        }
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(OnlineError::Internal("the computation panicked".to_owned())),
            Err(_) => Err(OnlineError::Unavailable(format!(
                "no answer within the request's deadline ({within:?} were left); see serve.deadline"
            ))),
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    stand_behind_all();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic is one request's trouble: its reply is dropped, which its waiter sees.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a computation in the slow lane panicked");
        }
    }
}

/// Has this thread run while no other wants to: whoever comes takes the
/// processor from it at once, not at the end of its turn.
#[cfg(target_os = "linux")]
fn stand_behind_all() {
    let priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: it reads the struct, which lives through the call; 0 names this thread alone.
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const priority) };
    if done != 0 {
        tracing::debug!("the threads for slow modules could not be put behind the others");
    }
}

#[cfg(not(target_os = "linux"))]
fn stand_behind_all() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_is_waited_for_until_the_deadline() {
        let lane = SlowLane::start(1).unwrap();
        let within = Duration::from_secs(20);
        assert_eq!(lane.run(within, || 7).await.unwrap(), 7);
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let stuck = lane.run(Duration::from_millis(20), move || gate.recv());
        assert!(stuck.await.unwrap_err().to_string().contains("deadline"));
        // Abandoned while it waited for the thread, this one is never begun.
        let (begun, seen) = std::sync::mpsc::channel::<()>();
        let late = lane.run(Duration::from_millis(20), move || begun.send(()));
        assert!(late.await.is_err());
        go.send(()).unwrap();
        assert_eq!(lane.run(within, || 8).await.unwrap(), 8);
        assert!(seen.recv().is_err());
        let panics = lane.run(within, || -> i32 { panic!("as the test wants") }).await;
        assert!(panics.unwrap_err().to_string().contains("panicked"));
        assert_eq!(lane.run(within, || 9).await.unwrap(), 9);
    }
}
