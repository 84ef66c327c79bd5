use arrow::error::ArrowError;
use unskew_host::{CallError, RowError, RowStatus};

/// Why a transform's arguments cannot be fed from a batch's columns: a mistake
/// of whoever chose the transform, the columns or the mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// The module has no such transform.
    #[error("module {module} has no transform {transform:?}; it has {known}{hint}")]
    UnknownTransform {
        /// the module's name
        module: Box<str>,
        /// what was asked for
        transform: Box<str>,
        /// the transforms there are
        known: Box<str>,
        /// the one that may have been meant
        hint: Box<str>,
    },
    /// The module has no such aggregate.
    #[error("module {module} has no aggregate {aggregate:?}; it has {known}{hint}")]
    UnknownAggregate {
        /// the module's name
        module: Box<str>,
        /// what was asked for
        aggregate: Box<str>,
        /// the aggregates there are
        known: Box<str>,
        /// the one that may have been meant
        hint: Box<str>,
    },
    /// A column was given for something that is no argument.
    #[error("transform {transform} has no argument {argument:?}; its arguments: {known}")]
    UnknownArgument {
        /// the transform
        transform: Box<str>,
        /// what was given
        argument: Box<str>,
        /// the arguments there are
        known: Box<str>,
    },
    /// Two columns were given for one argument.
    #[error("transform {transform}, argument {argument}: two columns are given for it; give one")]
    MappedTwice {
        /// the transform
        transform: Box<str>,
        /// the argument
        argument: Box<str>,
    },
    /// The column is not there.
    #[error(
        "transform {transform}, argument {argument}: there is no column {column:?}{hint}; the columns: {known}"
    )]
    MissingColumn {
        /// the transform
        transform: Box<str>,
        /// the argument
        argument: Box<str>,
        /// the column that would feed it
        column: Box<str>,
        /// the columns there are
        known: Box<str>,
        /// the one that may have been meant
        hint: Box<str>,
    },
    /// There are two of it.
    #[error(
        "transform {transform}, argument {argument}: two columns are named {column:?}; rename one of them"
    )]
    AmbiguousColumn {
        /// the transform
        transform: Box<str>,
        /// the argument
        argument: Box<str>,
        /// their name
        column: Box<str>,
    },
    /// Its type holds values that the argument's does not.
    #[error(
        "transform {transform}, argument {argument}: column {column:?} is {found}, the argument is {wanted}; {fix}"
    )]
    WrongType {
        /// the transform
        transform: Box<str>,
        /// the argument
        argument: Box<str>,
        /// the column that would feed it
        column: Box<str>,
        /// the column's type
        found: Box<str>,
        /// the argument's type
        wanted: Box<str>,
        /// what to do
        fix: Box<str>,
    },
}

/// Why a policy for failed rows cannot be followed: a mistake of whoever chose
/// it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A default for something that is no output.
    #[error(
        "there is no output {output:?} to give a default to; transform {transform} yields {known}"
    )]
    UnknownOutput {
        /// the transform
        transform: String,
        /// what was given
        output: String,
        /// the outputs there are
        known: String,
    },
    /// Two defaults for one output.
    #[error("two defaults are given for output {output}; give one")]
    DefaultTwice {
        /// the output
        output: String,
    },
    /// The default is not of the output's type.
    #[error("the default of output {output}: {source}")]
    WrongDefault {
        /// the output
        output: String,
        /// what is wrong with it
        source: crate::text::ValueError,
    },
    /// Defaults, but a policy that would never use them.
    #[error("a default is given, but failed rows get {policy}; choose `default` for failed rows")]
    UnusedDefault {
        /// what failed rows get
        policy: &'static str,
    },
    /// The policy `default` without any.
    #[error(
        "failed rows shall get defaults, but none is given; give at least one output its default"
    )]
    NoDefault,
}

/// Why an evaluation of a batch yields nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// A row failed, and the policy is to stop then.
    #[error("transform {transform}: row {row}: {status}: {message}")]
    RowFailed {
        /// the transform
        transform: String,
        /// the row of the batch
        row: usize,
        /// how it failed
        status: RowStatus,
        /// why
        message: String,
    },
    /// More rows failed than the caller wants to bear.
    #[error("transform {transform}: more than {limit} rows failed")]
    TooManyErrors {
        /// the transform
        transform: String,
        /// how many were allowed
        limit: u64,
        /// the first `limit + 1` rows of the batch that failed, ascending
        errors: Vec<RowError>,
    },
    /// A column's values are damaged, or too many for one batch.
    #[error("argument {argument}: the column cannot be read: {source}")]
    Column {
        /// the argument
        argument: String,
        /// what Arrow says
        source: ArrowError,
    },
    /// The columns of the arguments do not make a batch.
    #[error("the arguments' columns do not make a batch: {source}")]
    Columns {
        /// what Arrow says
        source: ArrowError,
    },
    /// The host has no outcome.
    #[error(transparent)]
    Call(#[from] CallError),
}
