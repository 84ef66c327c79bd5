//! Rows that panic, among rows that do not.

use anyhow::ensure;
use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;
use std::sync::Arc;
use unskew_host::CompiledModule;

use super::{Bench, index_of};
use crate::bare::{self, BareModule, plain};
use crate::native::{self, values};
use crate::race::timed;
use crate::report::Figure;
use crate::rows::{ROWS, Random, batch};

/// `rows`, where the first latitude is none in those that are to panic.
fn panicking(rows: &RecordBatch, mut panics: impl FnMut() -> bool) -> RecordBatch {
    let lat1 = values::<Float64Type>(rows, 0).iter();
    let lat1 = Float64Array::from_iter_values(lat1.map(|v| if panics() { 1000.0 } else { *v }));
    let mut columns = vec![("lat1", Arc::new(lat1) as ArrayRef)];
    columns.extend(["lon1", "lat2", "lon2"].map(|name| (name, Arc::clone(&rows[name]))));
    batch(&columns)
}

fn check(module: &CompiledModule, index: usize, rows: &RecordBatch) -> anyhow::Result<usize> {
    let outcome = module.transform(index, rows, None)?;
    let km = native::haversine(rows);
    let km = km[0].as_primitive::<Float64Type>();
    let found = outcome.columns[0].as_primitive::<Float64Type>();
    let mut failed = 0;
    for (row, lat1) in values::<Float64Type>(rows, 0).iter().enumerate() {
        if lat1.abs() <= 90.0 {
            ensure!(found.is_valid(row) && found.value(row) == km.value(row), "row {row} differs");
        } else {
            ensure!(found.is_null(row), "row {row} did not fail");
            ensure!(outcome.errors[failed].row == row, "row {row} is not reported");
            failed += 1;
        }
    }
    ensure!(outcome.errors.len() == failed, "more rows failed than should have");
    Ok(failed)
}

pub(super) fn faults(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let [module, _] = bench.rust_modules()?;
    let index = index_of(&module, "haversine_or_panic")?;
    let clean = Random::new().points(ROWS);
    let mut random = Random::new();
    let some = panicking(&clean, || random.below(100) == 0);
    // All rows of a batch that is not too long for a race.
    let all = panicking(&clean.slice(0, 512), || true);
    check(&module, index, &clean)?;
    let failing = check(&module, index, &some)?;
    check(&module, index, &all)?;

    let [faulty, healthy] = bench.plan.race(
        "faults",
        [
            &mut timed(|| module.transform(index, &some, None)),
            &mut timed(|| module.transform(index, &clean, None)),
        ],
    );
    let engine = plain(bare::engine())?;
    let bare = plain(BareModule::new(&engine, &bench.guests.module("rust")?))?;
    let request = bare::request_of_floats(&[1000.0, 0.0, 0.0, 0.0]);
    let call = || plain_call(&bare, index as u32, request);
    ensure!(call().is_err(), "the row does not panic");
    let [all_ours, all_theirs] = bench.plan.race(
        "all rows fault",
        [&mut timed(|| module.transform(index, &all, None)), &mut timed(call)],
    );
    let rows = all.num_rows() as f64;
    let what = format!("haversine, 8,192 rows, {failing} of them panic");
    let all_what = "all rows panic, per row";
    Ok(vec![
        Figure::ratio("host.faults.1", &what, "the same rows, none of which panics")
            .held_to(10.0, 5.0)
            .measured(faulty, healthy, ROWS),
        Figure::ratio("host.faults.2", all_what, "bare instantiate and call that panics")
            .held_to(3.0, 1.5)
            .measured(all_ours / rows, all_theirs, 1),
    ])
}

fn plain_call(bare: &BareModule, index: u32, request: &'static [u8]) -> anyhow::Result<Vec<u8>> {
    plain(bare.instantiate().and_then(|mut instance| instance.transform(index, request)))
}
