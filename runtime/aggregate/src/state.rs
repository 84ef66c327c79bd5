//! The state of any aggregate.

use crate::approx_distinct::HyperLogLog;
use crate::count_distinct::DistinctValues;
use crate::first_last::EndState;
use crate::last_n::LastRows;
use crate::min_max::ExtremeState;
use crate::moments::MomentsState;
use crate::most_frequent::Frequencies;
use crate::percentile::Histogram;
use crate::sum::SumState;
use crate::top_k::Greatest;
use crate::value::Value;

/// What an [`Aggregate`](crate::Aggregate) keeps of the rows it has seen. Only
/// the aggregate that made it can do anything with it.
#[derive(Clone, Debug)]
pub struct State(pub(crate) Body);

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Count(u64),
    Sum(SumState),
    Moments(Box<MomentsState>),
    Extreme(ExtremeState),
    Histogram(Histogram),
    HyperLogLog(HyperLogLog),
    Distinct(DistinctValues),
    End(Box<EndState>),
    LastRows(LastRows),
    Greatest(Greatest),
    Frequencies(Frequencies),
}

impl State {
    /// What it has allocated beside itself, about.
    pub fn allocated_bytes(&self) -> usize {
        match &self.0 {
            Body::Count(_) => 0,
            Body::Extreme(extreme) => extreme.value.as_ref().map_or(0, Value::allocated_bytes),
            Body::Sum(sum) => sum.allocated_bytes(),
            Body::Moments(moments) => size_of::<MomentsState>() + moments.allocated_bytes(),
            Body::Histogram(histogram) => histogram.allocated_bytes(),
            Body::HyperLogLog(registers) => registers.allocated_bytes(),
            Body::Distinct(values) => values.allocated_bytes(),
            Body::End(end) => size_of::<EndState>() + end.allocated_bytes(),
            Body::LastRows(rows) => rows.allocated_bytes(),
            Body::Greatest(values) => values.allocated_bytes(),
            Body::Frequencies(counts) => counts.allocated_bytes(),
        }
    }
}
