//! `count`, `sum` and `avg` of integers and floats as differences of exact
//! running sums: of each question and window two are read, whatever the
//! window's size.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanBufferBuilder, Float64Array, Int64Array, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use unskew_aggregate::{Aggregate, AggregateFunction, Overflow, ValueKind, nearest_float};
use unskew_host::{CallMetrics, Outcome, RowError, RowStatus};

use crate::point_in_time::mean::mean;
use crate::point_in_time::trailing::{Context, QuickAnswers};

/// Whether an aggregate is evaluated here.
pub(crate) fn is_sum(aggregate: &Aggregate) -> bool {
    match aggregate.function() {
        AggregateFunction::Count => true,
        AggregateFunction::Sum | AggregateFunction::Avg => {
            !matches!(aggregate.input(), Some(ValueKind::Decimal128 { .. }))
        }
        _ => false,
    }
}

/// What is wanted of one window.
pub(crate) struct SumRequest {
    pub(crate) aggregate: Aggregate,
    pub(crate) window: usize,
}

/// Running sums of one entity's rows: item k is that of the first k. A total t
/// stands for `t * 2^exponent`.
#[derive(Default)]
struct RunningSums {
    totals: Vec<i128>,
    /// Of values that are not null; empty where none is.
    counts: Vec<u32>,
    scale: f64,
}

/// Outcomes are those of the requests, all of which are of the same column.
pub(crate) fn evaluate_sums(context: &Context<'_>, requests: &[SumRequest]) -> QuickAnswers {
    let column = context.inputs.first();
    let needs_totals = requests.iter().any(|r| r.aggregate.function() != AggregateFunction::Count);
    let asked = context.questions.len();
    let mut outputs: Vec<Output> =
        requests.iter().map(|request| Output::new(&request.aggregate, asked)).collect();
    // Requests by window, so that differences are taken once.
    let mut by_window: Vec<(usize, Vec<usize>)> = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        match by_window.iter_mut().find(|(window, _)| *window == request.window) {
            Some((_, of_window)) => of_window.push(at),
            None => by_window.push((request.window, vec![at])),
        }
    }
    let mut is_done = vec![false; context.index.entity_count()];
    let mut places = Vec::with_capacity(asked);
    let mut sums = RunningSums::default();
    for (entity, questions) in context.questions.by_entity(context.index.entity_count()) {
        if !context.index.is_in_order(entity) {
            continue;
        }
        // Rows that no question reaches need no sum.
        let rows = context.index.places(entity);
        let highs = context.ranges.highs(questions.clone());
        let until = highs.last().map_or(rows.start, |high| *high as usize);
        let lows = by_window.iter().map(|(w, _)| context.ranges.low(*w, questions.start) as usize);
        let rows = lows.min().unwrap_or(rows.start).min(until)..until;
        if !sums.build(column, rows.clone(), needs_totals) {
            continue;
        }
        is_done[entity as usize] = true;
        places.extend(questions.start as u32..questions.end as u32);
        for (window, of_window) in &by_window {
            let lows = context.ranges.lows(*window, questions.clone());
            let ranges = lows
                .iter()
                .zip(highs)
                .map(|(low, high)| (*low as usize - rows.start, *high as usize - rows.start));
            for request in of_window {
                outputs[*request].extend(&sums, ranges.clone());
            }
        }
    }
    let outcomes = outputs.into_iter().map(Output::finish).collect();
    QuickAnswers { outcomes, places: Arc::new(places), is_done }
}

impl RunningSums {
    /// Whether the sums of these rows fit in 128 bits.
    fn build(
        &mut self,
        column: Option<&ArrayRef>,
        rows: std::ops::Range<usize>,
        needs_totals: bool,
    ) -> bool {
        self.counts.clear();
        self.totals.clear();
        self.scale = 1.0;
        let Some(column) = column else { return true };
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        let is_valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
        if nulls.is_some() {
            let mut count = 0;
            self.counts.push(0);
            self.counts.extend(rows.clone().map(|row| {
                count += u32::from(is_valid(row));
                count
            }));
        }
        if !needs_totals {
            return true;
        }
        use arrow::datatypes::DataType as Type;
        macro_rules! integers {
            ($arrow:ty) => {{
                let values = &column.as_primitive::<$arrow>().values()[rows.clone()];
                let start = rows.start;
                let item = |(at, value): (usize, &_)| match is_valid(start + at) {
                    true => i128::from(*value),
                    false => 0,
                };
                self.add_up(values.iter().enumerate().map(item));
                true
            }};
        }
        match column.data_type() {
            Type::Int8 => integers!(Int8Type),
            Type::Int16 => integers!(Int16Type),
            Type::Int32 => integers!(Int32Type),
            Type::Int64 => integers!(Int64Type),
            Type::UInt8 => integers!(UInt8Type),
            Type::UInt16 => integers!(UInt16Type),
            Type::UInt32 => integers!(UInt32Type),
            Type::UInt64 => integers!(UInt64Type),
            Type::Float64 => {
                let values = &column.as_primitive::<Float64Type>().values()[rows.clone()];
                if nulls.is_none() {
                    return self.add_up_floats(values);
                }
                let is_valid = rows.map(is_valid);
                let values = values.iter().zip(is_valid).map(|(x, is)| if is { *x } else { 0.0 });
                self.add_up_floats(&values.collect::<Vec<_>>())
            }
            Type::Float32 => {
                let values = &column.as_primitive::<Float32Type>().values()[rows.clone()];
                let values = values.iter().zip(rows.map(is_valid));
                let values = values.map(|(x, is)| if is { f64::from(*x) } else { 0.0 });
                self.add_up_floats(&values.collect::<Vec<_>>())
            }
            _ => false,
        }
    }

    fn add_up(&mut self, values: impl Iterator<Item = i128>) {
        let mut total = 0;
        self.totals.push(0);
        self.totals.extend(values.map(|value| {
            total += value;
            total
        }));
    }

    /// In units of the least exponent's last bit, if that leaves room for all
    /// of them, and nothing can become subnormal or infinite.
    fn add_up_floats(&mut self, values: &[f64]) -> bool {
        const MANTISSA_BITS: u32 = 53;
        // So that neither a mean is subnormal, nor a sum infinite.
        const EXPONENTS: std::ops::RangeInclusive<u32> = 110..=2000;
        let biased = |x: f64| (x.to_bits() >> 52 & 0x7ff) as u32;
        let (mut least, mut greatest) = (u32::MAX, 0);
        for x in values {
            // Zeros count for nothing; subnormal numbers have 0, too, which
            // the bounds refuse.
            least = least.min(if *x == 0.0 { u32::MAX } else { biased(*x) });
            greatest = greatest.max(biased(*x));
        }
        if least == u32::MAX {
            self.add_up(values.iter().map(|_| 0));
            return true;
        }
        let count_bits = usize::BITS - values.len().leading_zeros();
        let fits = EXPONENTS.contains(&least)
            && EXPONENTS.contains(&greatest)
            && greatest - least + MANTISSA_BITS + count_bits <= 126;
        if !fits {
            return false;
        }
        let parts = |x: f64| {
            let bits = x.to_bits();
            let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as i64;
            let sign = (bits as i64) >> 63;
            let mantissa = if x == 0.0 { 0 } else { (mantissa ^ sign) - sign };
            (mantissa, biased(x).wrapping_sub(least) & 127)
        };
        // Where they are near each other, 64 bits hold each of them.
        if greatest - least + MANTISSA_BITS < 64 {
            self.add_up(values.iter().map(|x| {
                let (mantissa, shift) = parts(*x);
                i128::from(mantissa << (shift & 63))
            }));
        } else {
            self.add_up(values.iter().map(|x| {
                let (mantissa, shift) = parts(*x);
                i128::from(mantissa) << shift
            }));
        }
        // The last bit of a float with the biased exponent e is 2^(e - 1075).
        self.scale = f64::from_bits(u64::from(least) << 52) * 2_f64.powi(-52);
        true
    }
}

/// A column of answers in the making. Where there are no values, sums and
/// means are null.
enum Output {
    Count(Vec<i64>),
    FloatSum { values: Vec<f64>, nulls: Vec<usize> },
    Mean { values: Vec<f64>, nulls: Vec<usize> },
    IntSum { values: Vec<i64>, nulls: Vec<usize>, errors: Vec<RowError> },
    UIntSum { values: Vec<u64>, nulls: Vec<usize>, errors: Vec<RowError> },
}

impl Output {
    fn new(aggregate: &Aggregate, rows: usize) -> Self {
        let (floats, nulls, errors) = (Vec::with_capacity, Vec::new(), Vec::new());
        match (aggregate.function(), aggregate.input()) {
            (AggregateFunction::Count, _) => Self::Count(Vec::with_capacity(rows)),
            (AggregateFunction::Avg, _) => Self::Mean { values: floats(rows), nulls },
            (_, Some(ValueKind::Float32 | ValueKind::Float64)) => {
                Self::FloatSum { values: floats(rows), nulls }
            }
            (
                _,
                Some(ValueKind::UInt8 | ValueKind::UInt16 | ValueKind::UInt32 | ValueKind::UInt64),
            ) => Self::UIntSum { values: Vec::with_capacity(rows), nulls, errors },
            _ => Self::IntSum { values: Vec::with_capacity(rows), nulls, errors },
        }
    }

    /// The answers for these ranges of running sums.
    fn extend(&mut self, sums: &RunningSums, ranges: impl Iterator<Item = (usize, usize)> + Clone) {
        let count = |(low, high): (usize, usize)| match sums.counts.is_empty() {
            true => (high - low) as u32,
            false => sums.counts[high] - sums.counts[low],
        };
        let total = |(low, high): (usize, usize)| sums.totals[high] - sums.totals[low];
        let scale = sums.scale;
        let add_nulls = |nulls: &mut Vec<usize>, before: usize| {
            let empty = ranges.clone().enumerate().filter(|(_, range)| count(*range) == 0);
            nulls.extend(empty.map(|(at, _)| before + at));
        };
        match self {
            Self::Count(values) => values.extend(ranges.map(|range| i64::from(count(range)))),
            Self::FloatSum { values, nulls } => {
                add_nulls(nulls, values.len());
                values.extend(ranges.map(|range| nearest_float(total(range)) * scale));
            }
            Self::Mean { values, nulls } => {
                add_nulls(nulls, values.len());
                values.extend(ranges.map(|range| mean(total(range), count(range)) * scale));
            }
            Self::IntSum { values, nulls, errors } => {
                add_nulls(nulls, values.len());
                for range in ranges {
                    let sum = i64::try_from(total(range));
                    if sum.is_err() {
                        errors.push(overflow(values.len(), ValueKind::Int64));
                        nulls.push(values.len());
                    }
                    values.push(sum.unwrap_or(0));
                }
            }
            Self::UIntSum { values, nulls, errors } => {
                add_nulls(nulls, values.len());
                for range in ranges {
                    let sum = u64::try_from(total(range));
                    if sum.is_err() {
                        errors.push(overflow(values.len(), ValueKind::UInt64));
                        nulls.push(values.len());
                    }
                    values.push(sum.unwrap_or(0));
                }
            }
        }
    }

    fn finish(self) -> Outcome {
        let (column, errors): (ArrayRef, Vec<RowError>) = match self {
            Self::Count(values) => (Arc::new(Int64Array::from(values)), Vec::new()),
            Self::FloatSum { values, nulls } | Self::Mean { values, nulls } => {
                let nulls = null_buffer(values.len(), &nulls);
                (Arc::new(Float64Array::new(values.into(), nulls)), Vec::new())
            }
            Self::IntSum { values, nulls, errors } => {
                let nulls = null_buffer(values.len(), &nulls);
                (Arc::new(Int64Array::new(values.into(), nulls)), errors)
            }
            Self::UIntSum { values, nulls, errors } => {
                let nulls = null_buffer(values.len(), &nulls);
                (Arc::new(UInt64Array::new(values.into(), nulls)), errors)
            }
        };
        Outcome { columns: vec![column], errors, metrics: CallMetrics::default() }
    }
}

/// None where none of so many rows is null.
fn null_buffer(rows: usize, nulls: &[usize]) -> Option<NullBuffer> {
    (!nulls.is_empty()).then(|| {
        let mut valid = BooleanBufferBuilder::new(rows);
        valid.append_n(rows, true);
        nulls.iter().for_each(|row| valid.set_bit(*row, false));
        NullBuffer::new(valid.finish())
    })
}

fn overflow(row: usize, kind: ValueKind) -> RowError {
    RowError { row, status: RowStatus::Failed, message: Overflow { kind }.to_string() }
}
