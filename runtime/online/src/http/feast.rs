//! `/get-online-features`, as Feast's feature server answers it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use serde::Deserialize;
use unskew_column::text::print_utc;

use crate::engine::{Answer, Ask, AskedTime, RawColumns, Wanted};
use crate::error::OnlineError;
use crate::http::feast_value::{integer, text, write};
use crate::http::{App, body, reply};

/// What Feast's client sends. Fields that it may add later are passed over.
#[derive(Deserialize)]
struct FeastRequest<'a> {
    #[serde(borrow)]
    entities: RawColumns<'a>,
    #[serde(default)]
    feature_service: Option<String>,
    #[serde(default)]
    features: Option<Vec<String>>,
    #[serde(default)]
    full_feature_names: bool,
    #[serde(default)]
    include_feature_view_version_metadata: bool,
}

/// Answers `/get-online-features`.
pub(crate) async fn get_online_features(app: &App, request: Request, begun: Instant) -> Response {
    match answered(app, request, begun).await {
        Ok(bytes) => reply::json_bytes(bytes),
        Err(error) => reply::feast_failure(&error),
    }
}

async fn answered(app: &App, request: Request, begun: Instant) -> Result<Vec<u8>, OnlineError> {
    let bytes = body::read(request, app.settings()).await?;
    let request: FeastRequest<'_> =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    let features = request.features.unwrap_or_default();
    let wanted = match &request.feature_service {
        Some(service) if features.is_empty() => Wanted::Service(service),
        None => Wanted::Features(&features),
        Some(_) => {
            return Err(OnlineError::Invalid(
                "both `feature_service` and `features` are given; give one of them".to_owned(),
            ));
        }
    };
    let ask = Ask {
        wanted,
        columns: &request.entities,
        time: AskedTime::At(app.now()),
        max_entities: app.settings().max_entities,
        until: begun + app.settings().deadline,
    };
    let answer = app.engine().answer(ask).await?;
    if answer.prepared.names_collide && !request.full_feature_names {
        return Err(OnlineError::Invalid(
            "two of the features have one name; ask with \"full_feature_names\": true".to_owned(),
        ));
    }
    app.served(&answer, request.feature_service.as_deref(), &request.entities);
    let write_begun = Instant::now();
    let bytes =
        written(&answer, request.full_feature_names, request.include_feature_view_version_metadata);
    app.engine().stages.write.record(write_begun.elapsed());
    Ok(bytes)
}

fn written(answer: &Answer, full_names: bool, with_versions: bool) -> Vec<u8> {
    let rows = answer.rows();
    let mut out = Vec::with_capacity(256 + 48 * answer.values());
    out.extend_from_slice(b"{\"metadata\":{\"feature_names\":[");
    let mut first = true;
    let mut separate = |out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
    };
    for (name, _) in &answer.keys {
        separate(&mut out);
        text(name, &mut out);
    }
    for (output, _) in answer.outputs() {
        separate(&mut out);
        text(if full_names { &output.full_name } else { &output.name }, &mut out);
    }
    out.push(b']');
    if with_versions {
        versions(answer, &mut out);
    }
    out.extend_from_slice(b"},\"results\":[");
    let mut first = true;
    for (_, values) in &answer.keys {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        let value = |row: usize, out: &mut Vec<u8>| write(values.as_ref(), row, out);
        let status = |_: usize, out: &mut Vec<u8>| out.extend_from_slice(b"\"PRESENT\"");
        vector(rows, &value, &status, &|_, out| print_time(None, out), &mut out);
    }
    for (_, answered) in answer.outputs() {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        let value = |row: usize, out: &mut Vec<u8>| write(answered.values.as_ref(), row, out);
        let status = |row: usize, out: &mut Vec<u8>| {
            out.push(b'"');
            out.extend_from_slice(answered.feast_status(row).as_bytes());
            out.push(b'"');
        };
        let printed = RefCell::new((None, Vec::new()));
        let time = |row: usize, out: &mut Vec<u8>| {
            // Many rows have one time.
            let (last, text) = &mut *printed.borrow_mut();
            let time = answered.event_timestamps[row];
            if text.is_empty() || *last != time {
                text.clear();
                print_time(time, text);
                *last = time;
            }
            out.extend_from_slice(text);
        };
        vector(rows, &value, &status, &time, &mut out);
    }
    out.extend_from_slice(b"]}");
    out
}

type Print<'a> = &'a dyn Fn(usize, &mut Vec<u8>);

/// One column of the answer.
fn vector(rows: usize, value: Print<'_>, status: Print<'_>, time: Print<'_>, out: &mut Vec<u8>) {
    for (name, print) in [
        (&b"{\"values\":["[..], value),
        (b"],\"statuses\":[", status),
        (b"],\"event_timestamps\":[", time),
    ] {
        out.extend_from_slice(name);
        for row in 0..rows {
            if row > 0 {
                out.push(b',');
            }
            print(row, out);
        }
    }
    out.extend_from_slice(b"]}");
}

/// Where there is none the beginning of 1970, as protobuf has it.
fn print_time(us: Option<i64>, out: &mut Vec<u8>) {
    match us {
        None => out.extend_from_slice(b"\"1970-01-01T00:00:00Z\""),
        Some(us) => {
            out.push(b'"');
            print_utc(us, out);
            out.push(b'"');
        }
    }
}

fn versions(answer: &Answer, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"feature_view_metadata\":[");
    let mut seen = HashSet::new();
    for (output, _) in answer.outputs() {
        if !seen.insert(&output.view) {
            continue;
        }
        if seen.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"name\":");
        text(output.view.name.as_str(), out);
        out.extend_from_slice(b",\"version\":");
        integer(output.view.version, out);
        out.push(b'}');
    }
    out.push(b']');
}
