//! `count`, `sum` and `avg` of integers and floats as differences of exact
//! running sums: of each question and window two are read, whatever the
//! window's size.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayBuilder, ArrayRef, Float64Builder, Int64Builder, UInt64Builder};
use arrow::datatypes::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use unskew_aggregate::{Aggregate, AggregateFunction, Overflow, ValueKind};
use unskew_host::{CallMetrics, Outcome, RowError, RowStatus};

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
            for (low, high) in lows.iter().zip(highs) {
                let (low, high) = (*low as usize - rows.start, *high as usize - rows.start);
                let count = match sums.counts.is_empty() {
                    true => (high - low) as u32,
                    false => sums.counts[high] - sums.counts[low],
                };
                let total = match needs_totals {
                    true => sums.totals[high] - sums.totals[low],
                    false => 0,
                };
                for request in of_window {
                    outputs[*request].push(total, count, sums.scale);
                }
            }
        }
    }
    let outcomes = outputs.into_iter().map(Output::finish).collect();
    QuickAnswers { outcomes, places, is_done }
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
                let start = rows.start;
                let value = |at: usize| if is_valid(start + at) { values[at] } else { 0.0 };
                self.add_up_floats(rows.len(), value)
            }
            Type::Float32 => {
                let values = &column.as_primitive::<Float32Type>().values()[rows.clone()];
                let start = rows.start;
                let value =
                    |at: usize| if is_valid(start + at) { f64::from(values[at]) } else { 0.0 };
                self.add_up_floats(rows.len(), value)
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
    fn add_up_floats(&mut self, count: usize, value: impl Fn(usize) -> f64) -> bool {
        const MANTISSA_BITS: u32 = 53;
        // So that neither a mean is subnormal, nor a sum infinite.
        const EXPONENTS: std::ops::RangeInclusive<u32> = 110..=2000;
        let biased = |x: f64| (x.to_bits() >> 52 & 0x7ff) as u32;
        let (mut least, mut greatest) = (u32::MAX, 0);
        for at in 0..count {
            let x = value(at);
            if x != 0.0 {
                least = least.min(biased(x));
                greatest = greatest.max(biased(x));
            }
        }
        // Subnormal numbers have the exponent 0, too, so this asks the other bound.
        if least == u32::MAX {
            self.add_up((0..count).map(|_| 0));
            return true;
        }
        let count_bits = usize::BITS - count.leading_zeros();
        let fits = EXPONENTS.contains(&least)
            && EXPONENTS.contains(&greatest)
            && greatest - least + MANTISSA_BITS + count_bits <= 126;
        if !fits {
            return false;
        }
        self.add_up((0..count).map(|at| {
            let x = value(at);
            if x == 0.0 {
                return 0;
            }
            let bits = x.to_bits();
            let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as i64;
            let sign = (bits as i64) >> 63;
            i128::from((mantissa ^ sign) - sign) << (biased(x) - least)
        }));
        // The last bit of a float with the biased exponent e is 2^(e - 1075).
        self.scale = f64::from_bits(u64::from(least) << 52) * 2_f64.powi(-52);
        true
    }
}

/// `total / count`, rounded once (to nearest, ties to even).
fn mean(total: i128, count: u32) -> f64 {
    const EXACT: u128 = 1 << 53;
    let magnitude = total.unsigned_abs();
    let mean = if magnitude <= EXACT {
        magnitude as f64 / f64::from(count)
    } else {
        // A quotient of 55 bits or more, whose last bit also says whether
        // anything is below it, rounds as the exact one does.
        let divisor = u128::from(count);
        let shift = if magnitude >> 88 == 0 { 38 } else { 0 };
        let shifted = magnitude << shift;
        let quotient = shifted / divisor;
        let sticky = u128::from(quotient * divisor != shifted);
        (quotient | sticky) as f64 * f64::from_bits((1023 - shift) << 52)
    };
    if total < 0 { -mean } else { mean }
}

/// A column of answers in the making.
enum Output {
    Count(Int64Builder),
    FloatSum(Float64Builder),
    Mean(Float64Builder),
    IntSum { values: Int64Builder, errors: Vec<RowError> },
    UIntSum { values: UInt64Builder, errors: Vec<RowError> },
}

impl Output {
    fn new(aggregate: &Aggregate, rows: usize) -> Self {
        match (aggregate.function(), aggregate.input()) {
            (AggregateFunction::Count, _) => Self::Count(Int64Builder::with_capacity(rows)),
            (AggregateFunction::Avg, _) => Self::Mean(Float64Builder::with_capacity(rows)),
            (_, Some(ValueKind::Float32 | ValueKind::Float64)) => {
                Self::FloatSum(Float64Builder::with_capacity(rows))
            }
            (
                _,
                Some(ValueKind::UInt8 | ValueKind::UInt16 | ValueKind::UInt32 | ValueKind::UInt64),
            ) => {
                let values = UInt64Builder::with_capacity(rows);
                Self::UIntSum { values, errors: Vec::new() }
            }
            _ => Self::IntSum { values: Int64Builder::with_capacity(rows), errors: Vec::new() },
        }
    }

    #[inline]
    fn push(&mut self, total: i128, count: u32, scale: f64) {
        match self {
            Self::Count(values) => values.append_value(count.into()),
            Self::FloatSum(values) if count == 0 => values.append_null(),
            Self::Mean(values) if count == 0 => values.append_null(),
            Self::IntSum { values, .. } if count == 0 => values.append_null(),
            Self::UIntSum { values, .. } if count == 0 => values.append_null(),
            Self::FloatSum(values) => values.append_value(total as f64 * scale),
            Self::Mean(values) => values.append_value(mean(total, count) * scale),
            Self::IntSum { values, errors } => match i64::try_from(total) {
                Ok(total) => values.append_value(total),
                Err(_) => {
                    errors.push(overflow(values.len(), ValueKind::Int64));
                    values.append_null();
                }
            },
            Self::UIntSum { values, errors } => match u64::try_from(total) {
                Ok(total) => values.append_value(total),
                Err(_) => {
                    errors.push(overflow(values.len(), ValueKind::UInt64));
                    values.append_null();
                }
            },
        }
    }

    fn finish(self) -> Outcome {
        let (column, errors): (ArrayRef, Vec<RowError>) = match self {
            Self::Count(mut values) => (Arc::new(values.finish()), Vec::new()),
            Self::FloatSum(mut values) | Self::Mean(mut values) => {
                (Arc::new(values.finish()), Vec::new())
            }
            Self::IntSum { mut values, errors } => (Arc::new(values.finish()), errors),
            Self::UIntSum { mut values, errors } => (Arc::new(values.finish()), errors),
        };
        Outcome { columns: vec![column], errors, metrics: CallMetrics::default() }
    }
}

fn overflow(row: usize, kind: ValueKind) -> RowError {
    RowError { row, status: RowStatus::Failed, message: Overflow { kind }.to_string() }
}

#[cfg(test)]
mod tests {
    use super::mean;

    #[test]
    fn means_are_rounded_once() {
        // 2^53 + 1 halves: 2^52 + 1/2, a tie that goes to the even one.
        assert_eq!(mean((1 << 53) + 1, 2), (1_u64 << 52) as f64);
        assert_eq!(mean(-((1 << 53) + 3), 2), -(((1_u64 << 52) + 2) as f64));
        assert_eq!(mean(1, 3), 1.0 / 3.0);
        assert_eq!(mean(i128::MAX, 1), 2_f64.powi(127));
        assert_eq!(mean(i128::MIN, u32::MAX), -(2_f64.powi(127) / f64::from(u32::MAX)));
        assert_eq!(mean(0, 7).to_bits(), 0);
        // Just above a tie, by less than a double-rounded quotient would show.
        let tie = ((1_i128 << 54) + 2) << 40;
        assert_eq!(mean(tie * 3, 3), (tie as f64));
        assert_eq!(mean(tie * 3 + 1, 3), ((1_i128 << 54) + 4) as f64 * 2_f64.powi(40));
    }
}
