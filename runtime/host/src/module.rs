use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow::array::ArrayRef;
use serde::Serialize;
use unskew_definition::{Manifest, ModuleDigest};
use wasmtime::component::InstancePre;

use crate::boundary::ReplyBytes;
use crate::config::{CallShape, Isolation, NanPolicy};
use crate::encode::{Groups, Request};
use crate::engine::TickingEngine;
use crate::instance::{Export, ExportIndices, FailedCall, GuestState, Instance, Setting};
use crate::limits::Limits;
use crate::log::Journal;
use crate::metrics::CallMetrics;
use crate::one_row::OneRow;
use crate::pool::{IdleInstances, Pools};
use crate::prepared::Prepared;

/// A module that is ready to be called, from any number of threads. Clones
/// share its instances.
#[derive(Clone)]
pub struct CompiledModule(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) digest: ModuleDigest,
    pub(crate) manifest: Manifest,
    pub(crate) manifest_json: Box<str>,
    pub(crate) imports: Vec<String>,
    pub(crate) component_bytes: usize,
    pub(crate) limits: Arc<Limits>,
    pub(crate) isolation: Isolation,
    pub(crate) nan: NanPolicy,
    /// Those that wait for a next call: none where each has one of its own.
    pub(crate) idle: Arc<IdleInstances>,
    /// Those that are made ahead where each call has one of its own.
    pub(crate) prepared: Option<Prepared>,
    pub(crate) maker: Arc<Maker>,
    pub(crate) metrics: Mutex<CallMetrics>,
    /// What a row of each transform, then of each aggregate's four functions,
    /// took last: a guess for how many rows fit one call.
    pub(crate) fuel_per_row: Vec<AtomicU64>,
    /// The short way of each transform, where it has one.
    pub(crate) one_row: Vec<Option<OneRow>>,
    /// Keeps deadlines going while the module lives.
    pub(crate) _engine: Arc<TickingEngine>,
}

/// What it takes to make an instance.
pub(crate) struct Maker {
    pub(crate) limits: Arc<Limits>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) memory_limit: usize,
    pub(crate) pre: InstancePre<GuestState>,
    pub(crate) indices: ExportIndices,
    pub(crate) pools: Arc<Pools>,
}

/// What an evaluation yields.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// One column for each output, with as many rows as were given. A failed
    /// row is null.
    pub columns: Vec<ArrayRef>,
    /// The rows that failed, ascending, each once.
    pub errors: Vec<RowError>,
    /// What it took.
    pub metrics: CallMetrics,
}

/// One row that yielded no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// Its index among the rows given.
    pub row: usize,
    /// What kind of failure it was.
    pub status: RowStatus,
    /// What the module or the host says of it. From a module: untrusted text.
    pub message: String,
}

/// How a row failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowStatus {
    /// The module reported an error for it.
    Failed,
    /// The module trapped on it: a panic, an access out of bounds.
    Trapped,
    /// It alone took more fuel than a call may.
    OutOfFuel,
    /// It alone took more memory than an instance may.
    OutOfMemory,
    /// It overflowed the stack. How deep a call may nest depends on the CPU:
    /// another machine may judge otherwise.
    StackOverflow,
    /// The module's reply to it alone was not valid.
    InvalidReply,
    /// It has a null inside of a list or struct whose type allows none there.
    InvalidInput,
}

impl RowStatus {
    /// Its name as it stands in reports, such as `out_of_fuel`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Trapped => "trapped",
            Self::OutOfFuel => "out_of_fuel",
            Self::OutOfMemory => "out_of_memory",
            Self::StackOverflow => "stack_overflow",
            Self::InvalidReply => "invalid_reply",
            Self::InvalidInput => "invalid_input",
        }
    }
}

impl std::fmt::Display for RowStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CompiledModule {
    /// The SHA-256 of its component.
    pub fn digest(&self) -> ModuleDigest {
        self.0.digest
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The same as it was said: JSON, with the places that its SDK recorded.
    pub fn manifest_json(&self) -> &str {
        &self.0.manifest_json
    }

    /// What it imports: the log interface, or nothing.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// How NaNs that it makes are treated.
    pub fn nan_policy(&self) -> NanPolicy {
        self.0.nan
    }

    /// Bytes of its component.
    pub fn component_bytes(&self) -> usize {
        self.0.component_bytes
    }

    /// What all calls so far took.
    pub fn metrics(&self) -> CallMetrics {
        *self.0.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for CompiledModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompiledModule")
            .field("name", &self.0.manifest.name)
            .field("digest", &self.0.digest)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// An instance for a call of `export`; the flag says that no call but the
    /// zero-row one was made in it.
    pub(crate) fn acquire(
        &self,
        export: Export,
        index: u32,
        inputs: &[unskew_definition::Field],
        columns: &[ArrayRef],
        fresh: bool,
        metrics: &mut CallMetrics,
    ) -> Result<(Instance, bool), FailedCall> {
        let start = Instant::now();
        let idle = match &self.prepared {
            Some(prepared) if fresh => prepared.take(export, index),
            _ if fresh => None,
            _ => self.idle.take(),
        };
        let idle = match idle {
            // What fails in the one that gave the manifest says nothing yet.
            Some(instance) if instance.calls() == 0 => {
                self.maker.called_once(instance, export, index, inputs, columns).ok()
            }
            other => other,
        };
        let result = match idle {
            Some(instance) => {
                metrics.pool_hits += 1;
                let fresh = !instance.has_been_called();
                Ok((instance, fresh))
            }
            None => {
                metrics.pool_misses += 1;
                self.maker.make(export, index, inputs, columns).map(|instance| (instance, true))
            }
        };
        metrics.acquire += start.elapsed();
        result
    }

    /// Takes an instance back after a call that succeeded.
    pub(crate) fn release(
        &self,
        instance: Instance,
        isolation: Isolation,
        (export, index, inputs): (Export, u32, &[unskew_definition::Field]),
    ) {
        match &self.prepared {
            Some(prepared) if isolation == Isolation::Fresh => {
                if let Some(instance) = prepared.used_up(instance, export, index, inputs) {
                    self.maker.pools.discard(instance);
                }
            }
            _ if isolation == Isolation::Fresh || instance.is_spent() => {
                self.maker.pools.discard(instance);
            }
            _ => self.maker.pools.keep(&self.idle, instance),
        }
    }

    pub(crate) fn fuel_guess(&self, export: Export, index: usize) -> &AtomicU64 {
        let of_aggregate = self.manifest.transforms.len() + index * 4;
        let at = match export {
            Export::Transform => index,
            Export::Partial => of_aggregate,
            Export::Merge => of_aggregate + 1,
            Export::Subtract => of_aggregate + 2,
            Export::Finish => of_aggregate + 3,
        };
        &self.fuel_per_row[at]
    }

    /// How evaluations are cut unless the caller says otherwise.
    pub(crate) fn shape(&self) -> CallShape {
        CallShape { rows_per_call: self.limits.rows_per_call, isolation: self.isolation }
    }

    pub(crate) fn add_metrics(&self, metrics: CallMetrics) {
        *self.metrics.lock().unwrap_or_else(PoisonError::into_inner) += metrics;
    }
}

impl Maker {
    /// A new instance, after a zero-row call of this function.
    pub(crate) fn make(
        &self,
        export: Export,
        index: u32,
        inputs: &[unskew_definition::Field],
        columns: &[ArrayRef],
    ) -> Result<Instance, FailedCall> {
        let instance = self.pools.make_room_for(self.limits.deadline, || self.instantiate())?;
        self.called_once(instance, export, index, inputs, columns)
    }

    /// The same, which takes no room from anyone.
    pub(crate) fn make_if_there_is_room(
        &self,
        export: Export,
        index: u32,
        inputs: &[unskew_definition::Field],
        columns: &[ArrayRef],
    ) -> Result<Instance, FailedCall> {
        let instance = self.instantiate().map_err(|(_, failed)| failed)?;
        self.called_once(instance, export, index, inputs, columns)
    }

    fn instantiate(&self) -> Result<Instance, (wasmtime::Error, FailedCall)> {
        let Self { limits, journal, memory_limit, .. } = self;
        let setting = Setting { limits, journal, memory_limit: *memory_limit };
        Instance::new(&self.pre, &self.indices, &setting)
    }

    fn called_once(
        &self,
        mut instance: Instance,
        export: Export,
        index: u32,
        inputs: &[unskew_definition::Field],
        columns: &[ArrayRef],
    ) -> Result<Instance, FailedCall> {
        // Whatever a module sets up on its first call, it sets up here, so
        // that a row never tells a first call from a later one.
        let groups = (export == Export::Partial).then_some(Groups { of_rows: &[], count: 0 });
        let request = Request::new(inputs, columns, 0..0, groups);
        match instance.call::<_, ReplyBytes>(export, index, request) {
            Ok(answer) => {
                instance.memory = Some(answer.reply.memory);
                Ok(instance)
            }
            Err(failed) => {
                self.pools.discard(instance);
                Err(failed)
            }
        }
    }
}
