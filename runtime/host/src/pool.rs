use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use wasmtime::PoolConcurrencyLimitError;

use crate::error::Fault;
use crate::instance::{Export, FailedCall, Instance};
use crate::limits::Limits;

/// Instances of one module that wait for their next call.
pub(crate) struct IdleInstances {
    instances: Mutex<Vec<Instance>>,
    /// Bytes of memory of all idle instances of the host.
    idle_bytes: Arc<AtomicUsize>,
}

/// All pools of one host: where room is taken from when the engine has none.
pub(crate) struct Pools {
    pools: Mutex<Vec<Weak<IdleInstances>>>,
    freed: Condvar,
    idle_bytes: Arc<AtomicUsize>,
    idle_bytes_limit: usize,
}

/// How long to wait for a freed instance before looking again for idle ones.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves a list of instances as good as it was.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IdleInstances {
    pub(crate) fn take(&self) -> Option<Instance> {
        let instance = lock(&self.instances).pop()?;
        self.idle_bytes.fetch_sub(instance.memory_bytes(), Ordering::Relaxed);
        Some(instance)
    }

    /// One whose zero-row call was of this function.
    pub(crate) fn take_made_for(&self, export: Export, index: u32) -> Option<Instance> {
        let mut instances = lock(&self.instances);
        let at = instances.iter().rposition(|instance| instance.is_made_for(export, index))?;
        let instance = instances.swap_remove(at);
        self.idle_bytes.fetch_sub(instance.memory_bytes(), Ordering::Relaxed);
        Some(instance)
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.instances).len()
    }

    fn put(&self, instance: Instance) {
        self.idle_bytes.fetch_add(instance.memory_bytes(), Ordering::Relaxed);
        lock(&self.instances).push(instance);
    }
}

impl Drop for IdleInstances {
    fn drop(&mut self) {
        while self.take().is_some() {}
    }
}

impl Pools {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            pools: Mutex::default(),
            freed: Condvar::new(),
            idle_bytes: Arc::default(),
            idle_bytes_limit: limits.idle_bytes,
        }
    }

    /// Lets an instance wait for its next call, unless all that wait have too
    /// much memory together: then some have to go.
    pub(crate) fn keep(&self, pool: &IdleInstances, instance: Instance) {
        pool.put(instance);
        while self.idle_bytes.load(Ordering::Relaxed) > self.idle_bytes_limit && self.evict() {}
    }

    pub(crate) fn add(&self) -> Arc<IdleInstances> {
        let idle = Arc::new(IdleInstances {
            instances: Mutex::default(),
            idle_bytes: Arc::clone(&self.idle_bytes),
        });
        let mut pools = lock(&self.pools);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(&idle));
        idle
    }

    /// Makes an instance. When the engine has no room, an idle one of any
    /// module has to go; when none is idle, waits for one at most `patience`.
    pub(crate) fn make_room_for(
        &self,
        patience: Duration,
        mut make: impl FnMut() -> Result<Instance, (wasmtime::Error, FailedCall)>,
    ) -> Result<Instance, FailedCall> {
        let start = Instant::now();
        loop {
            let (error, failed) = match make() {
                Ok(instance) => return Ok(instance),
                Err(failure) => failure,
            };
            if !error.is::<PoolConcurrencyLimitError>() {
                return Err(failed);
            }
            if self.evict() {
                continue;
            }
            if start.elapsed() >= patience {
                let fault = Fault::Host(format!("all are busy since {patience:?}"));
                return Err(FailedCall { fault, row: None });
            }
            let pools = lock(&self.pools);
            let waited = self.freed.wait_timeout(pools, LOOK_AGAIN);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Throws away one idle instance, if there is one.
    fn evict(&self) -> bool {
        let victim = lock(&self.pools).iter().filter_map(Weak::upgrade).find_map(|p| p.take());
        victim.is_some()
    }

    /// Throws an instance away and lets those know who wait for room.
    pub(crate) fn discard(&self, instance: Instance) {
        drop(instance);
        self.freed.notify_one();
    }
}
