//! `/materialize` and `/materialize-incremental`, which reach batch through a
//! trait that whoever starts the server injects.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::extract::Request;
use axum::response::Response;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use unskew_definition::Name;

use crate::engine::view_of;
use crate::error::OnlineError;
use crate::http::features::read_times;
use crate::http::{App, body, reply};

/// What is to be materialized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterializeJob {
    /// The feature views, by name (`name` or `name@vN`).
    pub views: Vec<String>,
    /// From when on, in microseconds; none: from where the last run ended.
    pub start: Option<i64>,
    /// Until when, in microseconds, exclusive.
    pub end: i64,
}

/// What materializes: the batch driver.
#[async_trait]
pub trait Materializer: Send + Sync {
    /// Does the job, and says what it did.
    async fn materialize(&self, job: MaterializeJob) -> Result<serde_json::Value, OnlineError>;
}

#[derive(Deserialize)]
struct MaterializeRequest<'a> {
    #[serde(borrow, default)]
    start_ts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    end_ts: Option<&'a RawValue>,
    #[serde(default)]
    feature_views: Option<Vec<String>>,
    #[serde(default)]
    disable_event_timestamp: bool,
    #[serde(default)]
    version: Option<String>,
}

/// The views that are being materialized.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<BTreeSet<String>>);

struct Claim {
    app: Arc<App>,
    views: Vec<String>,
}

impl Claim {
    fn of(app: &Arc<App>, views: &[String]) -> Result<Self, OnlineError> {
        let mut running = app.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        let busy: Vec<&str> =
            views.iter().filter(|view| running.contains(*view)).map(String::as_str).collect();
        if !busy.is_empty() {
            return Err(OnlineError::Conflict(format!(
                "being materialized already: {}; wait until that is done",
                busy.join(", ")
            )));
        }
        running.extend(views.iter().cloned());
        Ok(Self { app: Arc::clone(app), views: views.to_vec() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut running = self.app.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.views.iter().for_each(|view| {
            running.remove(view);
        });
    }
}

/// Answers both routes.
pub(crate) async fn materialize(app: &Arc<App>, request: Request, incremental: bool) -> Response {
    match done(app, request, incremental).await {
        Ok(response) => response,
        Err(error) => reply::feast_failure(&error),
    }
}

async fn done(
    app: &Arc<App>,
    request: Request,
    incremental: bool,
) -> Result<Response, OnlineError> {
    let is_async = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|pair| matches!(pair, "async=true" | "async=1")));
    let bytes = body::read(request, app.settings()).await?;
    let asked: MaterializeRequest<'_> =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    let job = job_of(app, &asked, incremental)?;
    let materializer = app.materializer.clone().ok_or_else(|| {
        OnlineError::Unavailable(
            "this server cannot materialize; run `unskew materialize`".to_owned(),
        )
    })?;
    let claim = Claim::of(app, &job.views)?;
    let views = job.views.clone();
    // A client that goes away does not end it.
    let work = tokio::spawn(async move {
        let _claim = claim;
        let done = materializer.materialize(job).await;
        if let Err(error) = &done {
            tracing::error!(%error, "materialize failed");
        }
        done
    });
    if is_async {
        let document = serde_json::json!({ "status": "accepted", "feature_views": views });
        return Ok(reply::json_with(StatusCode::ACCEPTED, &document));
    }
    let report = work.await.map_err(|error| OnlineError::Internal(error.to_string()))??;
    Ok(reply::json(&report))
}

fn job_of(
    app: &App,
    asked: &MaterializeRequest<'_>,
    incremental: bool,
) -> Result<MaterializeJob, OnlineError> {
    let time = |value: Option<&RawValue>| -> Result<Option<i64>, OnlineError> {
        match value.filter(|value| value.get() != "null") {
            None => Ok(None),
            Some(value) => Ok(read_times(&[value])?.first().copied()),
        }
    };
    let now = app.now();
    let (start, end) = (time(asked.start_ts)?, time(asked.end_ts)?);
    if incremental && start.is_some() {
        return Err(OnlineError::Invalid(
            "start_ts has no place here: the last run's end is where this one begins".to_owned(),
        ));
    }
    if !incremental && start.is_none() && !asked.disable_event_timestamp {
        return Err(OnlineError::Invalid(
            "start_ts is missing; give it, or set disable_event_timestamp to take all".to_owned(),
        ));
    }
    let end = end.unwrap_or(now);
    if end > now {
        return Err(OnlineError::Invalid("end_ts is in the future".to_owned()));
    }
    let start = match incremental {
        true => None,
        false => Some(start.unwrap_or(i64::MIN)),
    };
    if start.is_some_and(|start| start >= end) {
        return Err(OnlineError::Invalid("start_ts must lie before end_ts".to_owned()));
    }
    let plan = &app.engine().project().plan;
    let mut views = Vec::new();
    match &asked.feature_views {
        None => {
            let all = plan.views.iter();
            views.extend(all.map(|view| format!("{}@v{}", view.id.name, view.id.version)));
        }
        Some(names) => {
            for name in names {
                let (name, version) = match name.split_once("@v") {
                    None => (name.as_str(), asked.version.as_deref()),
                    Some((name, version)) => (name, Some(version)),
                };
                let version = match version {
                    None => None,
                    Some(text) => {
                        let digits = text.strip_prefix('v').unwrap_or(text);
                        let wrong =
                            || OnlineError::Invalid(format!("{text:?} is no version; write v2"));
                        Some(digits.parse::<u32>().map_err(|_| wrong())?)
                    }
                };
                let name =
                    Name::new(name).map_err(|error| OnlineError::Invalid(error.to_string()))?;
                let view = view_of(plan, &name, version)?;
                if let unskew_plan::ViewReference::OnDemand(view) = &view {
                    return Err(OnlineError::Invalid(format!(
                        "{} is computed when it is asked for; there is nothing to materialize",
                        view.id
                    )));
                }
                views.push(format!("{}@v{}", view.id().name, view.id().version));
            }
        }
    }
    Ok(MaterializeJob { views, start, end })
}
