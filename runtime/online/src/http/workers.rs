//! Threads that answer requests. Each has an event loop of its own, on which a
//! connection stays from its first request to its last, so that no request
//! wakes another thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads of one server; they end when this is dropped.
pub(crate) struct Workers(Vec<Worker>);

struct Worker {
    handle: Handle,
    /// How much is under way.
    tasks: Arc<AtomicUsize>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// Starts so many threads, at least one.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        (0..count.max(1)).map(Worker::start).collect::<io::Result<_>>().map(Self)
    }

    /// Has the thread with the fewest tasks do one more.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let least = self.0.iter().min_by_key(|worker| worker.tasks.load(Relaxed));
        let Some(Worker { handle, tasks, .. }) = least else { return };
        tasks.fetch_add(1, Relaxed);
        let done = Done(Arc::clone(tasks));
        handle.spawn(async move {
            let _done = done;
            task.await;
        });
    }
}

/// Counts a task that ended, however it did.
struct Done(Arc<AtomicUsize>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let thread =
            std::thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
                // An error says that nobody can tell any more, which is an end, too.
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })?;
        let tasks = Arc::default();
        Ok(Self { handle, tasks, end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end.take().map(|end| end.send(()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
