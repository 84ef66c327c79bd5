//! Whether the server lives, is ready, and what of it is not well.

use std::time::Duration;

use axum::response::Response;
use hyper::StatusCode;
use serde_json::json;

use crate::http::{App, reply};

/// How long a part may take to say that it is well.
const WITHIN: Duration = Duration::from_secs(1);

/// The process answers.
pub(crate) fn alive() -> Response {
    reply::json(&json!({ "status": "alive" }))
}

/// Requests may be sent: all is warm, and the store answers.
pub(crate) async fn ready(app: &App) -> Response {
    if !app.is_ready() {
        let why = "the server is starting";
        let document = json!({ "status": "starting", "detail": why });
        return reply::json_with(StatusCode::SERVICE_UNAVAILABLE, &document);
    }
    match store(app).await {
        Ok(_) => reply::json(&json!({ "status": "ready" })),
        Err(why) => {
            let document = json!({ "status": "unavailable", "detail": why });
            reply::json_with(StatusCode::SERVICE_UNAVAILABLE, &document)
        }
    }
}

async fn store(app: &App) -> Result<serde_json::Value, String> {
    let store = app.engine().store();
    match tokio::time::timeout(WITHIN, store.check()).await {
        Ok(Ok(health)) => Ok(json!({
            "status": "ok",
            "place": health.place,
            "engine": health.engine,
            "bytes": health.bytes,
        })),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("{} did not answer within {WITHIN:?}", store.place())),
    }
}

/// Each part of the server, and how it is.
pub(crate) async fn health(app: &App) -> Response {
    let mut is_well = true;
    let mut part = |answer: Result<serde_json::Value, String>| match answer {
        Ok(value) => value,
        Err(why) => {
            is_well = false;
            json!({ "status": "failed", "detail": why })
        }
    };
    let store = part(store(app).await);
    let registry = tokio::time::timeout(WITHIN, app.registered.check()).await;
    let registry = part(match registry {
        Ok(Ok(())) => Ok(json!({ "status": "ok" })),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it did not answer within {WITHIN:?}")),
    });
    let project = app.engine().project();
    let modules: serde_json::Map<_, _> = project
        .digests
        .iter()
        .map(|(name, digest)| (name.to_string(), json!({ "status": "ok", "digest": digest })))
        .collect();
    let lag = app.pusher().measure.lag_bytes.load(std::sync::atomic::Ordering::Relaxed);
    let status = if !is_well {
        "failed"
    } else if app.is_ready() {
        "ok"
    } else {
        "starting"
    };
    let document = json!({
        "status": status,
        "store": store,
        "registry": registry,
        "modules": modules,
        "push_log": { "status": "ok", "bytes_to_apply": lag },
        "evaluator": project.evaluator,
    });
    match is_well {
        true => reply::json(&document),
        false => reply::json_with(StatusCode::SERVICE_UNAVAILABLE, &document),
    }
}
