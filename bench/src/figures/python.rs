//! Full batches through a Python module against plain CPython.

use anyhow::ensure;
use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;
use unskew_host::CompiledModule;

use super::{Bench, index_of};
use crate::peer::{self, Peer};
use crate::race::timed;
use crate::report::Figure;
use crate::rows::{ROWS, Random, batch};

/// A transform, the function of `peer.py` beside it, and their rows.
struct Pair<'a> {
    transform: &'a str,
    function: &'a str,
    rows: RecordBatch,
}

impl Pair<'_> {
    /// Ours, ours with `nan: strict`, theirs: nanoseconds for a batch.
    fn compare(
        &self,
        bench: &Bench,
        [boundary, strict]: &[CompiledModule; 2],
    ) -> anyhow::Result<[f64; 3]> {
        let Self { transform, function, rows } = self;
        let index = index_of(boundary, transform)?;
        let evaluate = |module: &CompiledModule| module.transform(index, rows, None);
        let mut peer = Peer::start(rows)?;
        let expected = peer.result(function)?;
        for module in [boundary, strict] {
            let outcome = evaluate(module)?;
            ensure!(outcome.errors.is_empty(), "{transform}: {}", outcome.errors[0].message);
            let found = outcome.columns[0].as_primitive::<Float64Type>();
            ensure!(found.iter().eq(expected.iter().copied()), "{transform}: the answers differ");
        }
        let mut lost = None;
        let times = bench.plan.race(
            &format!("{transform}/{function}"),
            [&mut timed(|| evaluate(boundary)), &mut timed(|| evaluate(strict)), &mut |times| {
                peer.time(function, times).unwrap_or_else(|error| {
                    lost = Some(error);
                    std::time::Duration::ZERO
                })
            }],
        );
        lost.map_or(Ok(times), Err)
    }
}

fn against(what: &str) -> String {
    format!("{what}, {}", peer::version())
}

pub(super) fn rows(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let modules = bench.python_modules()?;
    let full = Random::new().two_floats(ROWS);
    let with_nulls = some_null(&full);
    let pairs = [
        ("no nulls among them", "light", "rows", full),
        ("10 % nulls, never passed", "light", "rows_with_nulls", with_nulls.clone()),
        ("10 % nulls, passed as None", "light_or_null", "rows_with_nulls", with_nulls),
    ];
    let against = against("the same function in a list comprehension");
    let mut figures = Vec::new();
    for (number, (rows_are, transform, function, rows)) in (1..).zip(pairs) {
        let [ours, strict, theirs] = Pair { transform, function, rows }.compare(bench, &modules)?;
        let what = format!("x*y+1 row by row in Python, 8,192 rows, {rows_are}");
        figures.push(
            Figure::ratio(format!("host.python_row.{number}"), &what, &against)
                .held_to(5.0, 3.5)
                .measured(ours, theirs, ROWS)
                .strict(strict, theirs),
        );
    }
    // The figure is the worst of them.
    let worst = figures.iter().max_by(|a, b| a.value.total_cmp(&b.value)).cloned();
    if let Some(mut worst) = worst {
        worst.id = "host.python_row".to_owned();
        worst.what = "x*y+1 row by row in Python: the worst of these".to_owned();
        figures.insert(0, worst);
    }
    Ok(figures)
}

/// The same rows, of which one in ten is null in each column.
fn some_null(rows: &RecordBatch) -> RecordBatch {
    let mut random = Random::new();
    let columns = ["x", "y"].map(|name| {
        let values = rows[name].as_primitive::<Float64Type>().values();
        let column = values.iter().map(|v| (random.below(20) != 0).then_some(*v));
        (name, Arc::new(Float64Array::from_iter(column)) as ArrayRef)
    });
    batch(&columns)
}

pub(super) fn columns(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let modules = bench.python_modules()?;
    let rows = Random::new().two_floats(ROWS);
    let pair = Pair { transform: "light_columns", function: "columns", rows };
    let [ours, strict, theirs] = pair.compare(bench, &modules)?;
    let what = "x*y+1 over memoryviews in Python, 8,192 rows";
    Ok(vec![
        Figure::ratio("host.python_batch", what, &against("the same function"))
            .held_to(4.0, 2.5)
            .measured(ours, theirs, ROWS)
            .strict(strict, theirs),
    ])
}
