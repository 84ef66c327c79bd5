//! Instances made ahead, for modules of which every call has one of its own.
//!
//! Making an instance of a Python module takes a hundred times as long as
//! calling it, and so does throwing one away: nearly all of it is the system's
//! work on pages of memory. Both are done by a thread of the
//! module's, when no call has come for a moment: callers that come one after
//! the other make their own, since two threads that change one address space
//! only hinder each other.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, new_empty_array};
use unskew_definition::Field;

use crate::footprint::Footprint;
use crate::instance::{Export, Instance};
use crate::module::Maker;
use crate::pool::IdleInstances;

/// How many are kept ready.
const READY: usize = 2;
/// How many used ones wait to be thrown away; callers throw away the others.
const USED: usize = 2;
/// How long no call may have come before the thread begins.
const QUIET: Duration = Duration::from_micros(300);
/// A call that has not ended for so long has failed, or works: either way its
/// instance is made, and the thread hinders nobody.
const MADE: Duration = Duration::from_millis(20);

/// The instances of one module that are ready, and those that are used up.
pub(crate) struct Prepared {
    shared: Arc<Shared>,
    ready: Arc<IdleInstances>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    called: Condvar,
}

struct State {
    used: Vec<Instance>,
    /// The function that was called last, which is prepared for.
    wanted: Option<Arc<Recipe>>,
    last_call: Instant,
    /// Whether the last call has begun and not ended.
    calling: bool,
    sleeping: bool,
    stop: bool,
}

impl State {
    /// How long the thread has to wait before it may work, if nothing comes.
    fn hold_off(&self) -> Option<Duration> {
        let wait = if self.calling { MADE } else { QUIET };
        wait.checked_sub(self.last_call.elapsed()).filter(|wait| !wait.is_zero())
    }
}

/// What an instance is prepared by: a call of this function with no rows.
struct Recipe {
    export: Export,
    index: u32,
    inputs: Vec<Field>,
    columns: Vec<ArrayRef>,
    /// What the first call that was seen has written to; nothing if unknown.
    footprint: OnceLock<Option<Footprint>>,
}

impl Recipe {
    fn learn_from(&self, used: &Instance) {
        if self.footprint.get().is_none() && used.is_made_for(self.export, self.index) {
            // Only this thread sets it.
            let _ = self.footprint.set(used.memory.and_then(Footprint::of));
        }
    }

    fn populate(&self, new: &Instance) {
        if let (Some(Some(footprint)), Some(memory)) = (self.footprint.get(), new.memory) {
            footprint.populate(memory);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves a list of instances as good as it was.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prepared {
    /// Starts the thread; without one nothing is prepared.
    pub(crate) fn new(maker: &Arc<Maker>) -> Self {
        let ready = maker.pools.add();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                used: Vec::with_capacity(USED),
                wanted: None,
                last_call: Instant::now(),
                calling: false,
                sleeping: false,
                stop: false,
            }),
            called: Condvar::new(),
        });
        let thread = std::thread::Builder::new()
            .name("unskew-prepare".to_owned())
            .spawn({
                let (shared, ready) = (Arc::clone(&shared), Arc::clone(&ready));
                let maker = Arc::downgrade(maker);
                move || prepare(&shared, &ready, &maker)
            })
            .inspect_err(|e| tracing::warn!("no thread to prepare instances: {e}"))
            .ok();
        Self { shared, ready, thread }
    }

    /// An instance in which nothing ran but a zero-row call of this function.
    pub(crate) fn take(&self, export: Export, index: u32) -> Option<Instance> {
        let mut state = self.shared.lock();
        (state.last_call, state.calling) = (Instant::now(), true);
        drop(state);
        self.ready.take_made_for(export, index)
    }

    /// Takes a used instance, unless there are enough of them, and notes that
    /// another one like it will be wanted.
    pub(crate) fn used_up(
        &self,
        instance: Instance,
        export: Export,
        index: u32,
        inputs: &[Field],
    ) -> Option<Instance> {
        self.thread.as_ref()?;
        let mut state = self.shared.lock();
        (state.last_call, state.calling) = (Instant::now(), false);
        let is_wanted = |recipe: &Arc<Recipe>| (recipe.export, recipe.index) == (export, index);
        if !state.wanted.as_ref().is_some_and(is_wanted) {
            let columns = inputs.iter().map(|i| new_empty_array(&i.data_type.to_arrow()));
            let (inputs, columns) = (inputs.to_vec(), columns.collect());
            let footprint = OnceLock::new();
            state.wanted = Some(Arc::new(Recipe { export, index, inputs, columns, footprint }));
        }
        let left_over = if state.used.len() < USED {
            state.used.push(instance);
            None
        } else {
            Some(instance)
        };
        if state.sleeping {
            self.shared.called.notify_one();
        }
        left_over
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.called.notify_one();
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// What the thread does.
fn prepare(shared: &Shared, ready: &IdleInstances, maker: &Weak<Maker>) {
    let mut state = shared.lock();
    loop {
        if state.stop {
            return;
        }
        let wanted = state.wanted.as_ref().filter(|_| ready.len() < READY).cloned();
        if state.used.is_empty() && wanted.is_none() {
            state.sleeping = true;
            state = shared.called.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleeping = false;
            continue;
        }
        if let Some(wait) = state.hold_off() {
            let waited = shared.called.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        let Some(maker) = maker.upgrade() else { return };
        let used = std::mem::take(&mut state.used);
        drop(state);
        for instance in used {
            if let Some(recipe) = &wanted {
                recipe.learn_from(&instance);
            }
            maker.pools.discard(instance);
        }
        let mut failed = false;
        if let Some(recipe) = &wanted {
            let Recipe { export, index, inputs, columns, .. } = &**recipe;
            // Nobody waits for it: where there is no room, none is made.
            match maker.make_if_there_is_room(*export, *index, inputs, columns) {
                Ok(instance) => {
                    recipe.populate(&instance);
                    maker.pools.keep(ready, instance);
                }
                Err(_) => failed = true,
            }
        }
        drop(maker);
        state = shared.lock();
        if failed {
            // Callers meet the same failure and report it.
            state.wanted = None;
        }
    }
}
