//! Plain CPython beside us, with the same functions and the same rows.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use arrow::array::cast::AsArray;
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;

use crate::figures::Bench;
use crate::guests::{guests, project};

/// A running CPython; it ends when this is dropped.
pub(crate) struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Names another CPython than `python3.11`.
const VARIABLE: &str = "UNSKEW_BENCH_PYTHON";

/// The CPython that is the peer.
pub(crate) fn program() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| "python3.11".to_owned())
}

/// The version of the CPython that is the peer.
pub(crate) fn version() -> String {
    let output = Command::new(program()).arg("--version").output();
    output.map_or(String::new(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
}

impl Peer {
    /// Starts it, with the two columns of `batch`.
    pub(crate) fn start(batch: &RecordBatch) -> anyhow::Result<Self> {
        let mut child = Command::new(program())
            .arg(guests().join("peer.py"))
            .arg(project("python"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}; name one with {VARIABLE}", program()))?;
        let input = child.stdin.take().context("it has no input")?;
        let output = BufReader::new(child.stdout.take().context("it has no output")?);
        let mut peer = Self { child, input, output };
        let columns = [0, 1].map(|at| {
            let column = batch.column(at).as_primitive::<Float64Type>();
            column.iter().collect::<Vec<Option<f64>>>()
        });
        writeln!(peer.input, "{}", serde_json::to_string(&columns)?)?;
        Ok(peer)
    }

    fn ask(&mut self, function: &str, times: u32) -> anyhow::Result<String> {
        writeln!(self.input, "{function} {times}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the peer has ended");
        Ok(line)
    }

    /// What a function yields.
    pub(crate) fn result(&mut self, function: &str) -> anyhow::Result<Vec<Option<f64>>> {
        Ok(serde_json::from_str(&self.ask(function, 0)?)?)
    }

    /// How long so many runs take, by the peer's own clock.
    pub(crate) fn time(&mut self, function: &str, times: u32) -> anyhow::Result<Duration> {
        Ok(Duration::from_nanos(self.ask(function, times)?.trim().parse()?))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // What it still does is of no use to anyone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// DuckDB, Polars and Feast in a Python of their own (`bench/peers/tables.py`);
/// it ends when this is dropped.
pub(crate) struct Tables {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Tables {
    /// Starts the Python of the environment `environment`, which
    /// `./setup.sh bench` makes, on the files of `folder`.
    pub(crate) fn start(
        bench: &Bench,
        environment: &str,
        folder: &Path,
        modules: &[&str],
    ) -> anyhow::Result<Self> {
        let python = bench.guests.cache_dir.join(environment).join("bin/python");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/tables.py");
        let mut child = Command::new(&python)
            .args(["-W", "ignore"])
            .arg(script)
            .arg(folder)
            .args(modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!("cannot run {}; `./setup.sh bench` makes it", python.display())
            })?;
        let input = child.stdin.take().context("it has no input")?;
        let output = BufReader::new(child.stdout.take().context("it has no output")?);
        Ok(Self { child, input, output })
    }

    /// What it answers to a line.
    pub(crate) fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        writeln!(self.input, "{line}")?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "the peer ended at {line:?}; its message stands above");
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        // As above.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
