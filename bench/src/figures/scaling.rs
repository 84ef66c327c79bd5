//! Two threads against one.

use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;

use super::{Bench, index_of};
use crate::native;
use crate::report::Figure;
use crate::rows::{ROWS, Random};

/// How long `threads` take to evaluate `times` batches each.
fn on_threads(threads: usize, times: u32, evaluate: &(impl Fn() + Sync)) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..times).for_each(|_| evaluate()));
        }
    });
    start.elapsed()
}

pub(super) fn scaling(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let [module, _] = bench.rust_modules()?;
    let index = index_of(&module, "haversine")?;
    let rows: RecordBatch = Random::new().points(ROWS);
    let ours = || drop(std::hint::black_box(module.transform(index, &rows, None)));
    let native = || drop(std::hint::black_box(native::haversine(&rows)));
    // Enough batches that starting a thread does not count.
    const BATCHES: u32 = 16;
    let [one, two, native_one, native_two] = bench.plan.race(
        "scaling",
        [
            &mut |times| on_threads(1, times * BATCHES, &ours),
            &mut |times| on_threads(2, times * BATCHES, &ours),
            &mut |times| on_threads(1, times * BATCHES, &native),
            &mut |times| on_threads(2, times * BATCHES, &native),
        ],
    );
    let [gain, native_gain] = [2.0 * one / two, 2.0 * native_one / native_two];
    let what = "haversine: throughput of 2 threads over 1, as a share of the native gain";
    let against = "the same with the native function";
    let mut figure = Figure::ratio("host.scaling", what, against).held_to(0.9, 0.97);
    figure.value = gain / native_gain;
    figure.unit = "of it";
    figure.higher_is_better = true;
    figure.times = format!("{gain:.2} / {native_gain:.2} times");
    Ok(vec![figure])
}
