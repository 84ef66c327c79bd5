//! The aggregates by name and parameters.

use std::fmt;
use std::num::NonZeroU16;

use crate::quantile::Quantile;

/// `last_n`, `top_k` and `most_frequent` list at most so many values.
pub const MAX_LIST_ITEMS: u16 = 1024;

/// How many values a list is to have: from 1 to [`MAX_LIST_ITEMS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListSize(NonZeroU16);

impl ListSize {
    /// None unless from 1 to [`MAX_LIST_ITEMS`].
    pub fn new(size: u64) -> Option<Self> {
        let size = u16::try_from(size).ok().filter(|size| *size <= MAX_LIST_ITEMS)?;
        NonZeroU16::new(size).map(Self)
    }

    /// The number.
    pub fn get(self) -> usize {
        self.0.get().into()
    }
}

/// A built-in aggregate, before it is known what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// The number of rows, or of values where it has an input.
    Count,
    /// The sum of numbers.
    Sum,
    /// The mean of numbers.
    Avg,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The variance of a sample: the divisor is one less than the count.
    Variance,
    /// The variance of a population.
    VariancePop,
    /// The root of the variance of a sample.
    Stddev,
    /// The root of the variance of a population.
    StddevPop,
    /// The value of rank `ceil(q * n)`, within 1 %.
    Percentile {
        /// Which: 0.95 of the values are not above the 95th percentile.
        q: Quantile,
    },
    /// About how many different values there are.
    ApproxDistinct,
    /// How many different values there are.
    CountDistinct,
    /// The value of the first row.
    First,
    /// The value of the last row.
    Last,
    /// The values of the last rows, oldest first.
    LastN {
        /// How many.
        n: ListSize,
    },
    /// The greatest values, greatest first, duplicates kept.
    TopK {
        /// How many.
        k: ListSize,
    },
    /// The values that come most often, most frequent first, then ascending.
    MostFrequent {
        /// How many.
        k: ListSize,
    },
}

/// The names, in the order of the ids, which begin with 1 and never change:
/// states are stored with them.
const NAMES: [&str; 17] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "variance",
    "variance_pop",
    "stddev",
    "stddev_pop",
    "percentile",
    "approx_distinct",
    "count_distinct",
    "first",
    "last",
    "last_n",
    "top_k",
    "most_frequent",
];

impl AggregateFunction {
    /// All names, in the order of their ids.
    pub const fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// The function of this name that takes no parameter.
    pub fn from_name(name: &str) -> Option<Self> {
        const PLAIN: [AggregateFunction; 13] = [
            AggregateFunction::Count,
            AggregateFunction::Sum,
            AggregateFunction::Avg,
            AggregateFunction::Min,
            AggregateFunction::Max,
            AggregateFunction::Variance,
            AggregateFunction::VariancePop,
            AggregateFunction::Stddev,
            AggregateFunction::StddevPop,
            AggregateFunction::ApproxDistinct,
            AggregateFunction::CountDistinct,
            AggregateFunction::First,
            AggregateFunction::Last,
        ];
        PLAIN.into_iter().find(|function| function.name() == name)
    }

    /// Its name in definitions.
    pub fn name(&self) -> &'static str {
        NAMES[usize::from(self.id()) - 1]
    }

    /// The first byte of its states.
    pub fn id(&self) -> u8 {
        match self {
            Self::Count => 1,
            Self::Sum => 2,
            Self::Avg => 3,
            Self::Min => 4,
            Self::Max => 5,
            Self::Variance => 6,
            Self::VariancePop => 7,
            Self::Stddev => 8,
            Self::StddevPop => 9,
            Self::Percentile { .. } => 10,
            Self::ApproxDistinct => 11,
            Self::CountDistinct => 12,
            Self::First => 13,
            Self::Last => 14,
            Self::LastN { .. } => 15,
            Self::TopK { .. } => 16,
            Self::MostFrequent { .. } => 17,
        }
    }

    /// Whether merging can be undone: `subtract(merge(a, b), b)` has the bytes
    /// of `a`.
    pub fn subtracts(&self) -> bool {
        match self {
            Self::Count
            | Self::Sum
            | Self::Avg
            | Self::Variance
            | Self::VariancePop
            | Self::Stddev
            | Self::StddevPop
            | Self::Percentile { .. }
            | Self::MostFrequent { .. } => true,
            Self::Min
            | Self::Max
            | Self::ApproxDistinct
            | Self::CountDistinct
            | Self::First
            | Self::Last
            | Self::LastN { .. }
            | Self::TopK { .. } => false,
        }
    }

    /// Whether the order of rows decides its value, so that it looks at their
    /// [`OrderKey`](crate::OrderKey)s.
    pub fn needs_order(&self) -> bool {
        matches!(self, Self::First | Self::Last | Self::LastN { .. })
    }
}

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Percentile { q } => write!(f, "({q})"),
            Self::LastN { n } => write!(f, "({})", n.get()),
            Self::TopK { k } | Self::MostFrequent { k } => write!(f, "({})", k.get()),
            _ => Ok(()),
        }
    }
}
