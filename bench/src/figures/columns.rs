//! Full batches through a Rust module against the same function called directly.

use anyhow::ensure;
use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use unskew_host::CompiledModule;

use super::{Bench, index_of};
use crate::native::{self, Copied};
use crate::race::timed;
use crate::report::Figure;
use crate::rows::{ROWS, Random};

/// Ours, ours with `nan: strict`, theirs: nanoseconds for a batch.
fn compare(
    bench: &Bench,
    transform: &str,
    [boundary, strict]: &[CompiledModule; 2],
    batch: &RecordBatch,
    mut native: impl FnMut(&RecordBatch) -> Vec<ArrayRef>,
) -> anyhow::Result<[f64; 3]> {
    let index = index_of(boundary, transform)?;
    let evaluate = |module: &CompiledModule| module.transform(index, batch, None);
    let expected = native(batch);
    for module in [boundary, strict] {
        let outcome = evaluate(module)?;
        ensure!(outcome.errors.is_empty(), "{transform}: {}", outcome.errors[0].message);
        ensure!(outcome.columns == expected, "{transform}: the answers differ");
    }
    Ok(bench.plan.race(
        transform,
        [
            &mut timed(|| evaluate(boundary)),
            &mut timed(|| evaluate(strict)),
            &mut timed(|| native(batch)),
        ],
    ))
}

pub(super) fn heavy(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let modules = bench.rust_modules()?;
    let mut random = Random::new();
    type Native = fn(&RecordBatch) -> Vec<ArrayRef>;
    let functions: [(&str, RecordBatch, Native); 3] = [
        ("haversine", random.points(ROWS), native::haversine),
        ("logistic", random.one_float(ROWS), native::logistic),
        ("mix", random.words(ROWS), native::mix),
    ];
    let against = "native Rust over Arrow, the same libm";
    let mut mean = Figure::ratio(
        "host.heavy",
        "haversine, logistic, 64-bit mixing; 8,192 rows, geometric mean",
        against,
    )
    .held_to(1.6, 1.25);
    let mut figures = Vec::new();
    let (mut logs, mut strict_logs) = (0.0, 0.0);
    for (number, (name, batch, native)) in (1..).zip(functions) {
        let [ours, strict, theirs] = compare(bench, name, &modules, &batch, native)?;
        logs += (ours / theirs).ln() / 3.0;
        strict_logs += (strict / theirs).ln() / 3.0;
        let mut figure = Figure::ratio(format!("host.heavy.{number}"), name, against)
            .measured(ours, theirs, ROWS)
            .strict(strict, theirs);
        figure.must = Some(2.0);
        figures.push(figure);
    }
    mean.value = logs.exp();
    mean.strict = Some(strict_logs.exp());
    figures.insert(0, mean);
    Ok(figures)
}

pub(super) fn light(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let batch = Random::new().two_floats(ROWS);
    let mut copied = Copied::new(ROWS);
    let modules = bench.rust_modules()?;
    let [ours, strict, theirs] =
        compare(bench, "light", &modules, &batch, |batch| copied.light(batch))?;
    let against = "memcpy in, native loop, memcpy out";
    Ok(vec![
        Figure::ratio("host.light", "x*y+1, 8,192 rows", against)
            .held_to(4.0, 2.0)
            .measured(ours, theirs, ROWS)
            .strict(strict, theirs),
    ])
}

pub(super) fn strings(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let batch = Random::new().titles(ROWS);
    let modules = bench.rust_modules()?;
    let [ours, strict, theirs] = compare(bench, "tidy", &modules, &batch, native::tidy)?;
    let what = "trim, lower-case and length of a utf8 column, 10 % nulls";
    Ok(vec![
        Figure::ratio("host.strings", what, "native Rust over Arrow")
            .held_to(2.5, 1.6)
            .measured(ours, theirs, ROWS)
            .strict(strict, theirs),
    ])
}
