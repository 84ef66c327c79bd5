//! How much memory a training set takes whose events are much larger than the
//! limit.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Bench;
use super::batch::{Files, MILLION, Size};
use crate::report::Figure;

const LIMIT: u64 = 256 << 20;
/// Their Parquet file has 8 times the limit.
const LARGE: Size = Size { events: 125 * MILLION, labels: 1_000_000, entities: 100_000 };
const TINY: Size = Size { events: 1000, labels: 1000, entities: 100 };

/// The most bytes that were resident at a time (Linux).
fn resident_peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// The most that was resident, and the bytes spilled.
fn train(files: &Files<'_>) -> anyhow::Result<(u64, u64)> {
    let summary = files.path("summary.json");
    let mut child = files
        .command("trailing", &files.path("memory.parquet"))?
        .args(["--memory-limit", &LIMIT.to_string()])
        .stdout(Stdio::from(fs::File::create(&summary)?))
        .stderr(Stdio::inherit())
        .spawn()
        .context("unskew cannot be run")?;
    // The system keeps the mark of the highest tide (what `wait4` says of it counts what we had
    // when the process was made, too), as long as the process lives.
    let mut peak = 0;
    let ended = loop {
        peak = resident_peak(child.id()).unwrap_or(0).max(peak);
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    ensure!(ended.success(), "unskew train failed");
    let summary: Value = serde_json::from_slice(&fs::read(&summary)?)?;
    let spilled = summary["counters"]["bytes_spilled"].as_u64().context("bytes_spilled")?;
    Ok((peak, spilled))
}

/// Peak memory with a limit, less that of a tiny run.
pub(super) fn memory(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let large = Files::of(bench, LARGE)?;
    let bytes = fs::metadata(large.path("events.parquet"))?.len();
    ensure!(bytes >= 8 * LIMIT, "the events have {bytes} bytes");
    let (base, _) = train(&Files::of(bench, TINY)?)?;
    let (peak, spilled) = train(&large)?;
    ensure!(spilled > 0, "nothing was spilled");
    let what = format!(
        "peak resident memory of `unskew train --memory-limit 256MiB` over {} MiB of Parquet, less that of a run on 1,000 rows",
        bytes >> 20
    );
    let mut figure = Figure::ratio("batch.memory", &what, "the limit").held_to(1.2, 1.0);
    figure.value = peak.saturating_sub(base) as f64 / LIMIT as f64;
    figure.times = format!(
        "{} MiB, {} MiB on 1,000 rows; {} MiB spilled",
        peak >> 20,
        base >> 20,
        spilled >> 20
    );
    Ok(vec![figure])
}
