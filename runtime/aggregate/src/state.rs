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
