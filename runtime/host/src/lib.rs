//! Component bytes in, calls on RecordBatches out: the only room that names
//! wasmtime.
//!
//! A [`Host`] compiles a module (or takes its native code from a signed
//! cache), and a [`CompiledModule`] evaluates its transforms and aggregates in
//! a sandbox that can do nothing but compute: no clock, no files, no network,
//! no randomness, bounded fuel and memory. Whatever a module does, the caller
//! gets an [`Outcome`] with a verdict for each row, or a [`CallError`].
//!
//! This room decides nothing about features: which column feeds which
//! argument, and what becomes of a failed row, is the executor's business.
//!
//! Everything that comes out of a module is checked before it is used; see
//! `wit/README.md` for the layout and [`Limits`] for the bounds.

mod aggregate;
mod arguments;
mod boundary;
mod cache;
mod compile;
mod compile_work;
mod config;
mod decode;
mod definitions;
mod encode;
mod engine;
mod error;
mod footprint;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod host;
mod inspect;
mod instance;
mod kernel;
mod limits;
mod log;
mod metrics;
mod module;
mod one_row;
mod pieces;
mod pool;
mod prepared;
mod signer;
mod split;
mod table;
mod transform;

/// The version of wasmtime that runs modules: a part of what decides values,
/// with the fuel that it takes for each instruction.
pub const WASMTIME_VERSION: &str = "48.0.8";

pub use aggregate::Fold;
pub use config::{CallShape, HostConfig, Isolation, NAN_SECTION, NanPolicy};
pub use error::{CallError, Fault, HostError, LoadError};
pub use host::Host;
pub use kernel::TransformKernel;
pub use limits::Limits;
pub use metrics::CallMetrics;
pub use module::{CompiledModule, Outcome, RowError, RowStatus};
