//! Measures the host against named floors and peers, side by side in one run,
//! and prints one table. `bench/README.md` says what and how.

mod bare;
mod cpu;
mod figures;
mod floor_server;
mod guests;
mod load_generator;
mod native;
mod peer;
mod race;
mod report;
mod rows;
mod servers;
mod spark;

/// The functions that are measured, of which the guest compiles the same file.
#[allow(unreachable_pub, reason = "in the guest they are the crate's own")]
#[path = "../guests/rust/src/kernels.rs"]
mod kernels;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;

use crate::figures::{Bench, FIGURES};
use crate::race::{Alone, Plan};

/// The same as that of `unskew`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Measures the host against named floors and peers, and prints one table.")]
struct Arguments {
    /// The figures to measure, such as host.heavy; all, if none is named.
    figures: Vec<String>,
    /// Lists the figures, and measures nothing.
    #[arg(long)]
    list: bool,
    /// Seconds that one comparison takes.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Where the figures go as lines of JSON.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Runs one contender of one comparison alone, for a profiler to look at:
    /// `NAME:CONTENDER:TIMES`, such as haversine:0:1000.
    #[arg(long, value_parser = alone)]
    alone: Option<Alone>,
    /// Serves the floor of online.floor at a port of the loopback, from the
    /// Redis at another, and measures nothing: `PORT:REDIS`.
    #[arg(long, value_parser = ports, hide = true)]
    floor_server: Option<(u16, u16)>,
}

fn alone(text: &str) -> Result<Alone, String> {
    let wrong = || format!("{text:?} is not NAME:CONTENDER:TIMES");
    let mut parts = text.rsplitn(3, ':');
    let times = parts.next().and_then(|t| t.parse().ok()).ok_or_else(wrong)?;
    let contender = parts.next().and_then(|t| t.parse().ok()).ok_or_else(wrong)?;
    Ok(Alone { race: parts.next().ok_or_else(wrong)?.to_owned(), contender, times })
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let parsed = text.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    parsed.ok_or_else(|| format!("{text:?} is not PORT:REDIS"))
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some((port, redis)) = arguments.floor_server {
        return floor_server::serve(port, redis);
    }
    if arguments.list {
        FIGURES.iter().for_each(|figure| println!("{}", figure.id));
        return Ok(());
    }
    for name in &arguments.figures {
        if !FIGURES.iter().any(|figure| figure.id == name) {
            bail!("there is no figure {name:?}; --list names them");
        }
    }
    let race = Duration::try_from_secs_f64(arguments.seconds).context("--seconds")?;
    let plan = Plan { race, alone: arguments.alone, ..Plan::default() };
    let is_profiled = plan.alone.is_some();
    let bench = Bench::new(plan)?;
    let mut measured = Vec::new();
    for figure in FIGURES {
        if arguments.figures.is_empty() || arguments.figures.iter().any(|name| name == figure.id) {
            eprintln!("{}", figure.id);
            let figures = (figure.measure)(&bench).with_context(|| figure.id)?;
            measured.extend(figures);
        }
    }
    if is_profiled {
        return Ok(());
    }
    print!("{}", report::table(&measured));
    let results = arguments
        .results
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("results.jsonl"));
    report::write_lines(&results, &measured)
}
