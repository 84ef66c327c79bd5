use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use unskew_host::Outcome;

use crate::aggregate_kernel::{AggregateKernel, KernelError};
use crate::fold_failures::FoldFailures;
use crate::point_in_time::event_index::EventIndex;
use crate::point_in_time::extremes::evaluate_extremes;
use crate::point_in_time::latest::latest_places_of;
use crate::point_in_time::questions::{Part, Questions};
use crate::point_in_time::running::evaluate_running;
use crate::point_in_time::sums::{SumRequest, evaluate_sums, is_sum};
use crate::point_in_time::trees::Trees;
use crate::trailing_window::TrailingWindow;

/// One aggregate of a trailing view.
#[derive(Clone)]
pub struct TrailingAggregate<'a> {
    /// What folds.
    pub kernel: &'a dyn AggregateKernel,
    /// Its columns, by row. Aggregates of the same columns share work if these
    /// are clones of each other.
    pub inputs: Vec<ArrayRef>,
    /// Its `where`, by row: rows where it is not true do not count.
    pub filter: Option<BooleanArray>,
    /// How far back.
    pub window: TrailingWindow,
}

/// What trailing windows answer, in the order of the questions.
#[derive(Clone, Debug)]
pub struct TrailingAnswers {
    /// The time of the newest visible row in the longest window (the one whose
    /// tail begins earliest), in microseconds; none where there is no such row,
    /// so that the whole view is NOT_FOUND.
    pub newest: Vec<Option<i64>>,
    /// The column of each aggregate. Where nothing is found, its value of
    /// nothing.
    pub values: Vec<Outcome>,
    /// Of each aggregate the rows that failed in it, of those that were folded
    /// for these questions.
    pub failures: Vec<FoldFailures>,
}

/// Answers all questions for all aggregates of a view.
pub fn evaluate_trailing(
    index: &EventIndex,
    questions: &Questions,
    aggregates: &[TrailingAggregate<'_>],
) -> Result<TrailingAnswers, KernelError> {
    let all_windows = distinct(aggregates.iter().map(|aggregate| aggregate.window));
    let all_ranges = Ranges::new(index, questions, &all_windows);
    let newest = newest_in_longest(index, questions, &all_windows, &all_ranges);
    let mut values: Vec<Option<Outcome>> = vec![None; aggregates.len()];
    let mut failures = vec![FoldFailures::default(); aggregates.len()];
    for same_rows in
        grouped(aggregates, |a, b| is_same_filter(a.filter.as_ref(), b.filter.as_ref()))
    {
        let filtered = aggregates[same_rows[0]].filter.as_ref().map(|f| index.filtered(f));
        let (windows, ranges);
        let (index, windows, ranges) = match &filtered {
            None => (index, &all_windows, &all_ranges),
            Some(filtered) => {
                windows = distinct(same_rows.iter().map(|at| aggregates[*at].window));
                ranges = Ranges::new(filtered, questions, &windows);
                (filtered, &windows, &ranges)
            }
        };
        let of = |at: usize| &aggregates[at];
        let members = |at: &usize| of(*at).clone();
        let same: Vec<TrailingAggregate<'_>> = same_rows.iter().map(members).collect();
        for cluster in grouped(&same, is_same_column) {
            let inputs = of(same_rows[cluster[0]]).inputs.iter();
            let inputs = inputs.map(|input| index.sorted(input)).collect::<Result<Vec<_>, _>>()?;
            let context = Context { index, questions, ranges, inputs: &inputs };
            let cluster: Vec<(usize, usize)> = cluster
                .iter()
                .map(|at| {
                    let window = windows.iter().position(|window| *window == same[*at].window);
                    (same_rows[*at], window.expect("all windows are listed"))
                })
                .collect();
            context.evaluate(&cluster, aggregates, &mut values, &mut failures)?;
        }
    }
    let values = values.into_iter().map(|value| value.expect("each is in one cluster")).collect();
    Ok(TrailingAnswers { newest, values, failures })
}

fn distinct(windows: impl Iterator<Item = TrailingWindow>) -> Vec<TrailingWindow> {
    let mut distinct = Vec::new();
    for window in windows {
        if !distinct.contains(&window) {
            distinct.push(window);
        }
    }
    distinct
}

/// Indices of items, those together that are the same.
fn grouped<T>(items: &[T], is_same: impl Fn(&T, &T) -> bool) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match groups.iter_mut().find(|group| is_same(&items[group[0]], item)) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

fn is_same_filter(a: Option<&BooleanArray>, b: Option<&BooleanArray>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.to_data().ptr_eq(&b.to_data()),
        _ => false,
    }
}

fn is_same_column(a: &TrailingAggregate<'_>, b: &TrailingAggregate<'_>) -> bool {
    a.inputs.len() == b.inputs.len()
        && a.inputs.iter().zip(&b.inputs).all(|(a, b)| a.to_data().ptr_eq(&b.to_data()))
}

/// Whether one evaluation does for both.
fn is_same_kernel(a: &dyn AggregateKernel, b: &dyn AggregateKernel) -> bool {
    match (a.as_built_in(), b.as_built_in()) {
        (Some(a), Some(b)) => a.aggregate() == b.aggregate(),
        _ => std::ptr::addr_eq(a, b),
    }
}

/// The answers to the questions at `places`, for each window, and the entities
/// of which they are.
pub(crate) struct QuickAnswers {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) places: Arc<Vec<u32>>,
    pub(crate) is_done: Vec<bool>,
}

/// Aggregates of the same columns and rows.
pub(crate) struct Context<'a> {
    pub(crate) index: &'a EventIndex,
    pub(crate) questions: &'a Questions,
    pub(crate) ranges: &'a Ranges,
    /// By place.
    pub(crate) inputs: &'a [ArrayRef],
}

impl Context<'_> {
    /// `cluster` lists aggregates, each with its window.
    fn evaluate(
        &self,
        cluster: &[(usize, usize)],
        aggregates: &[TrailingAggregate<'_>],
        values: &mut [Option<Outcome>],
        failures: &mut [FoldFailures],
    ) -> Result<(), KernelError> {
        let kernel = |at: usize| aggregates[at].kernel;
        for built_in in cluster.iter().filter_map(|(at, _)| kernel(*at).as_built_in()) {
            if let Some(column) = self.inputs.first() {
                built_in.check(self.inputs, column.len())?;
            }
        }
        let mut parts: Vec<Vec<Part>> = vec![Vec::new(); cluster.len()];
        let sum_of = |at: usize| {
            let (aggregate, window) = cluster[at];
            let aggregate = *kernel(aggregate).as_built_in()?.aggregate();
            is_sum(&aggregate).then_some(SumRequest { aggregate, window })
        };
        let sums: Vec<usize> = (0..cluster.len()).filter(|at| sum_of(*at).is_some()).collect();
        let requests: Vec<SumRequest> = sums.iter().filter_map(|at| sum_of(*at)).collect();
        let answers = evaluate_sums(self, &requests);
        for (at, outcome) in sums.iter().zip(answers.outcomes) {
            parts[*at].push((outcome, Arc::clone(&answers.places)));
        }
        let sums_done = answers.is_done;
        for same in grouped(cluster, |a, b| is_same_kernel(kernel(a.0), kernel(b.0))) {
            let first = kernel(cluster[same[0]].0);
            let windows: Vec<usize> = same.iter().map(|at| cluster[*at].1).collect();
            let built_in = first.as_built_in().filter(|_| !sums.contains(&same[0]));
            let quick = match built_in {
                Some(built_in) if built_in.subtracts() => {
                    Some(evaluate_running(self, built_in.aggregate(), &windows))
                }
                Some(built_in) => evaluate_extremes(self, built_in.aggregate(), &windows)?,
                None => None,
            };
            let is_done = match quick {
                Some(answers) => {
                    for (at, outcome) in same.iter().zip(answers.outcomes) {
                        parts[*at].push((outcome, Arc::clone(&answers.places)));
                    }
                    answers.is_done
                }
                None if sums.contains(&same[0]) => sums_done.clone(),
                None => vec![false; self.index.entity_count()],
            };
            let mut more: Vec<Vec<Part>> = vec![Vec::new(); windows.len()];
            let trees = Trees {
                kernel: first,
                index: self.index,
                inputs: self.inputs,
                questions: self.questions,
                ranges: self.ranges,
                windows: &windows,
            };
            let count = self.index.entity_count();
            let left =
                self.questions.by_entity(count).filter(|(entity, _)| !is_done[*entity as usize]);
            // One evaluation does for all of them, and so does one report.
            let failures = &mut failures[cluster[same[0]].0];
            trees.evaluate(left, &mut more, failures)?;
            self.answer_strangers(first, &mut more)?;
            let data_type = first.output().data_type.to_arrow();
            for (at, more) in same.iter().zip(more) {
                let mut parts = std::mem::take(&mut parts[*at]);
                parts.extend(more);
                values[cluster[*at].0] = Some(self.questions.outcome(parts, &data_type)?);
            }
        }
        Ok(())
    }

    /// Questions about entities that have no number get the value of nothing.
    fn answer_strangers(
        &self,
        kernel: &dyn AggregateKernel,
        parts: &mut [Vec<Part>],
    ) -> Result<(), KernelError> {
        let count = self.index.entity_count();
        let strangers: Vec<u32> = self
            .questions
            .entities()
            .iter()
            .zip(0..)
            .filter(|(entity, _)| **entity as usize >= count)
            .map(|(_, question)| question)
            .collect();
        if strangers.is_empty() {
            return Ok(());
        }
        let strangers = Arc::new(strangers);
        let none: Vec<ArrayRef> = self.inputs.iter().map(|input| input.slice(0, 0)).collect();
        let empty = kernel.partial(&none, &crate::row_order::RowOrder::empty(), &[], 1)?;
        let outcome = empty.take(&vec![0; strangers.len()]).finish()?;
        for parts in parts {
            parts.push((outcome.clone(), Arc::clone(&strangers)));
        }
        Ok(())
    }
}

/// The places that each window has at each question, in the sorted order.
pub(crate) struct Ranges {
    lows: Vec<Vec<u32>>,
    highs: Vec<u32>,
}

impl Ranges {
    /// Of an entity whose rows become visible in their order, the rows in a
    /// range are those that count; of others, those among them that are
    /// visible.
    pub(crate) fn new(
        index: &EventIndex,
        questions: &Questions,
        windows: &[TrailingWindow],
    ) -> Self {
        let mut lows = vec![vec![0; questions.len()]; windows.len()];
        let mut highs = vec![0; questions.len()];
        for (entity, asked) in questions.by_entity(index.entity_count()) {
            let places = index.places(entity);
            let times = &questions.times()[asked.clone()];
            let seen = match index.is_in_order(entity) {
                true => index.visible(),
                false => index.events(),
            };
            let highs = &mut highs[asked.clone()];
            let seen = &seen[places.clone()];
            walk(seen, times.iter().copied().zip(&mut *highs), |seen, time| seen <= time);
            highs.iter_mut().for_each(|high| *high += places.start as u32);
            let events = &index.events()[places.clone()];
            for (window, lows) in windows.iter().zip(&mut lows) {
                let lows = &mut lows[asked.clone()];
                let tails = Tails::new(*window);
                walk(
                    events,
                    times.iter().map(|at| tails.tail(*at)).zip(&mut *lows),
                    |event, at| event < at,
                );
                // A row may be seen only when its window has gone by.
                for (low, high) in lows.iter_mut().zip(&*highs) {
                    *low = (*low + places.start as u32).min(*high);
                }
            }
        }
        Self { lows, highs }
    }

    pub(crate) fn low(&self, window: usize, question: usize) -> u32 {
        self.lows[window][question]
    }

    pub(crate) fn high(&self, question: usize) -> u32 {
        self.highs[question]
    }

    pub(crate) fn lows(&self, window: usize, questions: Range<usize>) -> &[u32] {
        &self.lows[window][questions]
    }

    pub(crate) fn highs(&self, questions: Range<usize>) -> &[u32] {
        &self.highs[questions]
    }
}

/// [`TrailingWindow::tail`] for many times, by a multiplication where a
/// division is that much slower.
struct Tails {
    window: TrailingWindow,
    hops_per_us: f64,
}

impl Tails {
    fn new(window: TrailingWindow) -> Self {
        Self { window, hops_per_us: 1.0 / window.hop_us as f64 }
    }

    #[inline]
    fn tail(&self, time: i64) -> i64 {
        /// Floats hold these, and quotients of them up to the last hop.
        const EXACT: u64 = 1 << 52;
        let TrailingWindow { size_us, hop_us } = self.window;
        let from = time.saturating_sub(size_us);
        if from.unsigned_abs() >= EXACT {
            return self.window.tail(time);
        }
        let tail = (from as f64 * self.hops_per_us) as i64 * hop_us;
        // The hop before or after, where the quotient was rounded.
        if tail > from {
            tail - hop_us
        } else if from - tail >= hop_us {
            tail + hop_us
        } else {
            tail
        }
    }
}

/// For each of ascending times, how many of ascending values pass it.
fn walk<'a>(
    values: &[i64],
    times: impl Iterator<Item = (i64, &'a mut u32)>,
    passes: impl Fn(i64, i64) -> bool,
) {
    /// So many values are passed at a time, so many times, before the steps
    /// grow: few questions about many rows are to be cheap, too.
    const STEP: usize = 4;
    const STEPS: usize = 8;
    let mut place = 0;
    for (time, found) in times {
        let mut steps = 0;
        while steps < STEPS && values.get(place + STEP - 1).is_some_and(|last| passes(*last, time))
        {
            place += STEP;
            steps += 1;
        }
        if steps < STEPS {
            while values.get(place).is_some_and(|value| passes(*value, time)) {
                place += 1;
            }
        } else if place < values.len() {
            let rest = &values[place..];
            let mut step = 1;
            while step < rest.len() && passes(rest[step], time) {
                step *= 2;
            }
            let within = &rest[..rest.len().min(step + 1)];
            place += within.partition_point(|value| passes(*value, time));
        }
        *found = place as u32;
    }
}

fn newest_in_longest(
    index: &EventIndex,
    questions: &Questions,
    windows: &[TrailingWindow],
    ranges: &Ranges,
) -> Vec<Option<i64>> {
    // Of rows that become visible in their order the last within reach.
    let mut newest = vec![None; questions.len()];
    for (entity, asked) in questions.by_entity(index.entity_count()) {
        if index.is_in_order(entity) {
            for question in asked {
                let high = ranges.high(question);
                if (0..windows.len()).any(|window| ranges.low(window, question) < high) {
                    newest[question] = Some(index.events()[high as usize - 1]);
                }
            }
        }
    }
    let latest = latest_places_of(index, questions, |entity| !index.is_in_order(entity));
    for (question, place) in latest {
        let time = questions.times()[question];
        let tail = windows.iter().map(|window| window.tail(time)).min();
        let event = index.events()[place as usize];
        newest[question] = tail.is_some_and(|tail| event >= tail).then_some(event);
    }
    questions.unsorted(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_window() {
        let mut seed = 3_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed ^ seed >> 31) as i64
        };
        for (size_us, hop_us) in
            [(1, 1), (7, 3), (3_600_000_000, 300_000_000), (i64::MAX, 1), (1 << 53, (1 << 53) - 1)]
        {
            let window = TrailingWindow { size_us, hop_us };
            let tails = Tails::new(window);
            for time in [0, -1, 1, i64::MIN, i64::MAX, 1 << 52, -(1 << 52)] {
                assert_eq!(tails.tail(time), window.tail(time), "{window:?} at {time}");
            }
            for _ in 0..20_000 {
                let time = random() >> (random() & 63);
                let near = (time / hop_us).saturating_mul(hop_us).saturating_add(random() & 1);
                for time in [time, near, near.saturating_add(size_us)] {
                    assert_eq!(tails.tail(time), window.tail(time), "{window:?} at {time}");
                }
            }
        }
    }
}
