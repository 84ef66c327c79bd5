//! `/push` and `/write-to-online-store`.

use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use unskew_definition::Name;

use crate::engine::view_of;
use crate::error::OnlineError;
use crate::http::{App, body, reply};
use crate::push::{PushMode, PushTo};

/// What Feast's client sends, and whether to wait for the store.
#[derive(Deserialize)]
struct PushRequest<'a> {
    push_source_name: String,
    #[serde(borrow)]
    df: &'a RawValue,
    #[serde(default)]
    to: PushTo,
}

/// Answers `/push`.
pub(crate) async fn push(app: &App, request: Request, begun: Instant) -> Response {
    match pushed(app, request).await {
        Ok(response) => {
            app.pusher().measure.requests.record(begun.elapsed());
            response
        }
        Err(error) => reply::feast_failure(&error),
    }
}

async fn pushed(app: &App, request: Request) -> Result<Response, OnlineError> {
    let mode = mode_of(request.uri().query())?;
    let bytes = body::read(request, app.settings()).await?;
    let PushRequest { push_source_name, df, to } =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    let report = app.pusher().push(&push_source_name, df, to, mode, app.now()).await?;
    Ok(reply::json(&report))
}

fn mode_of(query: Option<&str>) -> Result<PushMode, OnlineError> {
    let pairs = query.unwrap_or_default().split('&');
    let mut modes = pairs.filter_map(|pair| pair.strip_prefix("mode="));
    match modes.next_back() {
        None | Some("store") => Ok(PushMode::Store),
        Some("log") => Ok(PushMode::Log),
        Some(other) => Err(OnlineError::Invalid(format!(
            "there is no mode {other:?}; write mode=store (answered when the store has it) or mode=log (when the log has it)"
        ))),
    }
}

#[derive(Deserialize)]
struct WriteRequest<'a> {
    feature_view_name: String,
    #[serde(borrow)]
    df: &'a RawValue,
}

/// Answers `/write-to-online-store`.
pub(crate) async fn write_to_online_store(app: &App, request: Request) -> Response {
    match written(app, request).await {
        Ok(response) => response,
        Err(error) => reply::feast_failure(&error),
    }
}

async fn written(app: &App, request: Request) -> Result<Response, OnlineError> {
    let bytes = body::read(request, app.settings()).await?;
    let WriteRequest { feature_view_name, df } =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    let (name, version) = match feature_view_name.split_once("@v") {
        None => (feature_view_name.as_str(), None),
        Some((name, version)) => (name, version.parse().ok()),
    };
    let name = Name::new(name).map_err(|error| OnlineError::Invalid(error.to_string()))?;
    let view = view_of(&app.engine().project().plan, &name, version)?;
    let report = app.pusher().write_values(&view, df, app.now()).await?;
    Ok(reply::json(&report))
}
