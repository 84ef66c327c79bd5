//! Calls of one row in an instance that has been called before.

use anyhow::ensure;
use arrow::array::cast::AsArray;
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;
use unskew_host::CompiledModule;

use super::{Bench, index_of};
use crate::bare::{self, BareModule, plain};
use crate::native;
use crate::race::timed;
use crate::report::Figure;
use crate::rows::Random;

pub(super) fn rust(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let modules = bench.rust_modules()?;
    let noop = bench.guests.noop()?;
    let what = "warm call of one row, x*y+1 in Rust";
    warm(bench, "warm1_rust", what, &modules, &noop, (3.0, 1.5))
}

pub(super) fn python(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let modules = bench.python_modules()?;
    let noop = bench.guests.noop_python()?;
    let what = "warm call of one row, x*y+1 in Python";
    warm(bench, "warm1_python", what, &modules, &noop, (2.0, 1.3))
}

fn warm(
    bench: &Bench,
    name: &str,
    what: &str,
    [boundary, strict]: &[CompiledModule; 2],
    noop: &[u8],
    (must, goal): (f64, f64),
) -> anyhow::Result<Vec<Figure>> {
    let batch = Random::new().two_floats(1);
    let index = index_of(boundary, "light")?;
    let evaluate = |module: &CompiledModule| module.transform(index, &batch, None);
    for module in [boundary, strict] {
        check_light(&batch, &evaluate(module)?)?;
    }
    let request = request(&batch);
    let module = plain(bare::engine().and_then(|engine| BareModule::new(&engine, noop)))?;
    let mut bare = plain(module.instantiate())?;
    ensure!(plain(bare.transform(0, request))? == request, "the module without effect has one");
    let [ours, strict, theirs] = bench.plan.race(
        name,
        [
            &mut timed(|| evaluate(boundary)),
            &mut timed(|| evaluate(strict)),
            &mut timed(|| bare.transform(0, request)),
        ],
    );
    Ok(vec![
        Figure::ratio(
            format!("host.{name}"),
            what,
            "a no-op export of the same world, bare wasmtime, fuel and epochs on",
        )
        .held_to(must, goal)
        .measured(ours, theirs, 1)
        .strict(strict, theirs),
    ])
}

/// The request that the host sends for a batch of one row of two floats.
pub(super) fn request(batch: &RecordBatch) -> &'static [u8] {
    bare::request_of_floats(&[0, 1].map(|at| native::values::<Float64Type>(batch, at)[0]))
}

/// Compares the answer to `x * y + 1` with what it must be.
pub(super) fn check_light(
    batch: &RecordBatch,
    outcome: &unskew_host::Outcome,
) -> anyhow::Result<()> {
    let [x, y] = [0, 1].map(|at| native::values::<Float64Type>(batch, at));
    let expected = x.iter().zip(y).map(|(x, y)| crate::kernels::light(*x, *y));
    ensure!(outcome.errors.is_empty(), "{}", outcome.errors[0].message);
    let found = outcome.columns[0].as_primitive::<Float64Type>();
    ensure!(expected.eq(found.values().iter().copied()), "the answers differ");
    Ok(())
}
