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
    /// Bytes of one row's error message; longer ones are cut.
    pub message_bytes: usize,
    /// Log messages that one call may emit; further ones are dropped.
    pub log_messages: u32,
    /// Bytes of all log messages of one call; what is over is cut.
    pub log_bytes: usize,
    /// Calls after which an instance is thrown away.
    pub calls_per_instance: u32,
    /// Bytes of a component.
    pub component_bytes: usize,
    /// Functions in a component, over all its core modules.
    pub functions: u32,
    /// Bytes of one function's body, which bounds the time to compile it.
    pub function_bytes: usize,
    /// How deep components and core modules may be nested.
    pub nesting: usize,
    /// What the manifest may be.
    pub manifest: ManifestLimits,
    /// Instances that are alive at one time, over all modules of a host.
    pub instances: u32,
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
            message_bytes: 4096,
            log_messages: 64,
            log_bytes: 16 * 1024,
            calls_per_instance: 100_000,
            component_bytes: 64 * MIB,
            functions: 100_000,
            function_bytes: 512 * 1024,
            nesting: 16,
            manifest: ManifestLimits::default(),
            instances: 128,
        }
    }
}
