use std::time::Duration;

use unskew_definition::ManifestLimits;

/// Every bound on what a module may be, use or return, in one place.
///
/// `fuel` and the memory limits decide values: the same row under the same
/// limits yields the same verdict on every machine. `deadline` does not: a
/// call that meets it fails as a whole and is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel of one call, whatever its number of rows.
    pub fuel: u64,
    /// Linear memory of one instance, in bytes, unless the module says that it
    /// is written in Python.
    pub memory_bytes: usize,
    /// Linear memory of one instance of a Python module, in bytes.
    pub python_memory_bytes: usize,
    /// Entries of all tables of one instance.
    pub table_elements: usize,
    /// Bytes of native stack that a module's calls may take.
    pub stack_bytes: usize,
    /// Wall-clock time of one call: a safety net for the host.
    pub deadline: Duration,
    /// Rows that the host hands over in one call at most.
    pub rows_per_call: usize,
    /// Bytes that the host hands over in one call, unless one row alone has more.
    pub request_bytes: usize,
    /// Bytes of one reply.
    pub reply_bytes: usize,
    /// Bytes of all replies to the rows of one evaluation.
    pub outcome_bytes: usize,
    /// Bytes of one row's error message; longer ones are cut.
    pub message_bytes: usize,
    /// Log messages that one call may emit; further ones are dropped.
    pub log_messages: u32,
    /// Bytes of all log messages of one call; what is over is cut.
    pub log_bytes: usize,
    /// Bytes that all calls of a module together may log in a minute; further
    /// messages are dropped.
    pub log_bytes_per_minute: usize,
    /// Calls after which an instance is thrown away.
    pub calls_per_instance: u32,
    /// Bytes of a component.
    pub component_bytes: usize,
    /// Functions in a component, over all its core modules.
    pub functions: u32,
    /// Types in a component, over all its core modules: each has a piece of
    /// native code for calls from the host.
    pub types: u32,
    /// Bytes of one function's body.
    pub function_bytes: usize,
    /// Locals of one function, its parameters included.
    pub locals: u32,
    /// How deep the blocks of a function may be nested.
    pub block_nesting: u32,
    /// How deep the loops of a function may be nested.
    pub loop_nesting: u32,
    /// Values of one function, in the compiler's eyes: about a kilobyte of its
    /// memory each.
    pub function_values: u64,
    /// Work to compile one function: microseconds at worst (see below).
    pub function_work: u64,
    /// Work to compile all functions. The unit is the time that a component
    /// made to be slow takes on one core of a small server, in microseconds;
    /// honest code takes about a tenth. CPython comes to 77 million, its largest
    /// function to 12 million. `unskew-hostile slow` measures the worst cases.
    pub compile_work: u64,
    /// Time to compile a component: a safety net for the host.
    pub compile_deadline: Duration,
    /// Components that are compiled at one time.
    pub compilations: u32,
    /// Bytes of a component's own definitions, all but core modules; those of
    /// the components inside count once for each of their instances.
    pub definition_bytes: usize,
    /// Bytes of the core modules' types, imports, tables and so on: all but
    /// code and data.
    pub declaration_bytes: usize,
    /// How deep components, core modules and the types of components may be
    /// nested.
    pub nesting: usize,
    /// What the manifest may be.
    pub manifest: ManifestLimits,
    /// Instances that are alive at one time, over all modules of a host.
    pub instances: u32,
    /// Linear memory of the instances that wait for their next call, over all
    /// modules of a host, in bytes.
    pub idle_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            fuel: 100_000_000,
            memory_bytes: 64 * MIB,
            python_memory_bytes: 256 * MIB,
            table_elements: 64 * 1024,
            stack_bytes: 512 * 1024,
            deadline: Duration::from_secs(30),
            rows_per_call: 8192,
            request_bytes: 8 * MIB,
            reply_bytes: 64 * MIB,
            outcome_bytes: 1024 * MIB,
            message_bytes: 4096,
            log_messages: 64,
            log_bytes: 16 * 1024,
            log_bytes_per_minute: MIB,
            calls_per_instance: 100_000,
            component_bytes: 64 * MIB,
            functions: 100_000,
            types: 10_000,
            function_bytes: 512 * 1024,
            locals: 10_000,
            block_nesting: 2_000,
            loop_nesting: 64,
            function_values: 1_000_000,
            function_work: 100_000_000,
            compile_work: 120_000_000,
            compile_deadline: Duration::from_secs(300),
            compilations: 4,
            definition_bytes: MIB,
            declaration_bytes: 8 * MIB,
            nesting: 16,
            manifest: ManifestLimits::default(),
            instances: 128,
            idle_bytes: 4096 * MIB,
        }
    }
}
