//! Compiling, on threads of its own: whoever asks waits no longer than the
//! deadline, and a compiler that panics takes nobody along.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compile_work::check_work;
use crate::error::LoadError;
use crate::limits::Limits;

/// Compiles a few components at a time.
///
/// **Invariant**: a thread cannot be ended, so a compilation that was given up
/// goes on. It holds its place until it is over, which [`check_work`] says it
/// will be, and no lock: at most `compilations` of them are under way.
pub(crate) struct Compiler {
    places: Arc<Places>,
}

struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

/// Some passes of the compiler recurse; its threads get room for that.
const STACK_BYTES: usize = 16 << 20;

impl Compiler {
    pub(crate) fn new(limits: &Limits) -> Self {
        let free = Mutex::new(limits.compilations.max(1) as usize);
        Self { places: Arc::new(Places { free, freed: Condvar::new() }) }
    }

    /// Compiles `bytes`, which have passed [`crate::inspect::check_size`].
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Component, LoadError> {
        check_work(bytes, limits)?;
        let deadline = limits.compile_deadline;
        let start = Instant::now();
        let late = LoadError::CompileDeadline(deadline);
        let Some(place) = Place::take(&self.places, deadline) else { return Err(late) };
        let threads = rayon::ThreadPoolBuilder::new()
            .thread_name(|_| "unskew-compile".to_owned())
            .stack_size(STACK_BYTES)
            .build()
            .map_err(|e| LoadError::Host(format!("no threads to compile on: {e}")))?;
        let (engine, bytes) = (engine.clone(), bytes.to_vec());
        let (sender, receiver) = mpsc::sync_channel(1);
        threads.spawn(move || {
            let compile = AssertUnwindSafe(|| Component::from_binary(&engine, &bytes));
            let result = match catch_unwind(compile) {
                Ok(result) => result.map_err(|e| LoadError::Compile(format!("{e:#}"))),
                Err(_) => Err(LoadError::Compile("the compiler gave up on its code".to_owned())),
            };
            drop(place);
            // Nobody listens any more if the deadline has passed.
            let _ = sender.send(result);
        });
        match receiver.recv_timeout(deadline.saturating_sub(start.elapsed())) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(late),
        }
    }
}

/// The right to compile; given back when dropped.
struct Place(Arc<Places>);

impl Place {
    fn take(places: &Arc<Places>, patience: Duration) -> Option<Self> {
        let free = places.free.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut free, _) = places
            .freed
            .wait_timeout_while(free, patience, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Self(Arc::clone(places)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_and_come_back() {
        let limits = Limits { compilations: 1, ..Limits::default() };
        let Compiler { places } = Compiler::new(&limits);
        let place = Place::take(&places, Duration::ZERO);
        assert!(place.is_some());
        assert!(Place::take(&places, Duration::from_millis(1)).is_none());
        drop(place);
        assert!(Place::take(&places, Duration::ZERO).is_some());
    }
}
