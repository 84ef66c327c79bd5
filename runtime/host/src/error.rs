use std::time::Duration;

use unskew_definition::{ManifestError, WIT_VERSION};

use crate::module::RowError;

/// Why a host cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The WebAssembly engine refuses its settings on this machine.
    #[error("the WebAssembly engine cannot be set up on this machine: {0}")]
    Engine(String),
    /// The folder for compiled native code cannot be used.
    #[error(
        "the cache folder {path} cannot be used: {reason}; give another or mend its permissions"
    )]
    Cache {
        /// the folder
        path: String,
        /// what the system said
        reason: String,
    },
}

/// Why bytes are not accepted as a module.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Neither a component nor a core module, or damaged.
    #[error("not a WebAssembly component: {0}; build it with `unskew build`")]
    NotAComponent(String),
    /// A core module instead of a component.
    #[error(
        "a core WebAssembly module, not a component; build it with `unskew build`, or wrap it with wit/unskew.wit"
    )]
    CoreModule,
    /// More of something than [`crate::Limits`] allows.
    #[error("the module has {found} {what}; at most {limit} are allowed")]
    LimitExceeded {
        /// of what
        what: &'static str,
        /// how many there are
        found: u64,
        /// how many may be
        limit: u64,
    },
    /// Imports that no sandbox grants.
    #[error(
        "the module imports {}, which the sandbox does not grant: a module may import only unskew:module/log",
        .0.join(", ")
    )]
    ForbiddenImport(Vec<String>),
    /// Made for another version of the contract.
    #[error(
        "the module was built for version {found} of unskew:module, this build speaks {WIT_VERSION}; build it again with this version's SDK"
    )]
    WitVersion {
        /// the version it was built for
        found: String,
    },
    /// An export of the contract is missing or of another type.
    #[error("the module does not export {name} as wit/unskew.wit has it: {reason}")]
    WrongExport {
        /// the export
        name: String,
        /// what is wrong with it
        reason: String,
    },
    /// The module failed while it gave its manifest.
    #[error("the module failed while it gave its manifest: {0}")]
    ManifestCall(Fault),
    /// What it gave is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It cannot be compiled.
    #[error("the module cannot be compiled: {0}")]
    Compile(String),
    /// It was not compiled in time, which says nothing about the next try.
    #[error(
        "the module was not compiled within {0:?}: the machine is overloaded, or its functions are too large"
    )]
    CompileDeadline(Duration),
    /// The host's own trouble, not the module's.
    #[error("the host could not load the module: {0}")]
    Host(String),
}

/// How one call into a module failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It trapped: a panic, an access out of bounds, a division by zero.
    #[error("{0}")]
    Trapped(String),
    /// It used up its fuel.
    #[error("out of fuel: more than {limit} units in one call")]
    OutOfFuel {
        /// the fuel of one call
        limit: u64,
    },
    /// It asked for more memory than it may have.
    #[error("out of memory: more than {limit} bytes of linear memory")]
    OutOfMemory {
        /// the limit
        limit: usize,
    },
    /// Its calls were nested too deeply. How deep is too deep depends on the CPU.
    #[error("stack overflow (how deep a call may nest depends on the machine's CPU)")]
    StackOverflow,
    /// What it returned breaks the layout of `wit/README.md`.
    #[error("invalid reply: {0}")]
    InvalidReply(String),
    /// The wall clock ran out before its fuel did.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// No instance could be had.
    #[error("the host has no instance to run it: {0}")]
    Host(String),
}

/// Why an evaluation yields no outcome at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// More rows failed than the caller wants to bear.
    #[error("{function}: more than {limit} rows failed{}", first(errors))]
    TooManyErrors {
        /// the transform or aggregate
        function: String,
        /// how many were allowed
        limit: u64,
        /// the first `limit + 1` rows that failed, ascending
        errors: Vec<RowError>,
    },
    /// A call met the deadline, which never decides a value.
    #[error(
        "{function}: no answer within {deadline:?}; the machine is overloaded, or the deadline is too short for the fuel limit"
    )]
    DeadlineExceeded {
        /// the transform or aggregate
        function: String,
        /// the deadline
        deadline: Duration,
    },
    /// The replies to all rows together would take too much of the host's
    /// memory. It says nothing about any row: fewer at a time may be fine.
    #[error(
        "{function}: what it yields for the rows of one batch has more than {limit} bytes; hand over fewer rows at a time, or let it yield less"
    )]
    OutcomeTooLarge {
        /// the transform or aggregate
        function: String,
        /// the limit
        limit: usize,
    },
    /// The columns are not those of the signature: the caller's mistake.
    #[error("{function}: {reason}")]
    WrongInput {
        /// the transform or aggregate
        function: String,
        /// what does not fit
        reason: String,
    },
    /// The host's own trouble, not the module's.
    #[error("{function}: {reason}")]
    Host {
        /// the transform or aggregate
        function: String,
        /// what happened
        reason: String,
    },
}

fn first(errors: &[RowError]) -> String {
    match errors.first() {
        Some(RowError { row, status, message }) => {
            format!("; the first: row {row}: {status}: {message}")
        }
        None => String::new(),
    }
}
