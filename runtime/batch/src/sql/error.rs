use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use unskew_executor::{ArgumentError, TransformError};

use crate::error::BatchError;

/// Why a query gives no rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The text is no SQL, or names what is not there.
    #[error("{reason}")]
    Query {
        /// what is wrong, and what to do
        reason: String,
    },
    /// An option does not fit the query or the functions.
    #[error("{reason}")]
    Option {
        /// what is wrong, and what to do
        reason: String,
    },
    /// A value for which the query has no answer, or a row that failed under
    /// `--on-error fail`.
    #[error("{reason}")]
    Value {
        /// which, and why
        reason: String,
    },
    /// The memory limit does not suffice, though what can be spilled was.
    #[error(
        "the query needs more memory than its limit allows: {reason}; raise --memory-limit, or aggregate or join less at a time"
    )]
    Memory {
        /// what asked for more
        reason: String,
    },
    /// A file turned out to be damaged.
    #[error("a file cannot be read: {reason}")]
    Damaged {
        /// what the reader says
        reason: String,
    },
    /// A table's files cannot be read, or the output not written.
    #[error(transparent)]
    Files(#[from] BatchError),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The machine's trouble, or a mistake in Unskew itself.
    #[error("the query could not be run: {reason}")]
    Internal {
        /// what happened
        reason: String,
    },
}

impl SqlError {
    /// Whether what was given is to blame, not the machine or Unskew.
    pub fn is_users(&self) -> bool {
        match self {
            Self::Query { .. }
            | Self::Option { .. }
            | Self::Value { .. }
            | Self::Memory { .. }
            | Self::Damaged { .. } => true,
            Self::Files(error) => error.is_users(),
            Self::Cancelled | Self::Internal { .. } => false,
        }
    }

    /// From what DataFusion says.
    pub(crate) fn of(error: DataFusionError) -> Self {
        match error {
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Self::of(*inner)
            }
            DataFusionError::Collection(errors) => match errors.into_iter().next() {
                Some(first) => Self::of(first),
                None => Self::Internal { reason: "an empty list of errors".to_owned() },
            },
            DataFusionError::Shared(shared) => match std::sync::Arc::try_unwrap(shared) {
                Ok(inner) => Self::of(inner),
                Err(shared) => Self::of_borrowed(&shared),
            },
            DataFusionError::External(error) => match error.downcast::<BatchError>() {
                Ok(error) => match *error {
                    BatchError::Cancelled => Self::Cancelled,
                    error => Self::Files(error),
                },
                Err(error) => Self::of_external(error.as_ref()),
            },
            other => Self::of_borrowed(&other),
        }
    }

    fn of_borrowed(error: &DataFusionError) -> Self {
        use DataFusionError as E;
        match error {
            E::SQL(error, _) => Self::Query { reason: format!("it is no SQL: {error}") },
            E::Plan(reason) | E::Configuration(reason) | E::NotImplemented(reason) => {
                Self::Query { reason: planned(reason) }
            }
            E::SchemaError(error, _) => Self::Query { reason: unknown_field(error) },
            // What our functions say when a query is planned comes wrapped.
            E::Execution(reason) if reason.contains(PLANNED) => {
                Self::Query { reason: planned(reason) }
            }
            E::Execution(reason) => Self::Value { reason: first_line(reason) },
            E::ArrowError(error, _) => match error.as_ref() {
                ArrowError::ParquetError(reason) | ArrowError::IpcError(reason) => {
                    Self::Damaged { reason: reason.clone() }
                }
                error => Self::Value { reason: error.to_string() },
            },
            E::ResourcesExhausted(reason) => Self::Memory { reason: first_line(reason) },
            E::ParquetError(error) => Self::Damaged { reason: error.to_string() },
            E::ObjectStore(error) => Self::Damaged { reason: error.to_string() },
            // The Parquet reader panics on some damaged files.
            E::ExecutionJoin(error) => Self::Damaged { reason: error.to_string() },
            E::External(error) => Self::of_external(error.as_ref()),
            E::Context(_, inner) | E::Diagnostic(_, inner) => Self::of_borrowed(inner),
            E::Shared(inner) => Self::of_borrowed(inner),
            E::Collection(errors) if !errors.is_empty() => Self::of_borrowed(&errors[0]),
            other => Self::Internal { reason: first_line(&other.to_string()) },
        }
    }

    fn of_external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Self {
        if let Some(error) = error.downcast_ref::<TransformError>() {
            return match error {
                TransformError::RowFailed { .. } => Self::Value {
                    reason: format!("{error}; the query was stopped, as --on-error fail asks"),
                },
                TransformError::Column { .. } => Self::Value { reason: error.to_string() },
                _ => Self::Internal { reason: error.to_string() },
            };
        }
        if let Some(error) = error.downcast_ref::<RowFailed>() {
            return Self::Value { reason: error.to_string() };
        }
        if let Some(error) = error.downcast_ref::<DataFusionError>() {
            return Self::of_borrowed(error);
        }
        if error.is::<ArgumentError>() {
            return Self::Query { reason: error.to_string() };
        }
        if let Some(error) = error.downcast_ref::<BatchError>() {
            let reason = error.to_string();
            return match error.is_users() {
                true => Self::Value { reason },
                false => Self::Internal { reason },
            };
        }
        Self::Internal { reason: error.to_string() }
    }
}

/// A group or a row that failed where none may.
#[derive(Debug, thiserror::Error)]
#[error("{function}: {status}: {message}; the query was stopped, as --on-error fail asks")]
pub(crate) struct RowFailed {
    pub(crate) function: String,
    pub(crate) status: unskew_host::RowStatus,
    pub(crate) message: String,
}

/// Stands before what a function says when a query is planned.
const PLANNED: &str = "coercion failed with: Error during planning: ";

/// Planner messages, without what only its developers can use.
fn planned(reason: &str) -> String {
    let reason = first_line(reason);
    match reason.split_once(PLANNED) {
        Some((_, ours)) => {
            ours.split(". No function matches").next().unwrap_or_default().trim().to_owned()
        }
        None => reason,
    }
}

/// What stands before a backtrace or an explanation for developers.
fn first_line(reason: &str) -> String {
    let reason = reason.split("\n\nbacktrace").next().unwrap_or_default();
    reason.split("\nThis was likely caused").next().unwrap_or_default().trim().to_owned()
}

fn unknown_field(error: &SchemaError) -> String {
    let SchemaError::FieldNotFound { field, valid_fields } = error else {
        return error.to_string();
    };
    let known: Vec<String> = valid_fields.iter().map(|field| field.flat_name()).collect();
    let names = || valid_fields.iter().map(|field| field.name.as_str());
    let hint = unskew_definition::similar(&field.name, names())
        .map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
    format!(
        "there is no column {:?}{hint} (the columns: {})",
        field.name,
        unskew_definition::listed(known.iter().map(String::as_str))
    )
}
