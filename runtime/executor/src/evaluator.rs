use serde::{Deserialize, Serialize};
use unskew_expression::DATAFUSION_VERSION;
use unskew_host::{Limits, WASMTIME_VERSION};

/// What decides a value beside definitions, modules and rows (DESIGN, section
/// 3): versions of what evaluates, and the limits that a row has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluator {
    /// The version of Unskew: built-in aggregates, windows, conversions.
    pub unskew: String,
    /// The version of wasmtime, whose table of fuel costs is used as it is.
    pub wasmtime: String,
    /// The version of DataFusion, whose SQL functions are used.
    pub datafusion: String,
    /// Fuel of one call.
    pub fuel: u64,
    /// Linear memory of an instance, in bytes.
    pub memory_bytes: u64,
    /// The same of a module in Python.
    pub python_memory_bytes: u64,
    /// Entries of all tables of an instance.
    pub table_elements: u64,
    /// Bytes of stack.
    pub stack_bytes: u64,
    /// Bytes of one reply.
    pub reply_bytes: u64,
    /// Bytes of all replies to the rows of one evaluation.
    pub outcome_bytes: u64,
    /// Bytes of a row's error message.
    pub message_bytes: u64,
}

impl Evaluator {
    /// This program's, under these limits.
    pub fn new(limits: &Limits) -> Self {
        Self {
            unskew: env!("CARGO_PKG_VERSION").to_owned(),
            wasmtime: WASMTIME_VERSION.to_owned(),
            datafusion: DATAFUSION_VERSION.to_owned(),
            fuel: limits.fuel,
            memory_bytes: limits.memory_bytes as u64,
            python_memory_bytes: limits.python_memory_bytes as u64,
            table_elements: limits.table_elements as u64,
            stack_bytes: limits.stack_bytes as u64,
            reply_bytes: limits.reply_bytes as u64,
            outcome_bytes: limits.outcome_bytes as u64,
            message_bytes: limits.message_bytes as u64,
        }
    }

    /// The evaluator id: the versions, and the limits in a fixed order. Equal
    /// ids stand for equal values of equal rows.
    pub fn id(&self) -> String {
        let Self {
            unskew,
            wasmtime,
            datafusion,
            fuel,
            memory_bytes,
            python_memory_bytes,
            table_elements,
            stack_bytes,
            reply_bytes,
            outcome_bytes,
            message_bytes,
        } = self;
        let limits = [
            fuel,
            memory_bytes,
            python_memory_bytes,
            table_elements,
            stack_bytes,
            reply_bytes,
            outcome_bytes,
            message_bytes,
        ];
        let limits: Vec<String> = limits.iter().map(ToString::to_string).collect();
        format!(
            "unskew-{unskew}+wasmtime-{wasmtime}+datafusion-{datafusion}+limits-{}",
            limits.join(".")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_names_every_limit() {
        let evaluator = Evaluator::new(&Limits::default());
        let id = evaluator.id();
        assert!(id.starts_with(&format!("unskew-{}+wasmtime-", env!("CARGO_PKG_VERSION"))), "{id}");
        for change in [
            Limits { fuel: 1, ..Limits::default() },
            Limits { memory_bytes: 1, ..Limits::default() },
            Limits { python_memory_bytes: 1, ..Limits::default() },
            Limits { message_bytes: 1, ..Limits::default() },
        ] {
            assert_ne!(Evaluator::new(&change).id(), id);
        }
    }

    /// The versions that are named are those that Cargo.lock holds us to.
    #[test]
    fn the_versions_are_those_of_the_build() {
        let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
        let lock = std::fs::read_to_string(lock).unwrap();
        let evaluator = Evaluator::new(&Limits::default());
        for (package, version) in
            [("wasmtime", evaluator.wasmtime), ("datafusion", evaluator.datafusion)]
        {
            let entry = format!("name = \"{package}\"\nversion = \"{version}\"\n");
            assert!(lock.contains(&entry), "{package} is not {version} in Cargo.lock");
        }
    }
}
