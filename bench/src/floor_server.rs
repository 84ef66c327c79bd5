//! The least that could answer a request for one stored and computed feature:
//! an axum handler, one read of Redis, the arithmetic in native code.

use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};

use crate::kernels;

#[derive(Deserialize)]
struct Asked {
    entities: Entities,
}

#[derive(Deserialize)]
struct Entities {
    user_id: Vec<i64>,
}

#[derive(Serialize)]
struct Answer {
    metadata: Metadata,
    results: [Values; 2],
}

#[derive(Serialize)]
struct Metadata {
    feature_names: [&'static str; 2],
}

#[derive(Serialize)]
struct Values {
    values: Vec<serde_json::Value>,
    statuses: Vec<&'static str>,
    event_timestamps: Vec<&'static str>,
}

/// The key of a user's two features, as a hash with the fields `x` and `y`.
pub(crate) fn key(user: i64) -> String {
    format!("floor:{user}")
}

/// Serves until it is killed.
pub(crate) fn serve(port: u16, redis: u16) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = redis::Client::open(format!("redis://127.0.0.1:{redis}"))?;
        let connection = client.get_multiplexed_async_connection().await?;
        let router = Router::new()
            .route("/get-online-features", post(answer))
            .with_state(Arc::new(connection));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        axum::serve(listener, router).await.context("the floor's server")
    })
}

async fn answer(
    State(connection): State<Arc<MultiplexedConnection>>,
    Json(asked): Json<Asked>,
) -> Result<Json<Answer>, StatusCode> {
    let users = asked.entities.user_id;
    let mut read = redis::pipe();
    for user in &users {
        read.cmd("HMGET").arg(key(*user)).arg("x").arg("y");
    }
    let mut connection = MultiplexedConnection::clone(&connection);
    let read: Vec<(f64, f64)> =
        read.query_async(&mut connection).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let count = users.len();
    let column = |values: Vec<serde_json::Value>| Values {
        values,
        statuses: vec!["PRESENT"; count],
        event_timestamps: vec!["2026-01-01T00:00:00Z"; count],
    };
    let scores = read.into_iter().map(|(x, y)| kernels::light(x, y).into());
    Ok(Json(Answer {
        metadata: Metadata { feature_names: ["user_id", "score"] },
        results: [
            column(users.iter().map(|user| (*user).into()).collect()),
            column(scores.collect()),
        ],
    }))
}
