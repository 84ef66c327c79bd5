//! A backfill into Redis, beside Redis' own tool writing the same keys.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};

use super::Bench;
use super::batch::LATEST;
use crate::race::median;
use crate::report::Figure;
use crate::rows::{Random, times, write_parquet};
use crate::servers::Server;

/// Each of an entity of its own: what is read is what is written.
const ROWS: usize = 1_000_000;
const TURNS: usize = 3;

/// One event of each user, by time, within a day.
fn write_events(path: &Path) -> anyhow::Result<()> {
    let mut random = Random::new();
    let mut users: Vec<i64> = (0..ROWS as i64).collect();
    for at in (1..ROWS).rev() {
        users.swap(at, random.below(at + 1));
    }
    let every = 86_400_000_000 / ROWS as i64;
    let start = unskew_datagen::START_MICROS;
    let at = (0..ROWS as i64).map(|row| start + row * every);
    let amounts = (0..ROWS).map(|_| random.below(1_000_000) as f64 / 7.0);
    let columns: [(&str, ArrayRef); 3] = [
        ("user_id", Arc::new(Int64Array::from(users))),
        ("amount", Arc::new(Float64Array::from_iter_values(amounts))),
        ("event_timestamp", times(at.collect())),
    ];
    write_parquet(path, &RecordBatch::try_from_iter(columns)?)
}

/// A server, and what fills it.
struct Filled {
    redis: Server,
    folder: tempfile::TempDir,
}

impl Filled {
    fn connection(&self) -> anyhow::Result<redis::Connection> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.redis.port))?;
        Ok(client.get_connection()?)
    }

    /// The whole process, into a server and a project that hold nothing.
    fn materialize(&self, bench: &Bench) -> anyhow::Result<Duration> {
        redis::cmd("FLUSHALL").exec(&mut self.connection()?)?;
        for made in ["offline", "state"] {
            let path = self.folder.path().join(made);
            if path.exists() {
                fs::remove_dir_all(path)?;
            }
        }
        let mut command = bench.unskew()?;
        command.args(["materialize", "latest", "--start", "2020-01-01", "--end", "2026-11-01"]);
        command.arg("--project").arg(self.folder.path());
        let start = Instant::now();
        let done = command.output().context("unskew cannot be run")?;
        let taken = start.elapsed();
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(taken)
    }

    /// All that the server holds, as the commands that write it; and how many
    /// keys these are.
    fn commands(&self) -> anyhow::Result<(Vec<u8>, usize)> {
        let mut connection = self.connection()?;
        let mut keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection)?;
        keys.sort_unstable();
        let mut commands = Vec::new();
        for keys in keys.chunks(10_000) {
            let mut types = redis::pipe();
            for key in keys {
                types.cmd("TYPE").arg(key);
            }
            let types: Vec<String> = types.query(&mut connection)?;
            let mut values = redis::pipe();
            for (key, kind) in keys.iter().zip(&types) {
                match kind.as_str() {
                    "string" => values.cmd("GET").arg(key),
                    "hash" => values.cmd("HGETALL").arg(key),
                    _ => values.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"),
                };
            }
            let values: Vec<redis::Value> = values.query(&mut connection)?;
            for ((key, kind), value) in keys.iter().zip(&types).zip(values) {
                let mut command = redis::cmd(match kind.as_str() {
                    "string" => "SET",
                    "hash" => "HSET",
                    _ => "ZADD",
                });
                command.arg(key);
                if let redis::Value::BulkString(bytes) = &value {
                    command.arg(bytes);
                } else {
                    let mut words: Vec<Vec<u8>> = redis::from_redis_value(value)?;
                    if kind == "zset" {
                        words.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
                    }
                    command.arg(words);
                }
                command.write_packed_command(&mut commands);
            }
        }
        Ok((commands, keys.len()))
    }

    /// `redis-cli --pipe` of these commands, into a server that holds nothing.
    fn pipe(&self, commands: &Path) -> anyhow::Result<Duration> {
        redis::cmd("FLUSHALL").exec(&mut self.connection()?)?;
        let start = Instant::now();
        let done = Command::new("redis-cli")
            .args(["-p", &self.redis.port.to_string(), "--pipe"])
            .stdin(Stdio::from(File::open(commands)?))
            .output()
            .context("redis-cli cannot be run; `./setup.sh bench` installs it")?;
        let taken = start.elapsed();
        let said = String::from_utf8_lossy(&done.stdout);
        ensure!(done.status.success() && said.contains("errors: 0"), "redis-cli: {said}");
        Ok(taken)
    }
}

/// Rows per second of a backfill.
pub(super) fn materialize(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let redis = Server::redis(folder.path())?;
    write_events(&folder.path().join("events.parquet"))?;
    fs::write(folder.path().join("features.yaml"), LATEST)?;
    fs::write(
        folder.path().join("unskew.toml"),
        format!(
            "[project]\nname = \"bench\"\ndefinitions = [\"*.yaml\"]\n\n[online_store]\ntype = \"redis\"\nurl = \"redis://127.0.0.1:{}\"\n\n[offline_store]\nurl = \"offline\"\n\n[registry]\npath = \"state/registry.db\"\n",
            redis.port
        ),
    )?;
    let filled = Filled { redis, folder };
    filled.materialize(bench)?;
    let (commands, keys) = filled.commands()?;
    ensure!(keys >= ROWS, "{keys} keys for {ROWS} entities");
    let path = filled.folder.path().join("commands");
    File::create(&path)?.write_all(&commands)?;
    filled.pipe(&path)?;
    ensure!(filled.commands()?.0 == commands, "the peer wrote something else");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(filled.materialize(bench)?.as_nanos() as f64);
        theirs.push(filled.pipe(&path)?.as_nanos() as f64);
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let what = "rows per second of `unskew materialize` of 1 M rows of as many entities into Redis, files read and the offline store written too";
    let mut figure =
        Figure::ratio("batch.materialize", what, "`redis-cli --pipe` of the same keys")
            .held_to(0.4, 0.8)
            .measured(theirs, ours, 1);
    figure.higher_is_better = true;
    figure.times = format!(
        "{:.0} k / {:.0} k rows per s",
        ROWS as f64 / ours * 1e6,
        ROWS as f64 / theirs * 1e6
    );
    Ok(vec![figure])
}
