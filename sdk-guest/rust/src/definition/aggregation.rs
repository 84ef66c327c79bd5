use std::panic::Location;

use super::json::{Json, Object};
use crate::aggregate::Aggregate;

/// One aggregate of a view. Made by [`count`], [`sum`] and their like, and by
/// [`user_aggregate`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Aggregation {
    place: &'static Location<'static>,
    function: Object,
    inputs: Object,
    over: Object,
    filter: Option<String>,
}

impl Aggregation {
    /// Of the last `size` before the moment of asking, such as `7d`.
    #[inline(never)]
    pub fn over(mut self, size: &str) -> Self {
        self.over.set("size", size);
        self
    }

    /// What the tail of the trailing window is aligned to, such as `1h`.
    #[inline(never)]
    pub fn hop(mut self, hop: &str) -> Self {
        self.over.set("hop", hop);
        self
    }

    /// Only the rows for which the SQL expression is true.
    #[inline(never)]
    pub fn where_sql(mut self, expression: &str) -> Self {
        self.filter = Some(expression.to_owned());
        self
    }

    /// The column of an argument of a user's aggregate, where it has another
    /// name.
    #[inline(never)]
    pub fn input(mut self, argument: &str, column: &str) -> Self {
        self.inputs.set(argument, column);
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self, name: &str) -> Object {
        let Self { place, function, inputs, over, filter } = self;
        let mut object = Object::default().with("name", name).and(&function);
        object = object.with_any("inputs", inputs).with_any("over", over);
        if let Some(filter) = filter {
            object.set("where", filter);
        }
        object.at(place)
    }
}

#[track_caller]
fn aggregation(function: Object) -> Aggregation {
    Aggregation {
        place: Location::caller(),
        function,
        inputs: Object::default(),
        over: Object::default(),
        filter: None,
    }
}

#[track_caller]
fn built_in(function: &str, parameter: Option<(&str, Json)>, column: Option<&str>) -> Aggregation {
    let mut object = Object::default().with("function", function);
    if let Some((name, value)) = parameter {
        object.set(name, value);
    }
    if let Some(column) = column {
        object.set("column", column);
    }
    aggregation(object)
}

/// The number of rows.
#[track_caller]
#[inline(never)]
pub fn count() -> Aggregation {
    built_in("count", None, None)
}

/// The number of values that are not null.
#[track_caller]
#[inline(never)]
pub fn count_of(column: &str) -> Aggregation {
    built_in("count", None, Some(column))
}

macro_rules! of_column {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        #[inline(never)]
        pub fn $name(column: &str) -> Aggregation {
            built_in(stringify!($name), None, Some(column))
        }
    )*};
}
of_column! {
    /// The exact sum of a column, rounded once.
    sum;
    /// The exact mean of a column, rounded once.
    avg;
    /// The least value of a column.
    min;
    /// The greatest value of a column.
    max;
    /// The variance of the sample; null below two values.
    variance;
    /// The variance of the population.
    variance_pop;
    /// The standard deviation of the sample; null below two values.
    stddev;
    /// The standard deviation of the population.
    stddev_pop;
    /// The exact number of different values.
    count_distinct;
    /// The number of different values, about (HyperLogLog).
    approx_distinct;
    /// The earliest value.
    first;
    /// The latest value.
    last;
}

/// The `q` quantile (0.95 is the 95th percentile), with a relative error of at
/// most 1 %.
#[track_caller]
#[inline(never)]
pub fn percentile(q: f64, column: &str) -> Aggregation {
    built_in("percentile", Some(("q", super::json::default_json(&q))), Some(column))
}

/// The latest `n` values, oldest first.
#[track_caller]
#[inline(never)]
pub fn last_n(n: u64, column: &str) -> Aggregation {
    built_in("last_n", Some(("n", n.into())), Some(column))
}

/// The `k` greatest values, greatest first; equal ones are kept.
#[track_caller]
#[inline(never)]
pub fn top_k(k: u64, column: &str) -> Aggregation {
    built_in("top_k", Some(("k", k.into())), Some(column))
}

/// The `k` values that occur most often, then the least value first.
#[track_caller]
#[inline(never)]
pub fn most_frequent(k: u64, column: &str) -> Aggregation {
    built_in("most_frequent", Some(("k", k.into())), Some(column))
}

/// An aggregate of this module: `user_aggregate::<MeanPrice>()`.
#[track_caller]
#[inline(never)]
pub fn user_aggregate<A: Aggregate>() -> Aggregation {
    aggregation(Object::default().with("aggregate", A::NAME))
}

/// An aggregate of another module of the project.
#[track_caller]
#[inline(never)]
pub fn user_aggregate_of(module: &str, name: &str) -> Aggregation {
    aggregation(Object::default().with("aggregate", name).with("module", module))
}
