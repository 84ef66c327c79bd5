//! Values of groups whose rows lie side by side, of several aggregates of one
//! column at once and without states in between.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder};
use unskew_aggregate::{
    Aggregate, AggregateFunction, Quantile, RunTotal, ValueKind, extreme_of_run, percentile_of_run,
};
use unskew_host::{CallMetrics, Outcome};

/// Aggregates of one column of floats, or of the rows alone.
pub(crate) struct RunFold {
    outputs: Vec<Output>,
    needs_totals: bool,
    /// Memory to work in.
    keys: Vec<i32>,
}

enum Output {
    Count(Int64Builder),
    Sum(Float64Builder),
    Mean(Float64Builder),
    Percentile { values: Float64Builder, q: Quantile },
    Extreme { values: Float64Builder, is_max: bool },
}

impl RunFold {
    /// No runs yet.
    pub(crate) fn new() -> Self {
        Self { outputs: Vec::new(), needs_totals: false, keys: Vec::new() }
    }

    /// Whether [`add`](Self::add) takes this aggregate.
    pub(crate) fn takes(aggregate: &Aggregate) -> bool {
        Self::output(aggregate).is_some()
    }

    fn output(aggregate: &Aggregate) -> Option<Output> {
        use AggregateFunction as F;
        let floats = Float64Builder::new;
        Some(match (aggregate.function(), aggregate.input()) {
            (F::Count, None | Some(ValueKind::Float64)) => Output::Count(Int64Builder::new()),
            (_, Some(ValueKind::Float64)) => match aggregate.function() {
                F::Sum => Output::Sum(floats()),
                F::Avg => Output::Mean(floats()),
                F::Percentile { q } => Output::Percentile { values: floats(), q },
                F::Min => Output::Extreme { values: floats(), is_max: false },
                F::Max => Output::Extreme { values: floats(), is_max: true },
                _ => return None,
            },
            _ => return None,
        })
    }

    /// One more aggregate, whose values are wanted of all runs to come. False
    /// if it is none of those that are evaluated here.
    pub(crate) fn add(&mut self, aggregate: &Aggregate) -> bool {
        let output = Self::output(aggregate);
        self.needs_totals |= matches!(output, Some(Output::Sum(_) | Output::Mean(_)));
        let is_taken = output.is_some();
        self.outputs.extend(output);
        is_taken
    }

    /// Counts the rows of runs: run i has those from `bounds[i]` to
    /// `bounds[i + 1]`. For aggregates without a column.
    pub(crate) fn count(&mut self, bounds: &[u32]) {
        for output in &mut self.outputs {
            if let Output::Count(values) = output {
                let counts = bounds.windows(2).map(|run| i64::from(run[1] - run[0]));
                counts.for_each(|count| values.append_value(count));
            }
        }
    }

    /// Folds runs of the column: run i are the values from `bounds[i]` to
    /// `bounds[i + 1]`.
    pub(crate) fn fold(&mut self, column: &[f64], bounds: &[u32]) {
        let Self { outputs, needs_totals, keys } = self;
        for run in bounds.windows(2) {
            let run = &column[run[0] as usize..run[1] as usize];
            let total = needs_totals.then(|| RunTotal::of(run));
            let total = total.as_ref();
            for output in &mut *outputs {
                match output {
                    Output::Count(values) => values.append_value(run.len() as i64),
                    Output::Sum(values) => values.append_option(total.and_then(RunTotal::sum)),
                    Output::Mean(values) => values.append_option(total.and_then(RunTotal::mean)),
                    Output::Percentile { values, q } => {
                        values.append_option(percentile_of_run(run, *q, keys));
                    }
                    Output::Extreme { values, is_max } => {
                        values.append_option(extreme_of_run(run, *is_max));
                    }
                }
            }
        }
    }

    /// The values of all runs, for each aggregate in the order in which they
    /// were added.
    pub(crate) fn finish(self) -> impl Iterator<Item = Outcome> {
        self.outputs.into_iter().map(|output| {
            let column: ArrayRef = match output {
                Output::Count(mut values) => Arc::new(values.finish()),
                Output::Sum(mut values)
                | Output::Mean(mut values)
                | Output::Percentile { mut values, .. }
                | Output::Extreme { mut values, .. } => Arc::new(values.finish()),
            };
            Outcome { columns: vec![column], errors: Vec::new(), metrics: CallMetrics::default() }
        })
    }
}
