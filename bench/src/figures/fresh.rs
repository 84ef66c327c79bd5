//! `isolation: fresh`: every call in an instance of its own.

use std::time::{Duration, Instant};

use anyhow::ensure;
use arrow::record_batch::RecordBatch;
use unskew_host::{CompiledModule, Isolation, NanPolicy};

use super::warm::{check_light, request};
use super::{Bench, index_of};
use crate::bare::{self, BareModule, plain};
use crate::cpu;
use crate::race::{quantile, timed};
use crate::report::{Figure, time};
use crate::rows::Random;

/// The same call by our host and by bare wasmtime, each in a new instance.
struct Fresh {
    module: CompiledModule,
    index: usize,
    row: RecordBatch,
    bare: BareModule,
    request: &'static [u8],
}

impl Fresh {
    fn new(bench: &Bench, component: &[u8]) -> anyhow::Result<Self> {
        let module = bench.load(component, Isolation::Fresh, NanPolicy::Boundary)?;
        let row = Random::new().two_floats(1);
        let index = index_of(&module, "light")?;
        check_light(&row, &module.transform(index, &row, None)?)?;
        let bare = plain(bare::engine().and_then(|engine| BareModule::new(&engine, component)))?;
        let request = request(&row);
        let fresh = Self { module, index, row, bare, request };
        let reply = fresh.bare_call()?;
        let outcome = fresh.module.transform(index, &fresh.row, None)?;
        let value = outcome.columns[0].to_data().buffers()[0].as_slice()[..8].to_vec();
        ensure!(reply.windows(8).any(|bytes| bytes == value), "the answers differ");
        Ok(fresh)
    }

    fn bare_call(&self) -> anyhow::Result<Vec<u8>> {
        let instance = self.bare.instantiate();
        plain(instance.and_then(|mut i| i.transform(self.index as u32, self.request)))
    }

    fn call(&self) {
        drop(std::hint::black_box(self.module.transform(self.index, &self.row, None)));
    }
}

const AGAINST: &str = "bare instantiate + first call";

pub(super) fn rust(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let fresh = Fresh::new(bench, &bench.guests.module("rust")?)?;
    let [ours, theirs] = bench
        .plan
        .race("fresh_rust", [&mut timed(|| fresh.call()), &mut timed(|| fresh.bare_call())]);
    Ok(vec![
        Figure::ratio("host.fresh_rust", "call of one row, isolation: fresh, Rust", AGAINST)
            .held_to(1.5, 1.1)
            .measured(ours, theirs, 1),
    ])
}

/// One turn of the sustained load.
const TURN: Duration = Duration::from_millis(500);
const TURNS: u32 = 20;
/// What is still prepared in the background when a turn ends counts for it.
const REST: Duration = Duration::from_millis(20);

/// Calls without a pause for a turn: how many, and the processor time for them.
fn turn(mut call: impl FnMut()) -> (u32, Duration) {
    let (start, used) = (Instant::now(), cpu::of_process());
    let mut calls = 0;
    while start.elapsed() < TURN {
        call();
        calls += 1;
    }
    std::thread::sleep(REST);
    (calls, cpu::of_process() - used)
}

pub(super) fn python(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let component = bench.guests.module("python")?;
    let fresh = Fresh::new(bench, &component)?;
    if bench.plan.alone.is_some() {
        bench
            .plan
            .race("fresh_python", [&mut timed(|| fresh.call()), &mut timed(|| fresh.bare_call())]);
        return Ok(Vec::new());
    }
    let (mut calls, mut bare_calls) = (0, 0);
    let (mut used, mut bare_used) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TURNS {
        let (count, time) = turn(|| fresh.call());
        calls += count;
        used += time;
        let (count, time) = turn(|| drop(fresh.bare_call()));
        bare_calls += count;
        bare_used += time;
    }
    let cpu_per_call = used.as_nanos() as f64 / f64::from(calls);
    let bare_per_call = bare_used.as_nanos() as f64 / f64::from(bare_calls);

    let pause = TURN * TURNS * 2 / calls;
    let mut latencies = paced(&fresh, pause, TURN * TURNS);
    let p99 = quantile(&mut latencies, 0.99);
    let warm = bench.load(&component, Isolation::Reuse, NanPolicy::Boundary)?;
    let [warm] = bench
        .plan
        .race("warm beside fresh", [&mut timed(|| warm.transform(fresh.index, &fresh.row, None))]);
    let what = format!("{calls} calls of one row in 10 s, isolation: fresh, Python: CPU per call");
    let rate = format!(
        "the same at half that rate ({} between calls): p99",
        time(pause.as_nanos() as f64)
    );
    Ok(vec![
        Figure::ratio("host.fresh_python.1", &what, "bare instantiate + first call, CPU")
            .held_to(1.2, 1.05)
            .measured(cpu_per_call, bare_per_call, 1),
        Figure::ratio("host.fresh_python.2", &rate, "a warm call")
            .held_to(5.0, 2.0)
            .measured(p99, warm, 1),
    ])
}

/// Calls once in each `pause`, for so long: how long each took, in nanoseconds.
fn paced(fresh: &Fresh, pause: Duration, in_all: Duration) -> Vec<f64> {
    let begin = Instant::now();
    let mut latencies = Vec::new();
    let mut next = begin;
    while next < begin + in_all {
        if let Some(early) = next.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        let start = Instant::now();
        fresh.call();
        latencies.push(start.elapsed().as_nanos() as f64);
        next += pause;
    }
    latencies
}
