//! The simple REST: `/features/register`, `/features`, `/features/write`,
//! `/features/write-batch`, `/features/serve`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use unskew_column::text::{ColumnPrinter, print_utc};
use unskew_executor::FeatureStatus;
use unskew_registry::RegisteredFeature;

use crate::engine::{Ask, AskedTime, RawColumns, Wanted};
use crate::error::OnlineError;
use crate::http::feast_value::text;
use crate::http::features::read_times;
use crate::http::{App, body, reply};
use crate::push::write_rows;
use crate::registered::{ENTITY, TIME, VALUE, WRITTEN, id_of, value_type, view_of};

type AppState = State<Arc<App>>;

/// The routes.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(
            "/features/register",
            post(|State(app): AppState, request: Request| async move {
                told(register(&app, request).await)
            }),
        )
        .route(
            "/features",
            get(|State(app): AppState, request: Request| async move {
                told(list(&app, request.uri().query().unwrap_or_default()).await)
            }),
        )
        .route(
            "/features/write",
            post(|State(app): AppState, request: Request| async move {
                told(write_one(&app, request).await)
            }),
        )
        .route(
            "/features/write-batch",
            post(|State(app): AppState, request: Request| async move {
                told(write_batch(&app, request).await)
            }),
        )
        .route(
            "/features/serve",
            post(|State(app): AppState, request: Request| async move {
                told(serve(&app, request).await)
            }),
        )
}

fn told(answered: Result<Response, OnlineError>) -> Response {
    answered.unwrap_or_else(|error| reply::failure(&error))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Registration {
    name: String,
    #[serde(default)]
    description: String,
    value_type: String,
    entity: String,
    #[serde(default)]
    version: Option<Version>,
    #[serde(default)]
    tags: Vec<String>,
}

/// A number, or as text with or without a `v`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Number(u32),
    Text(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Registered<'a> {
    id: String,
    name: &'a str,
    description: &'a str,
    value_type: &'a str,
    entity: &'a str,
    version: u32,
    tags: &'a [String],
    created_at: String,
    updated_at: String,
}

impl<'a> Registered<'a> {
    fn of(feature: &'a RegisteredFeature) -> Self {
        Self {
            id: id_of(feature),
            name: &feature.name,
            description: &feature.description,
            value_type: &feature.value_type,
            entity: &feature.entity,
            version: feature.version,
            tags: &feature.tags,
            created_at: time_text(feature.created_at),
            updated_at: time_text(feature.updated_at),
        }
    }
}

fn time_text(us: i64) -> String {
    let mut out = Vec::new();
    print_utc(us, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

async fn register(app: &App, request: Request) -> Result<Response, OnlineError> {
    let bytes = body::read(request, app.settings()).await?;
    let asked: Registration =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    let version = match asked.version {
        None => Some(1),
        Some(Version::Number(number)) => Some(number),
        Some(Version::Text(text)) => text.strip_prefix('v').unwrap_or(&text).parse().ok(),
    };
    let version = version.filter(|version| *version > 0).ok_or_else(|| {
        OnlineError::Invalid("version: write a whole number from 1, or such as \"v2\"".to_owned())
    })?;
    let now = app.now();
    let feature = RegisteredFeature {
        entity: asked.entity,
        name: asked.name,
        version,
        value_type: value_type(&asked.value_type)?.to_string(),
        description: asked.description,
        tags: asked.tags,
        created_at: now,
        updated_at: now,
    };
    let there = app.registered.register(feature).await?;
    Ok(reply::json_with(StatusCode::CREATED, &Registered::of(&there)))
}

/// Features of an entity, with all of the tags.
async fn list(app: &App, query: &str) -> Result<Response, OnlineError> {
    app.registered.refresh().await?;
    let (mut entity, mut tags) = (None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        match key {
            "entity" => entity = Some(value).filter(|entity| !entity.is_empty()),
            "tags" => tags.extend(value.split(',').filter(|t| !t.is_empty()).map(str::to_owned)),
            _ => {
                let what = format!("there is no parameter {key:?}; there are entity and tags");
                return Err(OnlineError::Invalid(what));
            }
        }
    }
    let features = app.registered.features();
    let wanted = features.values().filter(|feature| {
        entity.as_ref().is_none_or(|entity| feature.entity == *entity)
            && tags.iter().all(|tag| feature.tags.contains(tag))
    });
    let list: Vec<Registered<'_>> = wanted.map(Registered::of).collect();
    Ok(reply::json(&serde_json::json!({ "features": list })))
}

/// A value of a query as the client meant it.
fn decoded(text: &str) -> Result<String, OnlineError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next(), rest.next()];
                let digit = |d: Option<u8>| d.and_then(|d| char::from(d).to_digit(16));
                match (digit(digits[0]), digit(digits[1])) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(OnlineError::Malformed("the query has a broken %".to_owned())),
                }
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes)
        .map_err(|_| OnlineError::Malformed("the query is not UTF-8".to_owned()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ValueToWrite<'a> {
    feature_id: String,
    #[serde(borrow)]
    entity_id: &'a RawValue,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValuesToWrite<'a> {
    #[serde(borrow)]
    values: Vec<ValueToWrite<'a>>,
}

#[derive(Serialize)]
struct WriteReport {
    success: bool,
    count: usize,
}

async fn write_one(app: &App, request: Request) -> Result<Response, OnlineError> {
    let bytes = body::read(request, app.settings()).await?;
    let value: ValueToWrite<'_> =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    write_values(app, &[value]).await
}

async fn write_batch(app: &App, request: Request) -> Result<Response, OnlineError> {
    let bytes = body::read(request, app.settings()).await?;
    let ValuesToWrite { values } =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    write_values(app, &values).await
}

async fn write_values(app: &App, values: &[ValueToWrite<'_>]) -> Result<Response, OnlineError> {
    let now = app.now();
    // By feature the columns of its source, as a push would bring them.
    let mut columns: BTreeMap<String, (RegisteredFeature, [Vec<u8>; 4])> = BTreeMap::new();
    for (at, value) in values.iter().enumerate() {
        let place = |error: OnlineError| match (values.len(), error) {
            (2.., OnlineError::Invalid(what)) => {
                OnlineError::Invalid(format!("value {at}: {what}"))
            }
            (_, other) => other,
        };
        let feature = app.registered.find(&value.feature_id).await?;
        let entity = entity_text(value.entity_id).map_err(place)?;
        let time = match value.timestamp.filter(|time| time.get() != "null") {
            None => now,
            Some(time) => time_of(time).map_err(place)?,
        };
        let (_, columns) =
            columns.entry(id_of(&feature)).or_insert_with(|| (feature.clone(), Default::default()));
        let [entities, given, times, written] = columns;
        for column in [&mut *entities, given, times, written] {
            column.push(if column.is_empty() { b'[' } else { b',' });
        }
        text(&entity, entities);
        given.extend_from_slice(value.value.get().as_bytes());
        for (time, column) in [(time, times), (now, written)] {
            column.push(b'"');
            print_utc(time, column);
            column.push(b'"');
        }
    }
    let engine = app.registered.engine();
    for (feature, columns) in columns.values() {
        let mut body = Vec::new();
        for (name, column) in [ENTITY, VALUE, TIME, WRITTEN].iter().zip(columns) {
            body.push(if body.is_empty() { b'{' } else { b',' });
            text(name, &mut body);
            body.push(b':');
            body.extend_from_slice(column);
            body.push(b']');
        }
        body.push(b'}');
        let rows: RawColumns<'_> =
            serde_json::from_slice(&body).map_err(|error| OnlineError::of_json(&error))?;
        let source = format!("{}_v{}", view_of(&feature.entity, &feature.name), feature.version);
        write_rows(&engine, &source, &rows).await.map_err(|error| match error {
            OnlineError::Invalid(what) => {
                OnlineError::Invalid(format!("{}: {what}", id_of(feature)))
            }
            other => other,
        })?;
    }
    Ok(reply::json(&WriteReport { success: true, count: values.len() }))
}

/// An entity's id: a text, or a whole number as text.
fn entity_text(value: &RawValue) -> Result<String, OnlineError> {
    let wrong = || {
        OnlineError::Invalid(format!(
            "entityId: {} is neither a text nor a whole number",
            value.get().chars().take(60).collect::<String>()
        ))
    };
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).map_err(|_| wrong()),
        Some(b'-' | b'0'..=b'9') => {
            json.parse::<i64>().map(|id| id.to_string()).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

/// A time: RFC 3339, or milliseconds since the epoch.
fn time_of(value: &RawValue) -> Result<i64, OnlineError> {
    match value.get().parse::<i64>() {
        Ok(ms) => ms.checked_mul(1000).ok_or_else(|| {
            OnlineError::Invalid(format!("timestamp: {ms} milliseconds are too many"))
        }),
        Err(_) => read_times(&[value])
            .map(|times| times[0])
            .map_err(|error| OnlineError::Invalid(format!("timestamp: {error}"))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ServeRequest<'a> {
    #[serde(borrow)]
    entity_ids: Vec<&'a RawValue>,
    features: Vec<String>,
}

async fn serve(app: &App, request: Request) -> Result<Response, OnlineError> {
    let begun = Instant::now();
    let bytes = body::read(request, app.settings()).await?;
    let ServeRequest { entity_ids, features } =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    let mut references = Vec::with_capacity(features.len());
    for id in &features {
        let feature = app.registered.find(id).await?;
        let view = view_of(&feature.entity, &feature.name);
        references.push(format!("{view}:{VALUE}@v{}", feature.version));
    }
    let ids = entity_ids.iter().map(|id| entity_text(id)).collect::<Result<Vec<_>, _>>()?;
    let mut column = Vec::with_capacity(16 * ids.len() + 16);
    column.push(b'{');
    text(ENTITY, &mut column);
    column.extend_from_slice(b":[");
    for (at, id) in ids.iter().enumerate() {
        if at > 0 {
            column.push(b',');
        }
        text(id, &mut column);
    }
    column.extend_from_slice(b"]}");
    let columns: RawColumns<'_> =
        serde_json::from_slice(&column).map_err(|error| OnlineError::of_json(&error))?;
    let engine = app.registered.engine();
    let ask = Ask {
        wanted: Wanted::Features(&references),
        columns: &columns,
        time: AskedTime::At(app.now()),
        max_entities: app.settings().max_entities,
        until: begun + app.settings().deadline,
    };
    let answer = engine.answer(ask).await?;
    let printers = answer.features.iter().map(|f| ColumnPrinter::new(&f.values));
    let printers = printers
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| OnlineError::Internal(error.to_string()))?;
    let mut out = Vec::with_capacity(64 * answer.values() + 64);
    out.extend_from_slice(b"{\"results\":[");
    for (row, id) in entity_ids.iter().enumerate() {
        out.extend_from_slice(if row > 0 { b",{\"entityId\":" } else { b"{\"entityId\":" });
        out.extend_from_slice(id.get().as_bytes());
        out.extend_from_slice(b",\"features\":{");
        for (at, (name, printer)) in features.iter().zip(&printers).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            text(name, &mut out);
            out.push(b':');
            printer.print_json(row, &mut out);
        }
        out.extend_from_slice(b"},\"statuses\":{");
        for (at, (name, answered)) in features.iter().zip(&answer.features).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let status: FeatureStatus = answered.statuses[row];
            text(name, &mut out);
            out.push(b':');
            text(status.as_str(), &mut out);
        }
        out.extend_from_slice(b"},\"timestamp\":");
        match answer.features.iter().filter_map(|f| f.event_timestamps[row]).max() {
            None => out.extend_from_slice(b"null"),
            Some(us) => {
                out.push(b'"');
                print_utc(us, &mut out);
                out.push(b'"');
            }
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Ok(reply::json_bytes(out))
}
