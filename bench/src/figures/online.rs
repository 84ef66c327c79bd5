//! Serving, beside Feast's feature server: the same features, the same
//! requests, per second of the server's processor time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Bench;
use crate::load_generator::{Answered, Connection, Load, Target, send};
use crate::report::{Figure, time};
use crate::servers::{Server, Store, WIDE, write_project};

pub(super) const USERS: usize = 1000;
const CONNECTIONS: [usize; 2] = [4, 32];
pub(super) const TURN: Duration = Duration::from_secs(4);

/// The value that `feast_online.py` gives to a user's feature, too.
pub(super) fn value(user: usize, feature: usize) -> f64 {
    ((user * 31 + feature * 17) % 997) as f64 / 8.0
}

/// Our server, over a Redis of its own or its embedded store, filled.
pub(super) struct Ours {
    pub(super) runtime: Runtime,
    pub(super) server: Server,
    pub(super) redis: Server,
    folder: tempfile::TempDir,
}

impl Ours {
    pub(super) fn start(bench: &Bench, embedded: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = Server::redis(folder.path())?;
        let store = if embedded { Store::Embedded } else { Store::Redis(redis.port) };
        let project = write_project(bench, folder.path(), store)?;
        let server = Server::unskew(bench, &project)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let ours = Self { runtime, server, redis, folder };
        ours.fill("stats", &["x".to_owned(), "y".to_owned()])?;
        let wide: Vec<String> = (0..WIDE).map(|number| format!("f{number:02}")).collect();
        ours.fill("wide", &wide)?;
        Ok(ours)
    }

    pub(super) fn ask(&self, port: u16, path: &str, body: &Value) -> anyhow::Result<Vec<u8>> {
        self.runtime.block_on(async {
            let mut connection = Connection::open(port).await?;
            Ok(connection.ask(path, &body.to_string()).await?.to_vec())
        })
    }

    fn fill(&self, view: &str, features: &[String]) -> anyhow::Result<()> {
        let mut frame = serde_json::Map::new();
        frame.insert("user_id".to_owned(), (0..USERS).collect());
        frame.insert("event_timestamp".to_owned(), vec!["2026-01-01T00:00:00Z"; USERS].into());
        for (number, feature) in features.iter().enumerate() {
            let values: Vec<f64> = (0..USERS).map(|user| value(user, number)).collect();
            frame.insert(feature.clone(), values.into());
        }
        let body = json!({"feature_view_name": view, "df": frame});
        self.ask(self.server.port, "/write-to-online-store", &body)?;
        Ok(())
    }

    /// Sends load to a server, ours or one beside it.
    pub(super) fn send(
        &self,
        target: &Target,
        load: Load,
        server: &Server,
    ) -> anyhow::Result<Answered> {
        self.runtime.block_on(send(target, load, server.process()))
    }
}

/// Both servers, over one Redis unless ours takes its embedded store.
struct Servers {
    ours: Ours,
    /// Filled by `feast_online.py`.
    feast: Server,
}

impl Servers {
    fn start(bench: &Bench, embedded: bool) -> anyhow::Result<Self> {
        let ours = Ours::start(bench, embedded)?;
        let feast = Server::feast(bench, ours.folder.path(), ours.redis.port)?;
        Ok(Self { ours, feast })
    }

    /// What both answer to one question must be equal.
    fn compare(
        &self,
        ours: &str,
        theirs: &str,
        users: &[usize],
        features: usize,
    ) -> anyhow::Result<()> {
        let answer = |port: u16, service: &str| -> anyhow::Result<Vec<Value>> {
            let body = json!({"feature_service": service, "entities": {"user_id": users}});
            let answer: Value =
                serde_json::from_slice(&self.ours.ask(port, "/get-online-features", &body)?)?;
            let names = answer["metadata"]["feature_names"].as_array().context("names")?;
            let results = answer["results"].as_array().context("results")?;
            let mut named: Vec<(String, Value)> = names
                .iter()
                .zip(results)
                .map(|(name, result)| (name.to_string(), result["values"].clone()))
                .filter(|(name, _)| name != "\"user_id\"")
                .collect();
            named.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(named.into_iter().map(|(_, values)| values).collect())
        };
        let ours = answer(self.ours.server.port, ours)?;
        let theirs = answer(self.feast.port, theirs)?;
        ensure!(ours.len() == features, "{} features", ours.len());
        let equal = ours.iter().zip(&theirs).all(|(ours, theirs)| {
            let numbers = |values: &Value| -> Vec<Option<f64>> {
                values.as_array().into_iter().flatten().map(Value::as_f64).collect()
            };
            numbers(ours) == numbers(theirs) && numbers(ours).len() == users.len()
        });
        ensure!(equal && theirs.len() == features, "ours: {ours:?}, Feast's: {theirs:?}");
        Ok(())
    }

    /// The lower ratio of requests per second of processor time, of 4 and of
    /// 32 connections, and what was measured, in words.
    fn race(&self, ours: &str, theirs: &str, entities: usize) -> anyhow::Result<(f64, String)> {
        let (ours_target, theirs_target) = (
            asking(self.ours.server.port, ours, entities),
            asking(self.feast.port, theirs, entities),
        );
        let warm_up = Load { connections: 4, duration: TURN / 8, rate: None };
        self.ours.send(&ours_target, warm_up, &self.ours.server)?;
        self.ours.send(&theirs_target, warm_up, &self.feast)?;
        let (mut lowest, mut words) = (f64::INFINITY, Vec::new());
        for connections in CONNECTIONS {
            let load = Load { connections, duration: TURN, rate: None };
            let theirs = self.ours.send(&theirs_target, load, &self.feast)?;
            let ours = self.ours.send(&ours_target, load, &self.ours.server)?;
            lowest = lowest.min(ours.per_cpu_second / theirs.per_cpu_second);
            words.push(format!("{connections} connections: {} / {}", said(&ours), said(&theirs)));
        }
        Ok((lowest, words.join("; ")))
    }
}

/// Asks a service for features of `entities` users.
pub(super) fn asking(port: u16, service: &str, entities: usize) -> Target {
    let path = "/get-online-features".to_owned();
    Target { port, path, bodies: Arc::new(bodies(service, entities)) }
}

/// Requests of `entities` users each, no two alike in order.
fn bodies(service: &str, entities: usize) -> Vec<String> {
    let body = |first: usize| {
        let users: Vec<usize> = (0..entities).map(|at| (first * 37 + at) % USERS).collect();
        json!({"feature_service": service, "entities": {"user_id": users}}).to_string()
    };
    (0..USERS).map(body).collect()
}

pub(super) fn said(answered: &Answered) -> String {
    let [p50, p95, p99] = answered.latencies.map(time);
    format!(
        "{:.0} per CPU-s, {:.0} per s, p50 {p50}, p95 {p95}, p99 {p99}",
        answered.per_cpu_second, answered.per_second
    )
}

fn compared(
    bench: &Bench,
    id: &str,
    (ours, theirs): (&str, &str),
    entities: usize,
    embedded: bool,
    (must, goal): (f64, f64),
) -> anyhow::Result<Vec<Figure>> {
    let servers = Servers::start(bench, embedded)?;
    let users: Vec<usize> = (0..entities).map(|at| (at * 7) % USERS).collect();
    let features = if theirs == "wide_service" { WIDE } else { 1 };
    servers.compare(ours, theirs, &users, features)?;
    let (ratio, times) = servers.race(ours, theirs, entities)?;
    let store = if embedded { "embedded store" } else { "Redis" };
    let what =
        format!("requests per CPU-second of the server: {ours}, {entities} entities, {store}");
    let mut figure =
        Figure::ratio(id, &what, "Feast 0.67's feature server with Redis").held_to(must, goal);
    figure.higher_is_better = true;
    figure.value = ratio;
    figure.times = times;
    Ok(vec![figure])
}

const RUST: (&str, &str) = ("scored_rust", "scored");
const PYTHON: (&str, &str) = ("scored_python", "scored");

pub(super) fn rust_1(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    compared(bench, "online.rust_1", RUST, 1, false, (25.0, 60.0))
}

pub(super) fn rust_100(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    compared(bench, "online.rust_100", RUST, 100, false, (40.0, 100.0))
}

pub(super) fn python_1(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    compared(bench, "online.python_1", PYTHON, 1, false, (12.0, 35.0))
}

pub(super) fn python_100(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    compared(bench, "online.python_100", PYTHON, 100, false, (15.0, 40.0))
}

pub(super) fn embedded_1(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    compared(bench, "online.embedded_1", RUST, 1, true, (40.0, 120.0))
}

pub(super) fn wide(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let services = ("wide_service", "wide_service");
    compared(bench, "online.wide", services, 100, false, (40.0, 100.0))
}

/// Pushes of one row and of a thousand.
pub(super) fn write(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let servers = Servers::start(bench, false)?;
    let mut figures = Vec::new();
    for (at, rows, must, goal) in [(1, 1, 20.0, 50.0), (2, 1000, 20.0, 100.0)] {
        let body = |turn: usize, source: (&str, &str)| {
            let users: Vec<usize> = (0..rows).map(|row| (turn * 37 + row) % USERS).collect();
            // Later than whatever is there, in order.
            let times: Vec<String> = (0..rows)
                .map(|_| format!("2026-02-01T{:02}:{:02}:00Z", turn / 60 % 24, turn % 60))
                .collect();
            let column = |feature: usize| -> Vec<f64> {
                users.iter().map(|user| value(*user + turn, feature)).collect()
            };
            json!({
                source.0: source.1,
                "df": {"user_id": users, "event_timestamp": times, "x": column(0), "y": column(1)},
                "to": "online",
            })
            .to_string()
        };
        let target = |port: u16, source: &str, path: &str| Target {
            port,
            path: path.to_owned(),
            bodies: Arc::new(
                (0..200).map(|turn| body(turn, ("push_source_name", source))).collect(),
            ),
        };
        let ours = target(servers.ours.server.port, "stats_rows", "/push?mode=store");
        let theirs = target(servers.feast.port, "stats_push", "/push");
        let (mut lowest, mut words) = (f64::INFINITY, Vec::new());
        for connections in CONNECTIONS {
            let load = Load { connections, duration: TURN, rate: None };
            let theirs = servers.ours.send(&theirs, load, &servers.feast)?;
            let ours = servers.ours.send(&ours, load, &servers.ours.server)?;
            lowest = lowest.min(ours.per_cpu_second / theirs.per_cpu_second);
            words.push(format!("{connections} connections: {} / {}", said(&ours), said(&theirs)));
        }
        let what = format!("rows written per CPU-second of the server, {rows} at once, Redis");
        let mut figure = Figure::ratio(format!("online.write.{at}"), &what, "Feast 0.67's /push")
            .held_to(must, goal);
        figure.higher_is_better = true;
        figure.value = lowest;
        figure.times = words.join("; ");
        figures.push(figure);
    }
    Ok(figures)
}

/// From the start of the process to its first answer, with so many modules.
pub(super) fn start(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    const MODULES: usize = 50;
    let folder = tempfile::tempdir()?;
    let names = write_modules(bench, folder.path(), MODULES)?;
    let body = json!({"features": ["first:score"], "entities": {"user_id": [1]}}).to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let first_answer = || -> anyhow::Result<Duration> {
        let start = std::time::Instant::now();
        let server = Server::unskew(bench, folder.path())?;
        runtime.block_on(async {
            let mut connection = Connection::open(server.port).await?;
            connection.ask("/get-online-features", &body).await?;
            anyhow::Ok(start.elapsed())
        })
    };
    // The first compiles them all.
    first_answer()?;
    let load = || -> anyhow::Result<Duration> {
        let components = names.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
        let host = bench.host()?;
        let start = std::time::Instant::now();
        for component in &components {
            host.load(component).map_err(|e| anyhow::anyhow!("{e}"))?;
        }
        Ok(start.elapsed())
    };
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        ours.push(first_answer()?.as_nanos() as f64);
        floor.push(load()?.as_nanos() as f64);
    }
    let what = format!(
        "from the start of `unskew serve` to its first answer, {MODULES} Rust modules cached"
    );
    let figure =
        Figure::ratio("online.start", &what, "loading their native code alone").held_to(3.0, 1.5);
    Ok(vec![figure.measured(crate::race::median(&mut ours), crate::race::median(&mut floor), 1)])
}

/// One module under so many digests: a custom section tells them apart. Each
/// is asked for by a view of its own, over one that is served.
fn write_modules(
    bench: &Bench,
    folder: &Path,
    count: usize,
) -> anyhow::Result<Vec<std::path::PathBuf>> {
    use std::fmt::Write as _;
    let component = bench.guests.module("rust")?;
    let mut toml =
        String::from("[project]\nname = \"start\"\ndefinitions = [\"*.yaml\"]\n\n[modules]\n");
    let mut views = String::from(
        "entities:\n  - {name: user, join_keys: [{name: user_id, type: int64}]}\nsources:\n  - name: rows\n    push: true\n    event_timestamp: at\n    fields:\n      - {name: user_id, type: int64}\n      - {name: at, type: timestamp}\n      - {name: x, type: float64, nullable: true}\nfeature_views:\n  - {name: stats, entities: [user], source: rows, features: [{name: x}]}\non_demand_feature_views:\n",
    );
    let mut paths = Vec::new();
    for number in 0..count {
        let mut other = component.clone();
        let (name, content) = ("bench", number.to_string());
        // A custom section: 0, its length, the length of its name, name, content.
        other.extend([0, (1 + name.len() + content.len()) as u8, name.len() as u8]);
        other.extend(name.bytes().chain(content.bytes()));
        let path = folder.join(format!("m{number}.wasm"));
        std::fs::write(&path, other)?;
        writeln!(toml, "m{number} = \"m{number}.wasm\"")?;
        let view = if number == 0 { "first".to_owned() } else { format!("view_{number}") };
        writeln!(
            views,
            "  - name: {view}\n    inputs: {{x: \"stats:x\", y: \"stats:x\"}}\n    transforms: [{{transform: light, module: m{number}, outputs: {{light: score}}}}]\n    features: [{{name: score}}]"
        )?;
        paths.push(path);
    }
    std::fs::write(folder.join("unskew.toml"), toml)?;
    std::fs::write(folder.join("features.yaml"), views)?;
    Ok(paths)
}
