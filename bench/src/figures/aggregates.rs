//! The kernel's aggregates, without windows: how long they take to update, and
//! how large their states are.

use std::sync::Arc;

use anyhow::{Context, ensure};
use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_aggregate::variance::var_samp_udaf;
use datafusion::logical_expr::{AggregateUDF, EmitTo, GroupsAccumulator};
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::Column as ColumnExpr;
use sketches_ddsketch::{Config, DDSketch};
use unskew_aggregate::{
    Aggregate, AggregateFunction, Column, ColumnValues, GroupStates, Value, ValueKind,
};
use unskew_datagen::{EventNumbers, Spec};

use super::Bench;
use crate::race::timed;
use crate::report::Figure;
use crate::rows::{ROWS, Random};

/// Few, so that a run is shorter than what a busy system gives at a time.
const BATCHES: usize = 8;
const GROUPS: usize = 1024;

/// Amounts in full batches, each row in one of the groups at random: as they
/// are for us, and as they are for DataFusion.
struct Amounts {
    values: Vec<Vec<f64>>,
    groups: Vec<Vec<u32>>,
    arrays: Vec<ArrayRef>,
    indices: Vec<Vec<usize>>,
}

impl Amounts {
    fn new() -> anyhow::Result<Self> {
        let spec = Spec { rows: (BATCHES * ROWS) as u64, days: 90, ..Spec::default() };
        let amounts = EventNumbers::new(&spec)?.amounts;
        let values: Vec<Vec<f64>> = amounts.chunks(ROWS).map(<[f64]>::to_vec).collect();
        let mut random = Random::new();
        let indices: Vec<Vec<usize>> = values
            .iter()
            .map(|batch| batch.iter().map(|_| random.below(GROUPS)).collect())
            .collect();
        let groups = indices.iter().map(|all| all.iter().map(|group| *group as u32).collect());
        Ok(Self {
            groups: groups.collect(),
            arrays: values
                .iter()
                .map(|v| Arc::new(Float64Array::from(v.clone())) as ArrayRef)
                .collect(),
            values,
            indices,
        })
    }

    fn rows(&self) -> usize {
        BATCHES * ROWS
    }

    fn ours(&self, aggregate: Aggregate) -> GroupStates {
        let mut states = GroupStates::new(aggregate);
        states.resize(GROUPS);
        for (values, groups) in self.values.iter().zip(&self.groups) {
            states.update(Some(&Column::new(ColumnValues::Float64(values))), groups, None);
        }
        states
    }

    fn theirs(
        &self,
        function: &AggregateFunctionExpr,
    ) -> anyhow::Result<Box<dyn GroupsAccumulator>> {
        let mut accumulator = function.create_groups_accumulator()?;
        for (array, groups) in self.arrays.iter().zip(&self.indices) {
            accumulator.update_batch(std::slice::from_ref(array), groups, None, GROUPS)?;
        }
        Ok(accumulator)
    }
}

pub(super) fn exact_sum(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    against_datafusion(bench, "exact_sum", AggregateFunction::Sum, sum_udaf(), (4.0, 2.0))
}

pub(super) fn exact_var(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let function = AggregateFunction::Variance;
    against_datafusion(bench, "exact_var", function, var_samp_udaf(), (6.0, 3.0))
}

fn against_datafusion(
    bench: &Bench,
    name: &str,
    function: AggregateFunction,
    peer: Arc<AggregateUDF>,
    (must, goal): (f64, f64),
) -> anyhow::Result<Vec<Figure>> {
    let amounts = Amounts::new()?;
    let aggregate = Aggregate::new(function, Some(ValueKind::Float64))?;
    let schema = Schema::new(vec![Field::new("amount", DataType::Float64, true)]);
    let peer_name = peer.name().to_owned();
    let peer = AggregateExprBuilder::new(peer, vec![Arc::new(ColumnExpr::new("amount", 0))])
        .schema(Arc::new(schema))
        .alias(name)
        .build()?;

    let found = amounts.ours(aggregate);
    let expected = amounts.theirs(&peer)?.evaluate(EmitTo::All)?;
    for (group, expected) in expected.as_primitive::<Float64Type>().values().iter().enumerate() {
        let found = float_of(&found, group as u32)?;
        let difference = (found - expected).abs() / expected;
        ensure!(difference < 1e-9, "group {group}: {found} and, of DataFusion, {expected}");
    }

    let [ours, theirs] = bench
        .plan
        .race(name, [&mut timed(|| amounts.ours(aggregate)), &mut timed(|| amounts.theirs(&peer))]);
    let what = format!("exact {} of float64 in {GROUPS} groups at random", function.name());
    let against = format!("DataFusion's grouped {peer_name}, which rounds at each row");
    let figure = Figure::ratio(format!("kernel.{name}"), &what, &against).held_to(must, goal);
    Ok(vec![figure.measured(ours, theirs, amounts.rows())])
}

fn float_of(states: &GroupStates, group: u32) -> anyhow::Result<f64> {
    match states.finish(group)? {
        Some(Value::Float(x)) => Ok(x),
        other => anyhow::bail!("group {group} has {other:?}"),
    }
}

fn p95() -> anyhow::Result<Aggregate> {
    let function = AggregateFunction::Percentile { q: "0.95".parse()? };
    Ok(Aggregate::new(function, Some(ValueKind::Float64))?)
}

pub(super) fn percentile(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let amounts = Amounts::new()?;
    let aggregate = p95()?;
    let one_group = vec![0_u32; ROWS];
    let ours = || {
        let mut states = GroupStates::new(aggregate);
        states.resize(1);
        for values in &amounts.values {
            states.update(Some(&Column::new(ColumnValues::Float64(values))), &one_group, None);
        }
        states
    };
    let theirs = || {
        // As accurate as ours, and with room for every bucket.
        let mut sketch = DDSketch::new(Config::new(0.01, 4096, 1e-9));
        amounts.values.iter().flatten().for_each(|x| sketch.add(*x));
        sketch
    };
    let mut sorted = amounts.values.concat();
    sorted.sort_by(f64::total_cmp);
    let exact = sorted[(sorted.len() * 95).div_ceil(100) - 1];
    let sketched = theirs().quantile(0.95)?.context("the sketch is empty")?;
    for found in [float_of(&ours(), 0)?, sketched] {
        ensure!((found - exact).abs() / exact <= 0.011, "{found} for {exact}");
    }
    let [ours, theirs] = bench.plan.race("percentile", [&mut timed(ours), &mut timed(theirs)]);
    let what = "update of a percentile's state within 1 %";
    let against = "sketches-ddsketch with a relative accuracy of 1 %";
    let figure = Figure::ratio("kernel.percentile", what, against).held_to(0.7, 0.4);
    Ok(vec![figure.measured(ours, theirs, amounts.rows())])
}

/// The bytes of the states that one entity has in five windows, all of which
/// saw the same events.
pub(super) fn state(_: &Bench) -> anyhow::Result<Vec<Figure>> {
    const WINDOWS: usize = 5;
    let mut figures = Vec::new();
    for (events, must, goal) in [(10, 2048.0, 700.0), (10_000, 16_384.0, 8192.0)] {
        let amounts =
            EventNumbers::new(&Spec { rows: events, days: 90, ..Spec::default() })?.amounts;
        let groups = vec![0; amounts.len()];
        let column = Column::new(ColumnValues::Float64(&amounts));
        let mut bytes = Vec::new();
        for function in
            [AggregateFunction::Count, AggregateFunction::Sum, AggregateFunction::Variance]
        {
            append_state(
                Aggregate::new(function, Some(ValueKind::Float64))?,
                &column,
                &groups,
                &mut bytes,
            )?;
        }
        append_state(p95()?, &column, &groups, &mut bytes)?;
        let what = format!(
            "states of count, sum, variance and p95 in {WINDOWS} windows after {events} events"
        );
        let mut figure =
            Figure::ratio(format!("kernel.state.{}", figures.len() + 1), &what, "nothing");
        figure.unit = "B";
        figure.value = (WINDOWS * bytes.len()) as f64;
        figures.push(figure.held_to(must, goal));
    }
    Ok(figures)
}

fn append_state(
    aggregate: Aggregate,
    column: &Column<'_>,
    groups: &[u32],
    to: &mut Vec<u8>,
) -> anyhow::Result<()> {
    let mut states = GroupStates::new(aggregate);
    states.resize(1);
    states.update(Some(column), groups, None);
    let start = to.len();
    states.encode(0, to);
    // What is counted can be read again, and says the same.
    let read = aggregate.decode(&to[start..])?;
    ensure!(aggregate.finish(&read)? == states.finish(0)?, "a state was read as another");
    Ok(())
}
