use unskew_executor::EvaluationError;
use unskew_store::StoreError;

/// Why a request is not answered. What is wrong with single values or entities
/// is a status in the answer instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnlineError {
    /// The body is not what the route takes.
    #[error("{0}")]
    Malformed(String),
    /// A service, view, feature, source or route that does not exist.
    #[error("{what}; {fix}")]
    Unknown {
        /// of what kind it is
        kind: UnknownKind,
        /// what does not exist
        what: String,
        /// what to do
        fix: String,
    },
    /// A value is not what the definitions say.
    #[error("{0}")]
    Invalid(String),
    /// More than the server is configured to take.
    #[error("{0}")]
    TooLarge(String),
    /// No token, or a wrong one.
    #[error("this server asks for its token: send the header `Authorization: Bearer TOKEN`")]
    Unauthorized,
    /// The client was too slow.
    #[error("the request did not arrive within {0}; send it faster, or raise serve.idle_timeout")]
    TooSlow(String),
    /// Something of the kind runs already.
    #[error("{0}")]
    Conflict(String),
    /// The server cannot do it now.
    #[error("{0}")]
    Unavailable(String),
    /// The store did not do what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Features could not be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// Our own trouble.
    #[error("{0}")]
    Internal(String),
}

/// What does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKind {
    /// A feature service.
    Service,
    /// A view, or a version of one.
    View,
    /// A feature of a view.
    Feature,
    /// A source that takes pushed rows.
    PushSource,
    /// Anything else.
    Other,
}

impl OnlineError {
    /// The status of HTTP that says so.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Unauthorized => 401,
            Self::Unknown { .. } => 404,
            Self::TooSlow(_) => 408,
            Self::Conflict(_) => 409,
            Self::TooLarge(_) => 413,
            Self::Invalid(_) => 422,
            Self::Evaluation(error) if error.is_users() => 422,
            Self::Unavailable(_) | Self::Store(_) => 503,
            Self::Evaluation(_) | Self::Internal(_) => 500,
        }
    }

    /// A word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::Unknown { .. } => "not_found",
            Self::TooSlow(_) => "too_slow",
            Self::Conflict(_) => "conflict",
            Self::TooLarge(_) => "too_large",
            Self::Invalid(_) => "invalid",
            Self::Unavailable(_) => "unavailable",
            Self::Store(_) => "store",
            Self::Evaluation(error) if error.is_users() => "invalid",
            Self::Evaluation(_) => "evaluation",
            Self::Internal(_) => "internal",
        }
    }

    /// What a client is told: of our own trouble, only that there is some.
    pub fn told(&self) -> String {
        match self {
            Self::Internal(_) => "the server failed; its log says how, under this request's id".to_owned(),
            Self::Evaluation(error) if !error.is_users() => {
                "features could not be evaluated; the server's log says why, under this request's id"
                    .to_owned()
            }
            other => other.to_string(),
        }
    }

    /// A mistake of form in a body of JSON.
    pub(crate) fn of_json(error: &serde_json::Error) -> Self {
        Self::Malformed(format!("the body is not the JSON that this route takes: {error}"))
    }
}
