//! Serving, beside what its work costs alone.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, ensure};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use unskew_definition::{DefinitionReader, Name};
use unskew_executor::NoModules;
use unskew_executor::service::{Questions, ViewOperator};
use unskew_executor::stored::FoundParts;
use unskew_plan::FeaturePlan;
use unskew_store::{EmbeddedSettings, Lookup, OnlineStoreSettings, TableId, open_online_store};

use super::Bench;
use super::online::{Ours, TURN, USERS, asking, said, value};
use crate::floor_server;
use crate::load_generator::{Answered, Connection, Load, Target, send};
use crate::race::{median, timed};
use crate::report::{Figure, time};
use crate::rows::{times, write_parquet};
use crate::servers::Server;

const TURNS: usize = 3;

/// As many requests as one entity's are answered, by 4 connections.
fn saturation(ours: &Ours, target: &Target) -> anyhow::Result<f64> {
    let load = Load { connections: 4, duration: TURN, rate: None };
    ours.send(target, Load { duration: TURN / 4, ..load }, &ours.server)?;
    Ok(ours.send(target, load, &ours.server)?.per_second)
}

/// The 99th percentile at half of what we can answer, beside a handler that
/// does the same by hand.
pub(super) fn floor(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let ours = Ours::start(bench, false)?;
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", ours.redis.port))?;
    let mut connection = client.get_connection()?;
    let mut fill = redis::pipe();
    for user in 0..USERS {
        let fields = [("x", value(user, 0)), ("y", value(user, 1))];
        fill.cmd("HSET").arg(floor_server::key(user as i64)).arg(&fields).ignore();
    }
    fill.exec(&mut connection)?;
    let folder = tempfile::tempdir()?;
    let floor = Server::floor(folder.path(), ours.redis.port)?;
    let body = json!({"feature_service": "scored_rust", "entities": {"user_id": [7]}});
    let score = |port: u16| -> anyhow::Result<Value> {
        let answer: Value =
            serde_json::from_slice(&ours.ask(port, "/get-online-features", &body)?)?;
        let names = answer["metadata"]["feature_names"].as_array().context("names")?;
        let at = names.iter().position(|name| name.as_str().is_some_and(|n| n.ends_with("score")));
        Ok(answer["results"][at.context("a score")?]["values"].clone())
    };
    let (here, there) = (score(ours.server.port)?, score(floor.port)?);
    ensure!(here == there, "ours: {here}, the floor's: {there}");

    let target = asking(ours.server.port, "scored_rust", 1);
    let by_hand = Target { port: floor.port, ..target.clone() };
    let rate = saturation(&ours, &target)? / 2.0;
    let load = Load { connections: 4, duration: TURN, rate: Some(rate) };
    let (mut here, mut there, mut words) = (Vec::new(), Vec::new(), String::new());
    for _ in 0..TURNS {
        let (a, b) = (ours.send(&target, load, &ours.server)?, ours.send(&by_hand, load, &floor)?);
        here.push(a.latencies[2]);
        there.push(b.latencies[2]);
        words = format!("at {rate:.0} per s: {} / {}", said(&a), said(&b));
    }
    let what = "99th percentile of online.rust_1 at half of saturation";
    let against = "an axum handler that reads Redis once and computes the same natively, same load";
    let mut figure = Figure::ratio("online.floor", what, against).held_to(2.0, 1.2).measured(
        median(&mut here),
        median(&mut there),
        1,
    );
    figure.times = format!("{}; the last turn {words}", figure.times);
    Ok(vec![figure])
}

/// The healthy one's 99th percentile while another module never ends.
pub(super) fn neighbour(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let ours = Ours::start(bench, false)?;
    let healthy = asking(ours.server.port, "scored_rust", 1);
    let endless = asking(ours.server.port, "spinning", 1);
    let rate = saturation(&ours, &healthy)? / 5.0;
    let load = Load { connections: 4, duration: TURN, rate: Some(rate) };
    let spinning = Load { connections: 1, duration: TURN + TURN / 4, rate: None };
    let alone = |_: usize| ours.send(&healthy, load, &ours.server);
    let beside = |_: usize| -> anyhow::Result<Answered> {
        ours.runtime.block_on(async {
            let process = ours.server.process();
            let (other, one) = (endless.clone(), healthy.clone());
            let spin = tokio::spawn(async move { send(&other, spinning, process).await });
            // It is at work before the measured requests come.
            tokio::time::sleep(TURN / 8).await;
            let answered = send(&one, load, process).await?;
            spin.await??;
            Ok(answered)
        })
    };
    beside(0)?;
    let (mut before, mut during, mut words) = (Vec::new(), Vec::new(), String::new());
    for turn in 0..TURNS {
        let (a, b) = (alone(turn)?, beside(turn)?);
        before.push(a.latencies[2]);
        during.push(b.latencies[2]);
        words = format!("at {rate:.0} per s: {} / {}", said(&b), said(&a));
    }
    let what = "99th percentile of a healthy module's requests at a fifth of saturation, while another module never ends";
    let mut figure = Figure::ratio("online.neighbour", what, "the same without the other")
        .held_to(2.0, 1.2)
        .measured(median(&mut during), median(&mut before), 1);
    figure.times = format!("{}; the last turn {words}", figure.times);
    Ok(vec![figure])
}

const WINDOWS: [&str; 5] = ["1h", "6h", "1d", "7d", "30d"];
const ENTITIES: i64 = 50;

/// Five windows with a hop of an hour, four aggregates over each.
fn trailing_project() -> String {
    let mut aggregates = String::new();
    for window in WINDOWS {
        for function in ["count", "sum", "avg", "max"] {
            aggregates += &format!(
                "      - {{name: {function}_{window}, function: {function}, column: amount, over: {{size: {window}, hop: 1h}}}}\n"
            );
        }
    }
    format!(
        "entities:\n  - {{name: user, join_keys: [{{name: user_id, type: int64}}]}}\nsources:\n  - name: events\n    files: [events.parquet]\n    event_timestamp: at\n    fields:\n      - {{name: user_id, type: int64}}\n      - {{name: amount, type: float64}}\n      - {{name: at, type: timestamp}}\nfeature_views:\n  - name: trailing\n    entities: [user]\n    source: events\n    aggregates:\n{aggregates}feature_services:\n  - {{name: trailing, features: [trailing]}}\n"
    )
}

/// An event every ten minutes, for 31 days before `until`.
fn write_trailing_events(path: &Path, until: i64) -> anyhow::Result<()> {
    const EVERY: i64 = 600_000_000;
    let (mut users, mut amounts, mut at) = (Vec::new(), Vec::new(), Vec::new());
    for step in 1..31 * 144 {
        for user in 0..ENTITIES {
            users.push(user);
            at.push(until - step * EVERY + user * 1_000_003);
            amounts.push(((step * 31 + user * 17) % 9973) as f64 / 7.0);
        }
    }
    let columns: [(&str, ArrayRef); 3] = [
        ("user_id", Arc::new(Int64Array::from(users))),
        ("amount", Arc::new(Float64Array::from(amounts))),
        ("at", times(at)),
    ];
    write_parquet(path, &RecordBatch::try_from_iter(columns)?)
}

/// Processor time of a request for trailing windows, beside that of decoding
/// what the store holds for it.
#[allow(clippy::disallowed_methods, reason = "a server answers as of now")]
pub(super) fn trailing(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros() as i64;
    write_trailing_events(&dir.join("events.parquet"), now)?;
    let yaml = trailing_project();
    fs::write(dir.join("features.yaml"), &yaml)?;
    fs::write(
        dir.join("unskew.toml"),
        "[project]\nname = \"bench\"\ndefinitions = [\"*.yaml\"]\n\n[online_store]\npath = \"online\"\n",
    )?;
    let done = bench
        .unskew()?
        .args(["materialize-incremental", "trailing", "--project"])
        .arg(dir)
        .output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let server = Server::unskew(bench, dir)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let bodies: Vec<String> = (0..ENTITIES)
        .map(|user| {
            json!({"feature_service": "trailing", "entities": {"user_id": [user]}}).to_string()
        })
        .collect();
    let answer = runtime.block_on(async {
        let mut connection = Connection::open(server.port).await?;
        let answer = connection.ask("/get-online-features", &bodies[0]).await?;
        Ok::<Value, anyhow::Error>(serde_json::from_slice(answer)?)
    })?;
    let statuses = answer["results"].as_array().context("results")?;
    let present = statuses.iter().filter(|result| result["statuses"] == json!(["PRESENT"])).count();
    ensure!(present > 4 * WINDOWS.len(), "{answer}");
    let target = Target {
        port: server.port,
        path: "/get-online-features".to_owned(),
        bodies: Arc::new(bodies),
    };
    let load = Load { connections: 4, duration: TURN, rate: None };
    runtime.block_on(send(&target, Load { duration: TURN / 8, ..load }, server.process()))?;
    let answered = runtime.block_on(send(&target, load, server.process()))?;
    let per_request = 1e9 / answered.per_cpu_second;
    let (decoding, tiles) = decoding(bench, &runtime, dir, &yaml, now)?;
    let what = "processor time of a request for 20 aggregates over 5 trailing windows up to 30 d with a hop of 1 h, 1 entity, embedded store";
    let against = "decoding the same tiles and rows from the store's bytes to states alone";
    let mut figure = Figure::ratio("online.trailing", what, against).held_to(3.0, 1.5).measured(
        per_request,
        decoding,
        1,
    );
    figure.times =
        format!("{} / {} of {tiles} tiles; {}", time(per_request), time(decoding), said(&answered));
    Ok(vec![figure])
}

/// How long it takes to decode one entity's parts, in nanoseconds, and how
/// many tiles these are.
fn decoding(
    bench: &Bench,
    runtime: &Runtime,
    dir: &Path,
    yaml: &str,
    now: i64,
) -> anyhow::Result<(f64, usize)> {
    let mut reader = DefinitionReader::new();
    reader.read_document("features.yaml", yaml.as_bytes());
    let plan = FeaturePlan::new(&reader.finish(None)).map_err(|mistakes| anyhow!("{mistakes}"))?;
    let view = plan.views.first().context("a view")?;
    let operator = ViewOperator::new(Arc::clone(view), &NoModules)?;
    let settings = OnlineStoreSettings::Embedded(EmbeddedSettings::new(dir.join("online")));
    let store = runtime.block_on(open_online_store(&settings))?;
    let mut questions = Questions::new(vec![now]);
    questions.set_join_key(Name::new("user_id")?, Arc::new(Int64Array::from(vec![7])))?;
    let asked = operator.asked_entities(&questions)?;
    let needs = operator.needs(now);
    let table = TableId::new(&view.id.table_name())?;
    let tiles: Vec<Bytes> = needs.tiles.iter().map(|name| Bytes::copy_from_slice(name)).collect();
    let lookup = Lookup {
        table: &table,
        entity: &asked.keys[0],
        newest_row: needs.newest_row,
        rows_from: needs.rows_from.as_deref(),
        rows_below: needs.rows_below.as_deref(),
        tiles: &tiles,
    };
    let answer = runtime.block_on(store.read(&[lookup]))?;
    let covered = answer.state(&table).and_then(|state| state.covered_until);
    let found = &answer.found[0];
    let parts = FoundParts {
        rows: found.rows.iter().map(|row| (&row.name[..], &row.value[..])).collect(),
        tiles: found.tiles.iter().map(|tile| tile.as_ref().map(|tile| &tile.value[..])).collect(),
    };
    let there = parts.tiles.iter().flatten().count();
    ensure!(there > 30, "{there} tiles");
    let parts = [parts];
    let mut decode = timed(|| operator.restore_records(&needs, covered, &parts, &asked).is_ok());
    ensure!(operator.restore_records(&needs, covered, &parts, &asked).is_ok(), "damaged parts");
    let plan = crate::race::Plan { race: Duration::from_secs(1), ..bench.plan.clone() };
    let [decoding] = plan.race("online.trailing", [&mut decode]);
    Ok((decoding, there))
}
