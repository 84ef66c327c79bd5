//! A user's aggregate in Wasm against the same one, native: a mean weighted by
//! another column, on two exact sums.

use anyhow::{Context, ensure};
use arrow::array::{Array, AsArray, Float64Array, UInt32Array};
use arrow::datatypes::Float64Type;
use arrow::record_batch::RecordBatch;
use unskew_aggregate::ExactSum;
use unskew_host::CompiledModule;

use super::Bench;
use crate::race::timed;
use crate::report::Figure;
use crate::rows::{ROWS, Random};

/// The guest's `WeightedMean`, line by line.
#[derive(Clone, Default)]
struct WeightedMean {
    total: ExactSum,
    weights: ExactSum,
}

impl WeightedMean {
    fn update(&mut self, x: f64, weight: f64) {
        self.total.add(x * weight);
        self.weights.add(weight);
    }

    fn finish(&self) -> Option<f64> {
        let weights = self.weights.value();
        (weights != 0.0).then(|| self.total.value() / weights)
    }
}

/// Folds a batch into the states of its groups, as `partial` does.
fn native(batch: &RecordBatch, groups: &UInt32Array, count: usize) -> Vec<WeightedMean> {
    let x = batch.column(0).as_primitive::<Float64Type>().values();
    let weight = batch.column(1).as_primitive::<Float64Type>().values();
    let mut states = vec![WeightedMean::default(); count];
    for ((&x, &weight), &group) in x.iter().zip(weight).zip(groups.values()) {
        states[group as usize].update(x, weight);
    }
    states
}

pub(super) fn wasm_aggregate(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let [boundary, strict] = bench.rust_modules()?;
    let (index, _) =
        boundary.manifest().aggregate("weighted_mean").context("the guest's aggregate")?;
    let mut random = Random::new();
    let batch = random.two_floats(ROWS);
    let mut figures = Vec::new();
    for (id, count, must, goal) in
        [("kernel.wasm_aggregate.1", 64, 2.0, 1.4), ("kernel.wasm_aggregate.2", ROWS, 6.0, 3.0)]
    {
        let groups = UInt32Array::from_iter_values((0..ROWS).map(|_| random.below(count) as u32));
        let fold = |module: &CompiledModule| module.partial(index, &batch, &groups, count);
        let expected: Float64Array =
            native(&batch, &groups, count).iter().map(WeightedMean::finish).collect();
        for module in [&boundary, &strict] {
            let folded = fold(module)?;
            ensure!(folded.row_errors.is_empty() && folded.group_errors.is_empty(), "errors");
            let values = module.finish(index, &folded.states)?;
            let found = values.columns[0].as_primitive::<Float64Type>();
            let same = |group: usize| {
                found.is_valid(group) == expected.is_valid(group)
                    && (found.is_null(group)
                        || found.value(group).to_bits() == expected.value(group).to_bits())
            };
            ensure!((0..count).all(same), "the values differ");
        }
        let [ours, with_strict, theirs] = bench.plan.race(
            id,
            [
                &mut timed(|| fold(&boundary)),
                &mut timed(|| fold(&strict)),
                &mut timed(|| native(&batch, &groups, count)),
            ],
        );
        let what = format!("weighted mean on ExactSum in Rust, 8,192 rows into {count} states");
        figures.push(
            Figure::ratio(id, &what, "the same, native, its states left unwritten")
                .held_to(must, goal)
                .measured(ours, theirs, ROWS)
                .strict(with_strict, theirs),
        );
    }
    Ok(figures)
}
