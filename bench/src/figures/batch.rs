//! Training sets from files, beside tools that answer the same questions over
//! the same files: Parquet in, Parquet out, on all cores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use unskew_datagen::{EventNumbers, Spec};

use super::Bench;
use crate::peer::Tables;
use crate::race::median;
use crate::report::{Figure, time};
use crate::rows::{Random, times, write_parquet};

const DAYS: u64 = 90;
/// Turns of each contender, which take seconds each.
const TURNS: usize = 3;

/// The latest value of each user's events; `tables.py` asks our peers the same.
pub(super) const LATEST: &str = "\
entities:
  - {name: user, join_keys: [{name: user_id, type: int64}]}
sources:
  - name: events
    files: [events.parquet]
    event_timestamp: event_timestamp
    fields:
      - {name: user_id, type: int64}
      - {name: amount, type: float64}
      - {name: event_timestamp, type: timestamp}
feature_views:
  - name: latest
    entities: [user]
    source: events
    features: [{name: amount}]
";

/// And windows of them.
const TRAILING: &str = "\
  - name: trailing
    entities: [user]
    source: events
    aggregates:
";

const SERVICES: &str = "\
feature_services:
  - {name: latest, features: [latest]}
  - {name: trailing, features: [trailing]}
";

/// Windows by name, with the hops that `tables.py` takes, which are the defaults.
const WINDOWS: [&str; 5] = ["1h", "6h", "1d", "7d", "30d"];

/// A folder with events, labels and a project over them.
pub(super) struct Files<'a> {
    bench: &'a Bench,
    folder: PathBuf,
}

/// How large a folder's files are.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) events: u64,
    pub(super) labels: usize,
    pub(super) entities: u64,
}

pub(super) const MILLION: u64 = 1_000_000;
const ASKED: Size = Size { events: 10 * MILLION, labels: 1_000_000, entities: 100_000 };

impl<'a> Files<'a> {
    /// Made once, and kept in the cache: the generator's seed is fixed.
    pub(super) fn of(bench: &'a Bench, size: Size) -> anyhow::Result<Self> {
        let Size { events, labels, entities } = size;
        let name = format!("bench/batch-{events}-{labels}-{entities}");
        let folder = bench.guests.cache_dir.join(name);
        fs::create_dir_all(&folder)?;
        let files = Self { bench, folder };
        if !files.path("labels.parquet").is_file() {
            files.write_events(size)?;
            files.write_labels(size)?;
        }
        fs::write(files.path("project.yaml"), project())?;
        Ok(files)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// By time, and without a word about that, as producers leave them.
    fn write_events(&self, size: Size) -> anyhow::Result<()> {
        let spec =
            Spec { rows: size.events, entities: size.entities, days: DAYS, ..Spec::default() };
        let EventNumbers { event_timestamps, users, amounts } = EventNumbers::new(&spec)?;
        let users: Vec<i64> = users.into_iter().map(i64::from).collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("user_id", Arc::new(Int64Array::from(users))),
            ("amount", Arc::new(Float64Array::from(amounts))),
            ("event_timestamp", times(event_timestamps)),
        ];
        write_parquet(&self.path("events.parquet"), &RecordBatch::try_from_iter(columns)?)
    }

    /// Of any entity and any time, in no order.
    fn write_labels(&self, size: Size) -> anyhow::Result<()> {
        let mut random = Random::new();
        let span = (DAYS * 86_400 * MILLION) as usize;
        let start = unskew_datagen::START_MICROS;
        let asked = (0..size.labels).map(|_| {
            (random.below(size.entities as usize) as i64, start + random.below(span) as i64)
        });
        let (users, at): (Vec<i64>, Vec<i64>) = asked.unzip();
        let columns: [(&str, ArrayRef); 3] = [
            ("label", Arc::new(Int64Array::from_iter_values(0..size.labels as i64))),
            ("user_id", Arc::new(Int64Array::from(users))),
            ("event_timestamp", times(at)),
        ];
        write_parquet(&self.path("labels.parquet"), &RecordBatch::try_from_iter(columns)?)
    }

    /// `unskew train` of a service, for the labels of this folder.
    pub(super) fn command(&self, service: &str, output: &Path) -> anyhow::Result<Command> {
        let mut command = self.bench.unskew()?;
        command.args(["--json", "train"]);
        command.arg("--project").arg(&self.folder).args(["--service", service]);
        command.arg("--labels").arg(self.path("labels.parquet")).arg("--output").arg(output);
        Ok(command)
    }

    /// The whole process, from its start to its last line.
    fn train(&self, service: &str, output: &Path, more: &[&str]) -> anyhow::Result<Duration> {
        let mut command = self.command(service, output)?;
        let start = Instant::now();
        let done = command.args(more).output().context("unskew cannot be run")?;
        let taken = start.elapsed();
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(taken)
    }
}

fn project() -> String {
    let functions = ["count", "sum", "avg", "max"];
    let aggregate = |window: &&str| {
        functions.map(|function| {
            format!(
                "      - {{name: {function}_{window}, function: {function}, column: amount, over: {{size: {window}}}}}\n"
            )
        })
    };
    let aggregates: String = WINDOWS.iter().flat_map(aggregate).collect();
    format!("{LATEST}{TRAILING}{aggregates}{SERVICES}")
}

/// Ours against each peer in turns; the answers are compared first. What comes
/// back is our time and the time of the fastest peer, in nanoseconds.
fn race(
    files: &Files<'_>,
    service: &str,
    peers: &mut Tables,
    contenders: &[&str],
    same: &str,
) -> anyhow::Result<(f64, f64, String)> {
    let ours = files.path("ours.parquet");
    let theirs = files.path("theirs.parquet");
    files.train(service, &ours, &[])?;
    let labels = peers.ask(&format!("count_labels {}", files.path("labels.parquet").display()))?;
    let mut samples = vec![Vec::new(); contenders.len() + 1];
    for turn in 0..TURNS {
        samples[0].push(files.train(service, &ours, &[])?.as_nanos() as f64);
        for (contender, samples) in contenders.iter().zip(&mut samples[1..]) {
            let taken = peers.ask(&format!("{contender} {}", theirs.display()))?;
            samples.push(taken.parse::<f64>().context("a peer says how long it took")?);
            if turn == 0 {
                let compared =
                    peers.ask(&format!("{same} {} {}", ours.display(), theirs.display()))?;
                ensure!(
                    compared == format!("{labels} 0"),
                    "{contender}: of {labels} labels, compared and different: {compared}"
                );
            }
        }
    }
    let medians: Vec<f64> = samples.iter_mut().map(|samples| median(samples)).collect();
    let fastest = medians[1..].iter().min_by(|a, b| a.total_cmp(b)).context("there is a peer")?;
    let all = contenders
        .iter()
        .zip(&medians[1..])
        .map(|(name, taken)| format!("{name} {}", time(*taken)));
    let all: Vec<String> = all.collect();
    Ok((medians[0], *fastest, format!("{}; {}", time(medians[0]), all.join(", "))))
}

fn figure(
    id: &str,
    what: &str,
    against: &str,
    (ours, theirs, times): (f64, f64, String),
) -> Figure {
    let mut figure = Figure::ratio(id, what, against).measured(ours, theirs, 1);
    figure.times = times;
    figure
}

/// The latest value as of each label.
pub(super) fn asof(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let files = Files::of(bench, ASKED)?;
    let mut peers = Tables::start(bench, "python-peers", &files.folder, &["duckdb", "polars"])?;
    let raced = race(&files, "latest", &mut peers, &["asof_duckdb", "asof_polars"], "same_latest")?;
    let what =
        "`unskew train`: the latest value as of 1 M labels over 10 M events, Parquet to Parquet";
    let against = "the faster of the ASOF joins of DuckDB and Polars";
    Ok(vec![figure("batch.asof", what, against, raced).held_to(1.2, 0.67)])
}

fn trailing(
    bench: &Bench,
    size: Size,
    id: &str,
    must: f64,
    goal: f64,
) -> anyhow::Result<Vec<Figure>> {
    let files = Files::of(bench, size)?;
    let mut peers = Tables::start(bench, "python-peers", &files.folder, &["duckdb"])?;
    let raced = race(&files, "trailing", &mut peers, &["trailing_range_join"], "same_trailing")?;
    let what = format!(
        "`unskew train`: count, sum, avg, max over 5 trailing windows as of 1 M labels, 10 M events, {} k entities",
        size.entities / 1000
    );
    // Its UNION with RANGE frames took more than 20 times as long as the join.
    let against = "DuckDB's range join";
    Ok(vec![figure(id, &what, against, raced).held_to(must, goal)])
}

/// Trailing windows of many entities.
pub(super) fn trailing_100k(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    trailing(bench, ASKED, "batch.trailing_100k", 0.5, 0.2)
}

/// Trailing windows of entities with ten times the events.
pub(super) fn trailing_10k(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    trailing(bench, Size { entities: 10_000, ..ASKED }, "batch.trailing_10k", 0.125, 0.03)
}

/// Beside Feast's own way to a training set.
pub(super) fn feast(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let size = Size { events: MILLION, labels: 100_000, entities: 100_000 };
    let files = Files::of(bench, size)?;
    let mut peers = Tables::start(
        bench,
        "python-feast",
        &files.folder,
        &["pandas", "feast", "duckdb", "ibis"],
    )?;
    peers.ask("feast_apply")?;
    let raced = race(&files, "latest", &mut peers, &["feast_historical"], "same_latest")?;
    let what = "`unskew train`: the latest value as of 100 k labels over 1 M events";
    let against = "Feast's get_historical_features on its DuckDB offline store";
    Ok(vec![figure("batch.feast", what, against, raced).held_to(0.1, 0.025)])
}

/// Two cores over one; four times the events.
pub(super) fn scaling(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let files = Files::of(bench, ASKED)?;
    let more = Files::of(bench, Size { events: 4 * ASKED.events, ..ASKED })?;
    let output = files.path("scaling.parquet");
    let mut samples = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        let times = [
            files.train("trailing", &output, &["--threads", "1"])?,
            files.train("trailing", &output, &["--threads", "2"])?,
            more.train("trailing", &output, &["--threads", "2"])?,
        ];
        for (samples, taken) in samples.iter_mut().zip(times) {
            samples.push(taken.as_nanos() as f64);
        }
    }
    let [one, two, four_times] = samples.map(|mut samples| median(&mut samples));
    let what = "batch.trailing_100k with 2 threads";
    let by_threads = Figure::ratio("batch.scaling.1", what, "with 1 thread");
    let what = "batch.trailing_100k with 40 M events";
    let by_events = Figure::ratio("batch.scaling.2", what, "with 10 M events");
    Ok(vec![
        by_threads.held_to(0.6, 0.52).measured(two, one, 1),
        by_events.held_to(4.4, 4.0).measured(four_times, two, 1),
    ])
}
