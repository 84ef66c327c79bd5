//! Tumbling and sliding windows of a log that is there as a whole and tells
//! nothing of its order. Where no row comes after a window of its own has
//! closed, each window emits once, in the order of end and entity: so rows are
//! sorted by window and entity, and those of a window folded side by side.
//! What comes out is what the operator gives row by row.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::concat;
use arrow::datatypes::Float64Type;
use unskew_host::{Outcome, RowError};

use crate::aggregate_kernel::{AggregateKernel, KernelError};
use crate::built_in::RunFold;
use crate::fold_failures::FoldFailures;
use crate::window::emitted::EmittedWindows;
use crate::window::entity_runs::{EntityRuns, Runs};
use crate::window::records::{AggregateRows, LogRecords};
use crate::window::{NO_ENTITY, floor_to};

/// Rows that are folded at a time: what they need stays in the cache.
const ROWS_AT_A_TIME: usize = 1 << 15;

/// Times and sizes up to here can be added without a second thought.
const FAR: i64 = 1 << 60;

/// The windows of one view over its whole log.
pub(crate) struct WholeLog<'a> {
    pub(crate) records: &'a LogRecords,
    pub(crate) kernels: &'a [Arc<dyn AggregateKernel>],
    pub(crate) size_us: i64,
    pub(crate) hop_us: i64,
    pub(crate) offset_us: i64,
    pub(crate) out_of_orderness_us: i64,
}

impl WholeLog<'_> {
    /// What the windows emit; none where that takes the rows one by one.
    ///
    /// Rows that fail are added to `failures`, which has a place for each
    /// aggregate.
    pub(crate) fn emit(
        &self,
        failures: &mut [FoldFailures],
    ) -> Result<Option<EmittedWindows>, KernelError> {
        let times = self.records.order.event_timestamps();
        let is_near = |time: i64| (-FAR..FAR).contains(&time);
        let bounds = [self.size_us, self.hop_us, self.offset_us, self.out_of_orderness_us];
        if self.records.broker_timestamps.is_some() || !bounds.into_iter().all(is_near) {
            return Ok(None);
        }
        if !times.iter().all(|time| is_near(*time)) || !self.is_never_late() {
            return Ok(None);
        }
        let by_time = (!times.is_sorted()).then(|| {
            let mut rows: Vec<u32> = (0..times.len() as u32).collect();
            rows.sort_unstable_by_key(|row| times[*row as usize]);
            rows
        });
        match by_time {
            None => self.walk(times, |range| range.start as u32..range.end as u32, failures),
            Some(rows) => {
                let times: Vec<i64> = rows.iter().map(|row| times[*row as usize]).collect();
                self.walk(&times, |range| rows[range].iter().copied(), failures)
            }
        }
        .map(Some)
    }

    /// The first window that ends after an event at this time.
    fn first_start(&self, event: i64) -> i64 {
        floor_to(event - self.size_us, self.hop_us, self.offset_us) + self.hop_us
    }

    /// Whether each row may be seen before the first of its windows closes.
    fn is_never_late(&self) -> bool {
        let LogRecords { order, entities, .. } = self.records;
        let times = order.event_timestamps();
        let Some(created) = order.created_timestamps() else {
            return self.out_of_orderness_us >= 0;
        };
        let mut rows = times.iter().zip(created).zip(&**entities);
        rows.all(|((event, created), entity)| {
            let end = || self.first_start(*event) + self.size_us;
            *entity == NO_ENTITY
                || (created <= event && self.out_of_orderness_us >= 0)
                || *created <= end() + self.out_of_orderness_us
        })
    }

    /// `times` ascend, and `rows_at` says which rows are at these places.
    fn walk<R: Iterator<Item = u32> + Clone>(
        &self,
        times: &[i64],
        rows_at: impl Fn(std::ops::Range<usize>) -> R,
        failures: &mut [FoldFailures],
    ) -> Result<EmittedWindows, KernelError> {
        let entities = &*self.records.entities;
        let numbers = entities.iter().filter(|entity| **entity != NO_ENTITY);
        let mut sorter = EntityRuns::new(numbers.copied().max().unwrap_or(0), entities.len());
        let mut values = Values::new(self);
        let mut emitted = EmittedWindows::empty(self.kernels.iter().map(|kernel| &**kernel));
        let mut runs = Runs::new();
        let (mut low, mut high) = (0, 0);
        let mut start = times.first().map_or(0, |first| self.first_start(*first));
        while low < times.len() {
            let end = start + self.size_us;
            high += times[high..].iter().take_while(|time| **time < end).count();
            if low == high {
                start = self.first_start(times[low]);
                continue;
            }
            let before = emitted.entities.len();
            sorter.append(rows_at(low..high), entities, &mut runs, &mut emitted.entities);
            let count = emitted.entities.len() - before;
            let visible = end + self.out_of_orderness_us;
            emitted.window_starts.extend(std::iter::repeat_n(start, count));
            emitted.window_ends.extend(std::iter::repeat_n(end, count));
            emitted.created_timestamps.extend(std::iter::repeat_n(visible, count));
            if runs.rows.len() >= ROWS_AT_A_TIME {
                values.fold(&runs, failures)?;
                runs.clear();
            }
            start += self.hop_us;
            low += times[low..high].iter().take_while(|time| **time < start).count();
        }
        values.fold(&runs, failures)?;
        emitted.revisions = vec![0; emitted.entities.len()];
        emitted.tombstones = vec![false; emitted.entities.len()];
        values.finish(&mut emitted.values)?;
        Ok(emitted)
    }
}

/// The values of all aggregates in the making.
struct Values<'a> {
    log: &'a WholeLog<'a>,
    /// Aggregates of the same rows and the same column.
    clusters: Vec<Cluster<'a>>,
    /// The others, each with its values so far.
    others: Vec<(usize, Vec<Outcome>)>,
    /// Memory to work in.
    column: Vec<f64>,
    bounds: Vec<u32>,
    groups: Vec<u32>,
}

struct Cluster<'a> {
    rows: &'a AggregateRows,
    members: Vec<usize>,
    fold: RunFold,
}

fn is_same(a: &AggregateRows, b: &AggregateRows) -> bool {
    let same = |a: &dyn Array, b: &dyn Array| a.to_data().ptr_eq(&b.to_data());
    let filters = match (&a.filter, &b.filter) {
        (None, None) => true,
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    };
    filters
        && a.inputs.len() == b.inputs.len()
        && a.inputs.iter().zip(&b.inputs).all(|(a, b)| same(a, b))
}

impl<'a> Values<'a> {
    fn new(log: &'a WholeLog<'a>) -> Self {
        let mut clusters: Vec<Cluster<'a>> = Vec::new();
        let mut others = Vec::new();
        for (at, (kernel, rows)) in log.kernels.iter().zip(&log.records.aggregates).enumerate() {
            let built_in = kernel.as_built_in();
            let quick = built_in.filter(|built_in| {
                RunFold::takes(built_in.aggregate())
                    && built_in.check(&rows.inputs, log.records.len()).is_ok()
            });
            let Some(built_in) = quick else {
                others.push((at, Vec::new()));
                continue;
            };
            let known = clusters.iter().position(|cluster| is_same(cluster.rows, rows));
            let cluster = known.unwrap_or_else(|| {
                clusters.push(Cluster { rows, members: Vec::new(), fold: RunFold::new() });
                clusters.len() - 1
            });
            clusters[cluster].fold.add(built_in.aggregate());
            clusters[cluster].members.push(at);
        }
        let (column, bounds, groups) = (Vec::new(), Vec::new(), Vec::new());
        Self { log, clusters, others, column, bounds, groups }
    }

    fn fold(&mut self, runs: &Runs, failures: &mut [FoldFailures]) -> Result<(), KernelError> {
        let Self { log, clusters, others, column, bounds, groups } = self;
        for Cluster { rows: AggregateRows { inputs, filter }, fold, .. } in clusters {
            match (inputs.first(), filter) {
                (None, None) => fold.count(&runs.bounds),
                (input, filter) => {
                    gather(input, filter.as_ref(), runs, column, bounds);
                    match input {
                        Some(_) => fold.fold(column, bounds),
                        None => fold.count(bounds),
                    }
                }
            }
        }
        if others.is_empty() {
            return Ok(());
        }
        groups.clear();
        for (run, bounds) in runs.bounds.windows(2).enumerate() {
            groups.extend(std::iter::repeat_n(run as u32, (bounds[1] - bounds[0]) as usize));
        }
        let count = runs.bounds.len() - 1;
        for (at, outcomes) in others {
            let kernel = &*log.kernels[*at];
            let failures = &mut failures[*at];
            let states = log.records.fold(*at, kernel, &runs.rows, groups, count, failures)?;
            outcomes.push(states.finish()?);
        }
        Ok(())
    }

    fn finish(self, values: &mut [Outcome]) -> Result<(), KernelError> {
        for Cluster { members, fold, .. } in self.clusters {
            for (at, outcome) in members.into_iter().zip(fold.finish()) {
                values[at] = outcome;
            }
        }
        for (at, outcomes) in self.others {
            let mut columns: Vec<ArrayRef> = Vec::new();
            let (mut rows, mut errors) = (0, Vec::new());
            for outcome in outcomes {
                let more = outcome.errors.into_iter();
                errors.extend(more.map(|error| RowError { row: error.row + rows, ..error }));
                values[at].metrics += outcome.metrics;
                rows += outcome.columns[0].len();
                columns.extend(outcome.columns);
            }
            let columns: Vec<&dyn Array> = columns.iter().map(|column| &**column).collect();
            let column = concat(&columns).map_err(|error| KernelError::WrongInput {
                aggregate: "of a window".to_owned(),
                reason: error.to_string(),
            })?;
            (values[at].columns, values[at].errors) = (vec![column], errors);
        }
        Ok(())
    }
}

/// The values of runs that count, and the bounds of these runs among them.
fn gather(
    input: Option<&ArrayRef>,
    filter: Option<&BooleanArray>,
    runs: &Runs,
    column: &mut Vec<f64>,
    bounds: &mut Vec<u32>,
) {
    column.clear();
    bounds.clear();
    let floats = input.map(|input| input.as_primitive::<Float64Type>());
    let nulls = floats.and_then(|floats| floats.nulls()).filter(|nulls| nulls.null_count() > 0);
    let value = |row: u32| floats.map_or(0.0, |floats| floats.values()[row as usize]);
    if nulls.is_none() && filter.is_none() {
        column.extend(runs.rows.iter().map(|row| value(*row)));
        bounds.extend(&runs.bounds);
        return;
    }
    let counts = |row: u32| {
        nulls.is_none_or(|nulls| nulls.is_valid(row as usize))
            && filter.is_none_or(|f| f.is_valid(row as usize) && f.value(row as usize))
    };
    bounds.push(0);
    for run in runs.bounds.windows(2) {
        let rows = &runs.rows[run[0] as usize..run[1] as usize];
        column.extend(rows.iter().filter(|row| counts(**row)).map(|row| value(*row)));
        bounds.push(column.len() as u32);
    }
}
