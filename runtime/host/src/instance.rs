use std::sync::Arc;

use wasmtime::component::{Func, Instance as ComponentInstance, Lift, Lower, TypedFunc};
use wasmtime::{ResourceLimiter, Store, Trap};

use crate::boundary::{MemoryPlace, Parameters, ReplyBytes, Text, UntimedReply};
use crate::encode::Request;
use crate::engine::EPOCH;
use crate::error::Fault;
use crate::limits::Limits;
use crate::log::{CallLog, Journal};

/// The exports that take a batch, in the order of `wit/unskew.wit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Export {
    Transform,
    Partial,
    Merge,
    Subtract,
    Finish,
}

impl Export {
    pub(crate) const ALL: [Self; 5] =
        [Self::Transform, Self::Partial, Self::Merge, Self::Subtract, Self::Finish];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Partial => "partial",
            Self::Merge => "merge",
            Self::Subtract => "subtract",
            Self::Finish => "finish",
        }
    }
}

/// What the host keeps beside a running instance.
pub(crate) struct GuestState {
    pub(crate) log: CallLog,
    pub(crate) limits: Arc<Limits>,
    pub(crate) journal: Arc<Journal>,
    /// Computed once: a call of one row would feel the division.
    deadline_ticks: u64,
    memory_limit: usize,
    memory: usize,
    out_of_memory: bool,
}

impl ResourceLimiter for GuestState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            // An error here traps, so that a module cannot catch the failure and go on.
            self.out_of_memory = true;
            wasmtime::bail!("more than {} bytes of memory", self.memory_limit);
        }
        self.memory = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.out_of_memory = true;
        Err(error)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.limits.table_elements {
            self.out_of_memory = true;
            wasmtime::bail!("more than {} table entries", self.limits.table_elements);
        }
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.out_of_memory = true;
        Err(error)
    }
}

/// The functions of `evaluate`, found once for each instance.
pub(crate) struct ExportIndices {
    pub(crate) manifest: wasmtime::component::ComponentExportIndex,
    pub(crate) batch: [wasmtime::component::ComponentExportIndex; Export::ALL.len()],
}

/// A module at work: its own memory, its own store.
pub(crate) struct Instance {
    store: Store<GuestState>,
    manifest: Func,
    batch: [Func; Export::ALL.len()],
    calls: u32,
    /// The function of its first call, which had no rows.
    first: Option<(Export, u32)>,
    /// Whether it was asked for its manifest, and so is not fresh any more.
    asked: bool,
    /// Where its memory lay after its zero-row call.
    pub(crate) memory: Option<MemoryPlace>,
}

/// A reply that was copied out, and the fuel that it took.
pub(crate) struct Answer<P = ReplyBytes> {
    pub(crate) reply: P,
    pub(crate) fuel: u64,
}

/// What a call can take: laid out as the component's `list<u8>`.
pub(crate) trait RequestBody: Lower {}
impl RequestBody for Request<'_> {}
impl RequestBody for &[u8] {}

/// What a call can give, laid out likewise.
pub(crate) trait ReplyBody: Lift {}
impl ReplyBody for ReplyBytes {}
impl ReplyBody for UntimedReply {}

/// A call that failed, and the row that the module named, if it did.
pub(crate) struct FailedCall {
    pub(crate) fault: Fault,
    pub(crate) row: Option<u32>,
}

pub(crate) struct Setting<'a> {
    pub(crate) limits: &'a Arc<Limits>,
    pub(crate) journal: &'a Arc<Journal>,
    pub(crate) memory_limit: usize,
}

impl Instance {
    /// A new instance. The error is boxed by wasmtime: the pool tells a full
    /// pool from a module that fails.
    pub(crate) fn new(
        pre: &wasmtime::component::InstancePre<GuestState>,
        indices: &ExportIndices,
        setting: &Setting<'_>,
    ) -> Result<Self, (wasmtime::Error, FailedCall)> {
        let Setting { limits, journal, memory_limit } = *setting;
        let mut store = Store::new(
            pre.engine(),
            GuestState {
                log: CallLog::default(),
                limits: Arc::clone(limits),
                journal: Arc::clone(journal),
                deadline_ticks: deadline_ticks(limits),
                memory_limit,
                memory: 0,
                out_of_memory: false,
            },
        );
        store.limiter(|state| state);
        arm(&mut store, limits.reply_bytes);
        let instance: ComponentInstance = match pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => {
                let failed = explain(&mut store, &error);
                return Err((error, failed));
            }
        };
        let func = |store: &mut Store<GuestState>, index| {
            instance.get_func(store, index).expect("the exports were checked when it was loaded")
        };
        let manifest = func(&mut store, &indices.manifest);
        let batch = std::array::from_fn(|i| func(&mut store, &indices.batch[i]));
        Ok(Self { store, manifest, batch, calls: 0, first: None, asked: false, memory: None })
    }

    /// Checks that the exports have the types of the contract.
    pub(crate) fn check_types(&self) -> Result<(), (&'static str, String)> {
        self.manifest
            .typed::<(), (Text,)>(&self.store)
            .map_err(|e| ("manifest", format!("{e:#}")))?;
        for export in Export::ALL {
            self.batch[export as usize]
                .typed::<(u32, &[u8]), (ReplyBytes,)>(&self.store)
                .map_err(|e| (export.name(), format!("{e:#}")))?;
        }
        Ok(())
    }

    /// Asks for the manifest, of which at most `limit` bytes are taken.
    pub(crate) fn manifest(&mut self, limit: usize) -> Result<String, FailedCall> {
        arm(&mut self.store, limit);
        self.asked = true;
        // SAFETY: `check_types` has compared the function with these types.
        let typed = unsafe { TypedFunc::<(), (Text,)>::new_unchecked(self.manifest) };
        match typed.call(&mut self.store, ()) {
            Ok((Text(text),)) => Ok(text),
            Err(error) => Err(explain(&mut self.store, &error)),
        }
    }

    /// One call. After a failure the instance is of no more use.
    pub(crate) fn call<R: RequestBody, P: ReplyBody>(
        &mut self,
        export: Export,
        index: u32,
        request: R,
    ) -> Result<Answer<P>, FailedCall> {
        let reply_bytes = self.store.data().limits.reply_bytes;
        let fuel = arm(&mut self.store, reply_bytes);
        self.calls += 1;
        self.first.get_or_insert((export, index));
        let func = self.batch[export as usize];
        // SAFETY: `check_types` has compared the function with `list<u8>` both
        // ways, and `RequestBody` and `ReplyBody` are laid out as those.
        let typed = unsafe { TypedFunc::<Parameters<R>, (P,)>::new_unchecked(func) };
        match typed.call(&mut self.store, (index, request)) {
            Ok((reply,)) => {
                let left = self.store.get_fuel().unwrap_or(0);
                Ok(Answer { reply, fuel: fuel - left })
            }
            Err(error) => Err(explain(&mut self.store, &error)),
        }
    }

    /// Gives it the journal and the memory of its module, which were not known
    /// when it was asked for the manifest; whether it keeps to that memory.
    pub(crate) fn settle(&mut self, journal: &Arc<Journal>, memory_limit: usize) -> bool {
        let state = self.store.data_mut();
        state.journal = Arc::clone(journal);
        state.memory_limit = memory_limit;
        state.memory <= memory_limit
    }

    /// Whether it has done its share, or grown so far that a new one is better.
    pub(crate) fn is_spent(&self) -> bool {
        let GuestState { limits, memory, memory_limit, .. } = self.store.data();
        self.calls >= limits.calls_per_instance || *memory > memory_limit / 4 * 3
    }

    /// How often it has been called, with the zero-row call when it was made:
    /// one that was only asked for its manifest had none yet.
    pub(crate) fn calls(&self) -> u32 {
        self.calls
    }

    /// Whether its zero-row call was of this function.
    pub(crate) fn is_made_for(&self, export: Export, index: u32) -> bool {
        self.first == Some((export, index))
    }

    /// Bytes of its linear memories.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory
    }

    /// Whether anything but a zero-row call was made in it.
    pub(crate) fn has_been_called(&self) -> bool {
        self.calls > 1 || self.asked
    }
}

/// Fuel, deadline and log for one call; gives the fuel.
fn arm(store: &mut Store<GuestState>, hostcall_bytes: usize) -> u64 {
    let GuestState { log, limits, deadline_ticks, .. } = store.data_mut();
    let (fuel, ticks) = (limits.fuel, *deadline_ticks);
    *log = CallLog::default();
    store.set_fuel(fuel).expect("the engine consumes fuel");
    store.set_epoch_deadline(ticks);
    store.set_hostcall_fuel(hostcall_bytes);
    fuel
}

/// The deadline in ticks of the epoch, which are counted from one that may be
/// about to end: one more.
fn deadline_ticks(limits: &Limits) -> u64 {
    let ticks = limits.deadline.as_nanos().div_ceil(EPOCH.as_nanos()) + 1;
    u64::try_from(ticks).unwrap_or(u64::MAX / 2)
}

fn explain(store: &mut Store<GuestState>, error: &wasmtime::Error) -> FailedCall {
    let state = store.data_mut();
    let (row, said) = match state.log.fatal.take() {
        Some((row, text)) => (row, Some(text)),
        None => (None, None),
    };
    let fault = if state.out_of_memory {
        Fault::OutOfMemory { limit: state.memory_limit }
    } else {
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Fault::OutOfFuel { limit: state.limits.fuel },
            Some(Trap::Interrupt) => Fault::Deadline(state.limits.deadline),
            Some(Trap::StackOverflow) => Fault::StackOverflow,
            Some(trap) => Fault::Trapped(said.unwrap_or_else(|| trap.to_string())),
            None => match said {
                Some(text) => Fault::Trapped(text),
                // Not a trap: the canonical ABI refused what the module handed over.
                None => Fault::InvalidReply(format!("{error:#}")),
            },
        }
    };
    FailedCall { fault, row }
}
