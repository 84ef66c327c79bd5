use crate::catalog::FunctionRef;

/// Why a text is no expression over the given columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SQL, line {line}, character {character}: {message}")]
pub struct ExpressionError {
    /// Line of the text, from 1.
    pub line: u64,
    /// Character of that line, from 1.
    pub character: u64,
    /// What is wrong there, and what to do.
    pub message: String,
}

/// Why an expression cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Nobody computes a transform that it calls.
    #[error(
        "no module here computes {function}, which the expression {text:?} calls; add the module to the project"
    )]
    NoKernel {
        /// the transform
        function: FunctionRef,
        /// the expression
        text: String,
    },
    /// Who computes it takes or gives something else.
    #[error(
        "{function}, which the expression {text:?} calls, takes or gives other types than when the expression was checked; build the plan again"
    )]
    OtherSignature {
        /// the transform
        function: FunctionRef,
        /// the expression
        text: String,
    },
}
