//! Answers of every route, and how errors are told.

use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::error::{OnlineError, UnknownKind};

/// JSON that is written already.
pub(crate) fn json_bytes(bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A document as JSON.
pub(crate) fn json(document: &impl Serialize) -> Response {
    match serde_json::to_vec(document) {
        Ok(bytes) => json_bytes(bytes),
        Err(error) => failure(&OnlineError::Internal(error.to_string())),
    }
}

/// A document as JSON, with a status of HTTP.
pub(crate) fn json_with(status: StatusCode, document: &impl Serialize) -> Response {
    let mut response = json(document);
    *response.status_mut() = status;
    response
}

/// Bytes of some type.
pub(crate) fn of_type(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    error: ErrorBody<'a>,
    /// Where FastAPI has it, which Feast's server is made of.
    detail: &'a str,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
}

/// An error as our own routes tell it.
pub(crate) fn failure(error: &OnlineError) -> Response {
    let told = error.told();
    let document =
        ErrorDocument { error: ErrorBody { code: error.code(), message: &told }, detail: &told };
    with_status(json(&document), error)
}

/// An error as Feast's routes tell it: names that do not exist by the error
/// that its client raises, which is JSON in a JSON string.
pub(crate) fn feast_failure(error: &OnlineError) -> Response {
    let class = match error {
        OnlineError::Unknown { kind, .. } => match kind {
            UnknownKind::Service => "FeatureServiceNotFoundException",
            UnknownKind::View => "FeatureViewNotFoundException",
            UnknownKind::Feature => "FeastObjectNotFoundException",
            UnknownKind::PushSource => "PushSourceNotFoundException",
            UnknownKind::Other => return failure(error),
        },
        _ => return failure(error),
    };
    let detail = serde_json::json!({
        "module": "feast.errors",
        "class": class,
        "message": error.told(),
    });
    with_status(json(&detail.to_string()), error)
}

fn with_status(mut response: Response, error: &OnlineError) -> Response {
    let status = error.http_status();
    if status >= 500 {
        tracing::warn!(status, error = %error, "a request failed");
    }
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == 401 {
        let challenge = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(hyper::header::WWW_AUTHENTICATE, challenge);
    }
    response
}
