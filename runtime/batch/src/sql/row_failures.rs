//! What became of rows that failed inside of a query.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use unskew_definition::{OnError, TransformSignature};
use unskew_executor::ErrorPolicy;
use unskew_host::{CallMetrics, RowError};

use crate::sql::error::SqlError;

/// The rows that failed in each function of a query, and what its calls took.
/// Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct RowFailures(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    functions: BTreeMap<String, FailuresOfFunction>,
    calls: CallMetrics,
}

/// The rows that failed in one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FailuresOfFunction {
    /// How many.
    pub rows: u64,
    /// How many, by their status.
    pub by_status: BTreeMap<String, u64>,
    /// One of them, in words.
    pub example: String,
}

impl RowFailures {
    /// Adds rows that failed in `function`.
    pub(crate) fn add(&self, function: &str, errors: &[RowError]) {
        let Some(first) = errors.first() else { return };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counts.functions.entry(function.to_owned()).or_default();
        if known.rows == 0 {
            known.example = format!("{}: {}", first.status, first.message);
        }
        known.rows += errors.len() as u64;
        for error in errors {
            *known.by_status.entry(error.status.to_string()).or_default() += 1;
        }
    }

    /// Adds values of a source's files that are none of their fields' types.
    pub(crate) fn add_unreadable(
        &self,
        place: &str,
        values: u64,
        example: impl FnOnce() -> String,
    ) {
        if values == 0 {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counts.functions.entry(place.to_owned()).or_default();
        if known.rows == 0 {
            known.example = example();
        }
        known.rows += values;
        *known.by_status.entry("unreadable".to_owned()).or_default() += values;
    }

    /// Adds what calls into modules took.
    pub(crate) fn add_calls(&self, calls: CallMetrics) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls += calls;
    }

    /// What was counted so far; the counts begin again at nothing.
    pub fn take(&self) -> (BTreeMap<String, FailuresOfFunction>, CallMetrics) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { functions, calls } = std::mem::take(&mut *counts);
        (functions, calls)
    }
}

/// The default of an output of a function, for rows that fail in it:
/// `function=value`, `module.function=value`, and with several outputs
/// `function.output=value` or `module.function.output=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionDefault {
    path: Vec<String>,
    value: String,
}

impl FromStr for FunctionDefault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text
            .split_once('=')
            .ok_or_else(|| "expected FUNCTION=VALUE or FUNCTION.OUTPUT=VALUE".to_owned())?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.len() > 3 || path.iter().any(String::is_empty) {
            return Err(format!(
                "{:?} is no function; write FUNCTION, MODULE.FUNCTION, or either with .OUTPUT",
                path.join(".")
            ));
        }
        Ok(Self { path, value: value.to_owned() })
    }
}

impl fmt::Display for FunctionDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path.join("."), self.value)
    }
}

impl FunctionDefault {
    /// The output it is about, if it is about `module.function`.
    fn output_of<'a>(
        &'a self,
        module: Option<&str>,
        function: &str,
        outputs: &[&'a str],
    ) -> Option<&'a str> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let behind: &[&str] = match (path.as_slice(), module) {
            ([found, rest @ ..], _) if *found == function && rest.len() < 2 => rest,
            ([in_module, found, rest @ ..], Some(module))
                if *in_module == module && *found == function =>
            {
                rest
            }
            _ => return None,
        };
        match (behind, outputs) {
            ([], [only]) => Some(only),
            ([output], _) => outputs.iter().copied().find(|known| known == output),
            _ => None,
        }
    }
}

/// How the rows that fail are treated by every function of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailurePolicy {
    pub(crate) on_error: OnError,
    pub(crate) defaults: Vec<FunctionDefault>,
}

impl FailurePolicy {
    /// The policy of one function; `used` gets the defaults that are about it.
    pub(crate) fn of(
        &self,
        module: Option<&str>,
        signature: &TransformSignature,
        used: &mut Vec<FunctionDefault>,
    ) -> Result<ErrorPolicy, SqlError> {
        let function = signature.name.as_str();
        let outputs: Vec<&str> = signature.outputs.iter().map(|o| o.name.as_str()).collect();
        let mut defaults = Vec::new();
        for default in &self.defaults {
            if let Some(output) = default.output_of(module, function, &outputs) {
                used.push(default.clone());
                defaults.push((output.to_owned(), default.value.clone()));
            }
        }
        // A function without a default yields null where it fails.
        let on_error = match self.on_error {
            OnError::Default if defaults.is_empty() => OnError::Null,
            on_error => on_error,
        };
        ErrorPolicy::new(on_error, &defaults, signature).map_err(|source| {
            let function =
                module.map_or_else(String::new, |module| format!("{module}.")) + function;
            SqlError::Option { reason: format!("function {function}: {source}") }
        })
    }
}

#[cfg(test)]
mod tests {
    use unskew_host::RowStatus;

    use super::*;

    #[test]
    fn failures_are_counted_until_they_are_taken() {
        let failures = RowFailures::default();
        let error = |row, status| RowError { row, status, message: "no".to_owned() };
        failures.add("f", &[error(0, RowStatus::Failed), error(3, RowStatus::Trapped)]);
        failures.clone().add("f", &[error(1, RowStatus::Failed)]);
        failures.add("g", &[]);
        let (counts, _) = failures.take();
        assert_eq!(counts.len(), 1);
        assert_eq!((counts["f"].rows, counts["f"].by_status["failed"]), (3, 2));
        assert_eq!(counts["f"].example, "failed: no");
        assert!(failures.take().0.is_empty());
    }

    #[test]
    fn a_default_names_its_function_and_output() {
        let default = |text: &str| text.parse::<FunctionDefault>().unwrap();
        let one = ["y"];
        assert_eq!(default("f=1").output_of(Some("m"), "f", &one), Some("y"));
        assert_eq!(default("m.f=1").output_of(Some("m"), "f", &one), Some("y"));
        assert_eq!(default("f.y=a=b").output_of(Some("m"), "f", &one), Some("y"));
        assert_eq!(default("m.f.y=1").output_of(Some("m"), "f", &one), Some("y"));
        assert_eq!(default("n.f=1").output_of(Some("m"), "f", &one), None);
        assert_eq!(default("f=1").output_of(Some("m"), "f", &["y", "z"]), None);
        assert_eq!(default("f.z=1").output_of(Some("m"), "f", &["y", "z"]), Some("z"));
        assert!("f".parse::<FunctionDefault>().is_err());
        assert!("a.b.c.d=1".parse::<FunctionDefault>().is_err());
        assert!(".f=1".parse::<FunctionDefault>().is_err());
    }
}
