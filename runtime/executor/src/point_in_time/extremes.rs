//! `min`, `max`, `first` and `last`: each is the value of one of the rows, that
//! with the greatest key. Rows are looked at in blocks. Of the blocks up to a
//! question only those can be asked for that no later block beats; they stand
//! on a stack with falling keys, and the first of them that is within a window
//! is its answer, for windows of all sizes, but for the rows of the blocks at
//! its ends.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{
    DataType as Type, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use unskew_aggregate::{Aggregate, AggregateFunction};
use unskew_host::{CallMetrics, Outcome};

use crate::aggregate_kernel::KernelError;
use crate::point_in_time::trailing::{Context, QuickAnswers};

/// None where the aggregate is not of this kind.
pub(crate) fn evaluate_extremes(
    context: &Context<'_>,
    aggregate: &Aggregate,
    windows: &[usize],
) -> Result<Option<QuickAnswers>, KernelError> {
    let Some(column) = context.inputs.first() else { return Ok(None) };
    use AggregateFunction::{First, Last, Max, Min};
    macro_rules! by_value {
        ($arrow:ty, $key:expr) => {{
            let values = column.as_primitive::<$arrow>().values();
            if aggregate.function() == Max {
                evaluate(context, column, windows, |place| $key(values[place]))
            } else {
                evaluate(context, column, windows, |place| !$key(values[place]))
            }
        }};
    }
    let answers = match (aggregate.function(), column.data_type()) {
        (Last, _) => evaluate(context, column, windows, |place| place as i64),
        (First, _) => evaluate(context, column, windows, |place| !(place as i64)),
        (Min | Max, Type::Int8) => by_value!(Int8Type, i64::from),
        (Min | Max, Type::Int16) => by_value!(Int16Type, i64::from),
        (Min | Max, Type::Int32) => by_value!(Int32Type, i64::from),
        (Min | Max, Type::Int64) => by_value!(Int64Type, i64::from),
        (Min | Max, Type::UInt8) => by_value!(UInt8Type, i64::from),
        (Min | Max, Type::UInt16) => by_value!(UInt16Type, i64::from),
        (Min | Max, Type::UInt32) => by_value!(UInt32Type, i64::from),
        (Min | Max, Type::UInt64) => by_value!(UInt64Type, |x: u64| (x ^ 1 << 63) as i64),
        (Min | Max, Type::Date32) => by_value!(Date32Type, i64::from),
        (Min | Max, Type::Timestamp(..)) => by_value!(TimestampMicrosecondType, i64::from),
        (Min | Max, Type::Float32) => by_value!(Float32Type, |x: f32| float_key(x.into())),
        (Min | Max, Type::Float64) => by_value!(Float64Type, float_key),
        _ => return Ok(None),
    };
    answers.map(Some)
}

/// Ascends as floats do: -inf < ... < -0 < +0 < ... < inf < NaN, of which there
/// is one.
fn float_key(x: f64) -> i64 {
    if x.is_nan() {
        return i64::MAX;
    }
    let bits = x.to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// So many rows make a block, of which only the best stands on the stack.
const BLOCK: usize = 8;

/// The best of some rows: its key and its place.
type Best = (i64, u32);

const NONE: Best = (i64::MIN, NOTHING);

fn better(a: Best, b: Best) -> Best {
    if b.1 != NOTHING && (a.1 == NOTHING || b.0 >= a.0) { b } else { a }
}

/// The best of each block up to a question that no later block beats.
#[derive(Default)]
struct Candidates {
    /// The place at which the first block begins.
    start: usize,
    /// Blocks with falling keys.
    stack: Vec<(u32, Best)>,
    blocks: usize,
    /// So many of the stack stood there at the question before.
    staying: usize,
}

impl Candidates {
    fn reset(&mut self, start: usize) {
        (self.start, self.blocks, self.staying) = (start, 0, 0);
        self.stack.clear();
    }

    /// Takes in all blocks that end up to this place, and gives the place at
    /// which the next begins.
    #[inline]
    fn take_up_to(
        &mut self,
        high: usize,
        best_of: impl Fn(std::ops::Range<usize>) -> Best,
    ) -> usize {
        let blocks = (high - self.start) / BLOCK;
        self.staying = self.stack.len();
        for block in self.blocks..blocks {
            let from = self.start + block * BLOCK;
            let best = best_of(from..from + BLOCK);
            if best.1 != NOTHING {
                while self.stack.last().is_some_and(|(_, last)| last.0 <= best.0) {
                    self.stack.pop();
                }
                self.staying = self.staying.min(self.stack.len());
                self.stack.push((block as u32, best));
            }
        }
        self.blocks = self.blocks.max(blocks);
        self.start + self.blocks * BLOCK
    }

    /// The best of the blocks from this one on. `first` is where on the stack
    /// the answer to the window's question before stood: since windows never
    /// begin earlier, this one's is none before it.
    #[inline]
    fn best_from(&self, block: u32, first: &mut usize) -> Best {
        let mut at = *first;
        while self.stack.get(at).is_some_and(|(found, _)| *found < block) {
            at += 1;
        }
        *first = at;
        self.stack.get(at).map_or(NONE, |(_, best)| *best)
    }
}

fn evaluate(
    context: &Context<'_>,
    column: &ArrayRef,
    windows: &[usize],
    key: impl Fn(usize) -> i64,
) -> Result<QuickAnswers, KernelError> {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    let best_of = |places: std::ops::Range<usize>| {
        let mut best = NONE;
        for place in places {
            let key = key(place);
            if key >= best.0 && nulls.is_none_or(|nulls| nulls.is_valid(place)) {
                best = (key, place as u32);
            }
        }
        best
    };
    let asked = context.questions.len();
    let mut found: Vec<Vec<u32>> = windows.iter().map(|_| Vec::with_capacity(asked)).collect();
    let mut is_done = vec![false; context.index.entity_count()];
    let mut places = Vec::with_capacity(asked);
    let mut candidates = Candidates::default();
    let mut firsts = vec![0; windows.len()];
    for (entity, questions) in context.questions.by_entity(context.index.entity_count()) {
        if !context.index.is_in_order(entity) {
            continue;
        }
        is_done[entity as usize] = true;
        places.extend(questions.start as u32..questions.end as u32);
        // Rows before all windows of the first question are in none.
        let lows = windows.iter().map(|window| context.ranges.low(*window, questions.start));
        candidates.reset(lows.min().unwrap_or(0) as usize);
        firsts.fill(0);
        for question in questions {
            let high = context.ranges.high(question) as usize;
            let rest = candidates.take_up_to(high, best_of);
            let mut best_of_rest = None;
            for ((window, first), found) in windows.iter().zip(&mut firsts).zip(&mut found) {
                let low = context.ranges.low(*window, question) as usize;
                *first = candidates.staying.min(*first);
                if high - low <= 2 * BLOCK {
                    found.push(best_of(low..high).1);
                    continue;
                }
                let block = (low - candidates.start).div_ceil(BLOCK);
                let mut best = best_of(low..candidates.start + block * BLOCK);
                best = better(best, candidates.best_from(block as u32, first));
                let rest = *best_of_rest.get_or_insert_with(|| best_of(rest..high));
                found.push(better(best, rest).1);
            }
        }
    }
    let outcomes = found.into_iter().map(|found| picked(column, found));
    let outcomes = outcomes.collect::<Result<_, _>>()?;
    Ok(QuickAnswers { outcomes, places: Arc::new(places), is_done })
}

const NOTHING: u32 = u32::MAX;

/// The values at these places.
fn picked(column: &ArrayRef, places: Vec<u32>) -> Result<Outcome, KernelError> {
    let nulls = places.contains(&NOTHING);
    let nulls = nulls.then(|| places.iter().map(|place| *place != NOTHING).collect());
    let places = match nulls {
        None => places,
        Some(_) => places.into_iter().map(|at| if at == NOTHING { 0 } else { at }).collect(),
    };
    let places = UInt32Array::new(places.into(), nulls);
    let picked = take(column, &places, None).map_err(|error| KernelError::WrongInput {
        aggregate: "of a trailing window".to_owned(),
        reason: error.to_string(),
    })?;
    let column: ArrayRef = match picked.data_type() {
        Type::Float64 => {
            let one_nan = |x: f64| if x.is_nan() { f64::NAN } else { x };
            Arc::new(picked.as_primitive::<Float64Type>().unary::<_, Float64Type>(one_nan))
        }
        Type::Float32 => {
            let one_nan = |x: f32| if x.is_nan() { f32::NAN } else { x };
            Arc::new(picked.as_primitive::<Float32Type>().unary::<_, Float32Type>(one_nan))
        }
        _ => picked,
    };
    Ok(Outcome { columns: vec![column], errors: Vec::new(), metrics: CallMetrics::default() })
}
