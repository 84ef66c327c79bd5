use arrow::error::ArrowError;
use unskew_expression::BindError;
use unskew_host::{CallError, RowStatus};
use unskew_plan::ViewId;

use crate::aggregate_kernel::KernelError;
use crate::error::{ArgumentError, TransformError};
use crate::rows::RowsError;
use crate::stored::StoredError;

/// Why features cannot be evaluated at all; what fails for one row or one
/// entity is a status of its answer instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// A module that the plan names is not there, or lacks what is named.
    #[error("module {module}: {reason}")]
    Module {
        /// its name in the project
        module: String,
        /// what is wrong, and what to do
        reason: String,
    },
    /// A row failed in a view whose setting is to stop then.
    #[error(
        "view {view}: {what}: {place}: {status}: {message}; the view's `on_error: fail` stops here (`null` or `default` would go on)"
    )]
    RowFailed {
        /// the view
        view: ViewId,
        /// the transform, the expression or the aggregate
        what: String,
        /// which row, entity or label
        place: String,
        /// how it failed
        status: RowStatus,
        /// why
        message: String,
    },
    /// Labels do not have what a service needs.
    #[error("labels: {0}")]
    Labels(String),
    /// Rows of a source cannot be read.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// What a store holds of a view cannot be read.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// An expression cannot be bound to the modules it calls.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A transform cannot be bound to the columns that feed it.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// A transform gave no outcome.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// The host could not call a module.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An aggregate gave no states.
    #[error(transparent)]
    Aggregate(#[from] KernelError),
    /// Arrow refused columns that should fit.
    #[error("columns could not be put together: {0}")]
    Arrow(#[from] ArrowError),
}

impl EvaluationError {
    /// Whether what was given is to blame, not the machine or Unskew.
    pub fn is_users(&self) -> bool {
        match self {
            Self::Module { .. }
            | Self::RowFailed { .. }
            | Self::Labels(_)
            | Self::Rows(_)
            | Self::Bind(_)
            | Self::Argument(_) => true,
            Self::Stored(_)
            | Self::Transform(_)
            | Self::Call(_)
            | Self::Aggregate(_)
            | Self::Arrow(_) => false,
        }
    }
}
