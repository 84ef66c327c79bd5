//! `/v1/features`: true statuses, where each value comes from and how old it
//! is, several requests at once, any moment of asking, JSON or Arrow.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, TimeUnit};
use arrow::ipc::writer::StreamWriter;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use hyper::header::ACCEPT;
use serde::Deserialize;
use serde_json::value::RawValue;
use unskew_column::text::{ColumnBuilder, ColumnPrinter, print_utc};
use unskew_definition::DataType;

use crate::engine::{Answer, Answered, Ask, AskedTime, Output, RawColumns, RawRow, Wanted};
use crate::error::OnlineError;
use crate::http::feast_value::{integer, text};
use crate::http::{App, body, reply};

/// Answers with more bytes than about this are sent in pieces.
const PIECE: usize = 64 << 10;
/// The most requests in one.
const MAX_BATCH: usize = 256;
const ARROW: &str = "application/vnd.apache.arrow.stream";

/// One request, or several under `requests`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeaturesRequest<'a> {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    features: Option<Vec<String>>,
    #[serde(borrow, default)]
    entities: Option<RawColumns<'a>>,
    #[serde(borrow, default)]
    rows: Option<Vec<RawRow<'a>>>,
    /// Request fields, which may also stand among the entities.
    #[serde(borrow, default)]
    request: Option<RawColumns<'a>>,
    /// As of when: one time for all entities.
    #[serde(borrow, default)]
    time: Option<&'a RawValue>,
    /// As of when: a time for each entity.
    #[serde(borrow, default)]
    times: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    requests: Option<Vec<FeaturesRequest<'a>>>,
}

/// Answers `/v1/features`.
pub(crate) async fn features(
    app: &Arc<App>,
    request: Request,
    id: &str,
    begun: Instant,
) -> Response {
    let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let as_arrow = accepts.is_some_and(|accept| accept.contains("arrow"));
    match answered(app, request, begun).await {
        Ok((answers, is_batch)) => {
            let written = Instant::now();
            let response = match as_arrow {
                true => arrow_reply(&answers, app),
                false => Ok(json_reply(app, answers, is_batch, id)),
            };
            app.engine().stages.write.record(written.elapsed());
            response.unwrap_or_else(|error| reply::failure(&error))
        }
        Err(error) => reply::failure(&error),
    }
}

async fn answered(
    app: &App,
    request: Request,
    begun: Instant,
) -> Result<(Vec<Answer>, bool), OnlineError> {
    let bytes = body::read(request, app.settings()).await?;
    let mut request: FeaturesRequest<'_> =
        serde_json::from_slice(&bytes).map_err(|error| OnlineError::of_json(&error))?;
    let now = app.now();
    let Some(requests) = request.requests.take() else {
        return Ok((vec![one(app, request, now, begun).await?], false));
    };
    let alone = request.service.is_none()
        && request.features.is_none()
        && request.entities.is_none()
        && request.rows.is_none();
    if !alone {
        return Err(OnlineError::Invalid(
            "`requests` stands alone: what is asked for stands inside of each".to_owned(),
        ));
    }
    if requests.len() > MAX_BATCH {
        return Err(OnlineError::TooLarge(format!(
            "there are {} requests in one; at most {MAX_BATCH} are taken",
            requests.len()
        )));
    }
    let mut answers = Vec::with_capacity(requests.len());
    let mut entities = 0;
    for (at, request) in requests.into_iter().enumerate() {
        if request.requests.is_some() {
            return Err(OnlineError::Invalid("`requests` cannot hold `requests`".to_owned()));
        }
        let answer = one(app, request, now, begun).await;
        let answer = answer.map_err(|error| match error {
            OnlineError::Invalid(what) => OnlineError::Invalid(format!("request {at}: {what}")),
            other => other,
        })?;
        entities += answer.rows();
        let most = app.settings().max_entities;
        if entities > most {
            return Err(OnlineError::TooLarge(format!(
                "the requests ask for more than {most} entities together (serve.max_entities)"
            )));
        }
        answers.push(answer);
    }
    Ok((answers, true))
}

async fn one(
    app: &App,
    request: FeaturesRequest<'_>,
    now: i64,
    begun: Instant,
) -> Result<Answer, OnlineError> {
    let FeaturesRequest { service, features, entities, rows, request, time, times, requests: _ } =
        request;
    let features = features.unwrap_or_default();
    let wanted = match &service {
        Some(service) if features.is_empty() => Wanted::Service(service),
        None => Wanted::Features(&features),
        Some(_) => {
            return Err(OnlineError::Invalid(
                "both `service` and `features` are given; give one of them".to_owned(),
            ));
        }
    };
    let mut columns = match (entities, rows) {
        (Some(columns), None) => columns,
        (None, Some(rows)) => RawColumns::of_rows(&rows)?,
        (None, None) => {
            return Err(OnlineError::Invalid(
                "no entities are given: give `entities` (a list for each name) or `rows` (objects)"
                    .to_owned(),
            ));
        }
        (Some(_), Some(_)) => {
            return Err(OnlineError::Invalid(
                "both `entities` and `rows` are given; give one of them".to_owned(),
            ));
        }
    };
    if let Some(fields) = request {
        columns.extend(fields)?;
    }
    let time = match (time, times) {
        (None, None) => AskedTime::At(now),
        (Some(time), None) => AskedTime::At(read_times(&[time])?[0]),
        (None, Some(times)) => AskedTime::Each(read_times(&times)?),
        (Some(_), Some(_)) => {
            return Err(OnlineError::Invalid("both `time` and `times` are given".to_owned()));
        }
    };
    let ask = Ask {
        wanted,
        columns: &columns,
        time,
        max_entities: app.settings().max_entities,
        until: begun + app.settings().deadline,
    };
    let answer = app.engine().answer(ask).await?;
    app.served(&answer, service.as_deref(), &columns);
    Ok(answer)
}

/// Times as text, RFC 3339; without an offset UTC.
pub(crate) fn read_times(values: &[&RawValue]) -> Result<Vec<i64>, OnlineError> {
    let mut builder = ColumnBuilder::new(&DataType::Timestamp, values.len());
    for value in values {
        builder.push_json(value).map_err(|error| OnlineError::Invalid(format!("time: {error}")))?;
    }
    let times = builder.finish();
    let times = times.as_any().downcast_ref::<TimestampMicrosecondArray>();
    let times = times.filter(|times| arrow::array::Array::null_count(*times) == 0);
    let times = times.ok_or_else(|| OnlineError::Invalid("a time cannot be null".to_owned()))?;
    Ok(times.values().to_vec())
}

/// An answer as pieces of JSON, each made when the one before it is sent.
struct Pieces {
    answers: std::vec::IntoIter<Answer>,
    now: Option<Printing>,
    /// What stands before the next answer.
    before: Vec<u8>,
    behind: Vec<u8>,
    is_first: bool,
}

/// How far an answer is printed.
struct Printing {
    answer: Answer,
    feature: usize,
    column: usize,
    row: usize,
    printer: Option<ColumnPrinter>,
}

fn json_reply(app: &App, answers: Vec<Answer>, is_batch: bool, id: &str) -> Response {
    let size: usize = answers.iter().map(|answer| 64 * answer.values() + 256).sum();
    let mut before = Vec::with_capacity(size.min(PIECE) + 512);
    before.extend_from_slice(b"{\"request_id\":");
    text(id, &mut before);
    before.extend_from_slice(b",\"evaluator\":");
    text(&app.engine().project().evaluator, &mut before);
    before.extend_from_slice(if is_batch { b",\"answers\":[" } else { b",\"answer\":" });
    let behind = if is_batch { b"]}".to_vec() } else { b"}".to_vec() };
    let answers = answers.into_iter();
    let mut pieces = Pieces { answers, now: None, before, behind, is_first: true };
    let first = pieces.next().unwrap_or_default();
    match pieces.next() {
        None => reply::json_bytes(first),
        Some(second) => {
            let rest = [first, second].into_iter().chain(pieces);
            let rest = rest.map(|piece| Ok::<_, io::Error>(Bytes::from(piece)));
            reply::of_type("application/json", Body::from_stream(futures::stream::iter(rest)))
        }
    }
}

impl Iterator for Pieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut out = std::mem::take(&mut self.before);
        loop {
            match &mut self.now {
                Some(printing) => {
                    if !printing.print(&mut out) {
                        return Some(out);
                    }
                    self.now = None;
                }
                None => match self.answers.next() {
                    Some(answer) => {
                        if !std::mem::take(&mut self.is_first) {
                            out.push(b',');
                        }
                        begin(&answer, &mut out);
                        let (feature, column, row) = (0, 0, 0);
                        self.now = Some(Printing { answer, feature, column, row, printer: None });
                    }
                    None => {
                        out.append(&mut self.behind);
                        return (!out.is_empty()).then_some(out);
                    }
                },
            }
        }
    }
}

/// The times of an answer, and what else stands before its features.
fn begin(answer: &Answer, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"partial\":");
    out.extend_from_slice(if answer.missing.is_empty() { b"false" } else { b"true" });
    if !answer.missing.is_empty() {
        out.extend_from_slice(b",\"missing\":[");
        for (at, why) in answer.missing.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            text(why, out);
        }
        out.push(b']');
    }
    let one = answer.times.first().filter(|first| answer.times.iter().all(|time| time == *first));
    match one {
        Some(time) => {
            out.extend_from_slice(b",\"time\":");
            print_time(Some(*time), out);
        }
        None => {
            out.extend_from_slice(b",\"times\":[");
            for (at, time) in answer.times.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                print_time(Some(*time), out);
            }
            out.push(b']');
        }
    }
    out.extend_from_slice(b",\"entities\":{");
    for (at, (name, values)) in answer.keys.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(name, out);
        out.extend_from_slice(b":[");
        // Join keys have types that text can show.
        if let Ok(printer) = ColumnPrinter::new(values) {
            for row in 0..answer.rows() {
                if row > 0 {
                    out.push(b',');
                }
                printer.print_json(row, out);
            }
        }
        out.push(b']');
    }
    out.extend_from_slice(b"},\"features\":[");
}

/// The columns of a feature, in turn.
const COLUMNS: [&[u8]; 4] =
    [b",\"values\":[", b"],\"statuses\":[", b"],\"event_timestamps\":[", b"],\"ages_seconds\":["];

impl Printing {
    /// Prints on; whether it is done, or the piece is large enough.
    fn print(&mut self, out: &mut Vec<u8>) -> bool {
        let Self { answer, feature, column, row, printer } = self;
        let rows = answer.rows();
        while let Some((output, answered)) = answer.outputs().nth(*feature) {
            if printer.is_none() {
                if *feature > 0 {
                    out.push(b',');
                }
                head(output, out);
                *printer = ColumnPrinter::new(&answered.values).ok();
            }
            while *column < COLUMNS.len() {
                if *row == 0 {
                    out.extend_from_slice(COLUMNS[*column]);
                }
                while *row < rows {
                    if out.len() > PIECE {
                        return false;
                    }
                    if *row > 0 {
                        out.push(b',');
                    }
                    let event = answered.event_timestamps[*row];
                    match *column {
                        0 => match printer {
                            Some(printer) => printer.print_json(*row, out),
                            None => out.extend_from_slice(b"null"),
                        },
                        1 => {
                            out.push(b'"');
                            out.extend_from_slice(answered.statuses[*row].as_str().as_bytes());
                            out.push(b'"');
                        }
                        2 => print_time(event, out),
                        _ => age(event, answer.times[*row], out),
                    }
                    *row += 1;
                }
                (*row, *column) = (0, *column + 1);
            }
            tail(answered, out);
            (*printer, *column, *feature) = (None, 0, *feature + 1);
        }
        out.extend_from_slice(b"]}");
        true
    }
}

fn head(output: &Output, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"feature\":");
    text(&output.reference, out);
    out.extend_from_slice(b",\"view\":");
    text(output.view.name.as_str(), out);
    out.extend_from_slice(b",\"name\":");
    text(&output.name, out);
    out.extend_from_slice(b",\"version\":");
    integer(output.view.version, out);
    out.extend_from_slice(b",\"type\":");
    text(&output.field.data_type.to_string(), out);
    out.extend_from_slice(b",\"modules\":{");
    for (at, (name, digest)) in output.modules.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(name.as_str(), out);
        out.push(b':');
        text(digest, out);
    }
    out.push(b'}');
}

fn tail(answered: &Answered, out: &mut Vec<u8>) {
    out.push(b']');
    if !answered.errors.is_empty() {
        out.extend_from_slice(b",\"errors\":[");
        for (at, (row, why)) in answered.errors.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"row\":");
            integer(*row, out);
            out.extend_from_slice(b",\"message\":");
            text(why, out);
            out.push(b'}');
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn print_time(us: Option<i64>, out: &mut Vec<u8>) {
    match us {
        None => out.extend_from_slice(b"null"),
        Some(us) => {
            out.push(b'"');
            print_utc(us, out);
            out.push(b'"');
        }
    }
}

/// How old a value is, in seconds.
fn age(event: Option<i64>, now: i64, out: &mut Vec<u8>) {
    match event {
        None => out.extend_from_slice(b"null"),
        Some(event) => {
            let us = now.saturating_sub(event);
            let seconds = us as f64 / 1e6;
            out.extend_from_slice(ryu::Buffer::new().format_finite(seconds).as_bytes());
        }
    }
}

/// The answers as one Arrow IPC stream: a batch for each request.
fn arrow_reply(answers: &[Answer], app: &App) -> Result<Response, OnlineError> {
    let failed = |error: arrow::error::ArrowError| OnlineError::Internal(error.to_string());
    let Some(first) = answers.first() else {
        return Err(OnlineError::Invalid("nothing was asked".to_owned()));
    };
    let first = batch(first, app)?;
    let schema = first.schema();
    let mut batches = vec![first];
    for answer in &answers[1..] {
        let next = batch(answer, app)?;
        if next.schema() != schema {
            return Err(OnlineError::Invalid(
                "as Arrow the requests of one batch must ask for the same features and keys"
                    .to_owned(),
            ));
        }
        batches.push(next);
    }
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).map_err(failed)?;
    for batch in &batches {
        // Rows in pieces, so that a reader need not hold all of it.
        let mut at = 0;
        loop {
            let length = (batch.num_rows() - at).min(8192);
            writer.write(&batch.slice(at, length)).map_err(failed)?;
            at += length;
            if at >= batch.num_rows() {
                break;
            }
        }
    }
    let bytes = writer.into_inner().map_err(failed)?;
    let pieces = Bytes::from(bytes);
    if pieces.len() <= PIECE {
        return Ok(reply::of_type(ARROW, pieces));
    }
    let count = pieces.len().div_ceil(PIECE);
    let cut = move |at: usize| {
        let end = ((at + 1) * PIECE).min(pieces.len());
        Ok::<_, io::Error>(pieces.slice(at * PIECE..end))
    };
    let stream = futures::stream::iter((0..count).map(cut));
    Ok(reply::of_type(ARROW, Body::from_stream(stream)))
}

/// Join keys and the time of asking, then of each feature its value, status
/// and event time.
fn batch(answer: &Answer, app: &App) -> Result<RecordBatch, OnlineError> {
    let utc = ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (name, values) in &answer.keys {
        fields.push(Field::new(name, values.data_type().clone(), true));
        columns.push(ArrayRef::clone(values));
    }
    fields.push(Field::new("request_timestamp", utc.clone(), false));
    let times = TimestampMicrosecondArray::from(answer.times.clone()).with_timezone("UTC");
    columns.push(Arc::new(times));
    for (output, answered) in answer.outputs() {
        let name = &output.reference;
        let modules: serde_json::Map<_, _> = output
            .modules
            .iter()
            .map(|(name, digest)| (name.to_string(), digest.as_str().into()))
            .collect();
        let metadata = [
            ("view".to_owned(), output.view.to_string()),
            ("modules".to_owned(), serde_json::Value::Object(modules).to_string()),
        ];
        let field = Field::new(name, answered.values.data_type().clone(), true);
        fields.push(field.with_metadata(metadata.into()));
        columns.push(ArrayRef::clone(&answered.values));
        fields.push(Field::new(format!("{name}__status"), ArrowType::Utf8, false));
        let statuses = answered.statuses.iter().map(|status| Some(status.as_str()));
        columns.push(Arc::new(statuses.collect::<StringArray>()));
        fields.push(Field::new(format!("{name}__event_timestamp"), utc.clone(), true));
        let times: TimestampMicrosecondArray =
            Int64Array::from(answered.event_timestamps.to_vec()).reinterpret_cast();
        columns.push(Arc::new(times.with_timezone("UTC")));
    }
    let metadata = [("evaluator".to_owned(), app.engine().project().evaluator.clone())];
    let schema = Arc::new(Schema::new(fields).with_metadata(metadata.into()));
    let options = RecordBatchOptions::new().with_row_count(Some(answer.rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| OnlineError::Internal(error.to_string()))
}
