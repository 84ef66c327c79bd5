//! Values of numbers that lie side by side, without a state in between: for
//! those who have all rows of a group at hand. Each value is, to the bit, what
//! the aggregate's state would give.

use crate::exact_float::ExactSum;
use crate::percentile::{bucket_of, middle_of};
use crate::quantile::Quantile;
use crate::value::one_nan;

/// The exact total of a run of numbers.
#[derive(Clone, Debug)]
pub struct RunTotal {
    count: u64,
    total: Total,
}

#[derive(Clone, Debug)]
enum Total {
    /// Of one or two numbers, whose sum a processor rounds once.
    Rounded(f64),
    Exact(ExactSum),
}

impl RunTotal {
    /// The total of these.
    #[inline]
    pub fn of(values: &[f64]) -> Self {
        let rounded = match values {
            [x] => *x,
            [x, y] => *x + *y,
            _ => f64::INFINITY,
        };
        let count = values.len() as u64;
        if rounded.is_finite() {
            // Zero has no sign.
            return Self { count, total: Total::Rounded(rounded + 0.0) };
        }
        Self { count, total: Total::Exact(ExactSum::of(values)) }
    }

    /// What `sum` gives: null of nothing.
    #[inline]
    pub fn sum(&self) -> Option<f64> {
        (self.count > 0).then(|| match &self.total {
            Total::Rounded(sum) => *sum,
            Total::Exact(sum) => sum.value(),
        })
    }

    /// What `avg` gives: null of nothing.
    #[inline]
    pub fn mean(&self) -> Option<f64> {
        match &self.total {
            // A sum is inexact only where its half is a normal number, so that
            // halving does not round once more.
            Total::Rounded(sum) if self.count == 2 => Some(*sum / 2.0 + 0.0),
            Total::Rounded(sum) => Some(*sum),
            Total::Exact(sum) => sum.mean(self.count),
        }
    }
}

/// What `percentile` gives for a run of numbers: null of nothing. `keys` is
/// memory to work in.
#[inline]
pub fn percentile_of_run(values: &[f64], q: Quantile, keys: &mut Vec<i32>) -> Option<f64> {
    match values {
        [] => None,
        [x] => Some(middle_of(bucket_of(*x))),
        values => {
            keys.clear();
            keys.extend(values.iter().map(|x| bucket_of(*x)));
            let at = (q.rank(keys.len() as u64) - 1) as usize;
            Some(middle_of(*keys.select_nth_unstable(at).1))
        }
    }
}

/// What `max` gives for a run of numbers, or `min`: null of nothing.
#[inline]
pub fn extreme_of_run(values: &[f64], is_max: bool) -> Option<f64> {
    let one_nan = values.iter().map(|x| one_nan(*x));
    if is_max { one_nan.max_by(f64::total_cmp) } else { one_nan.min_by(f64::total_cmp) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Aggregate, AggregateFunction, OrderKey, Value, ValueKind, ValueRef};

    fn by_state(function: AggregateFunction, values: &[f64]) -> Option<u64> {
        let aggregate = Aggregate::new(function, Some(ValueKind::Float64)).unwrap();
        let mut state = aggregate.empty();
        let key = OrderKey { event_timestamp: 0, tie: &[] };
        for x in values {
            aggregate.update(&mut state, Some(ValueRef::Float(*x)), key);
        }
        match aggregate.finish(&state).unwrap() {
            None => None,
            Some(Value::Float(x)) => Some(x.to_bits()),
            Some(other) => panic!("{other:?}"),
        }
    }

    fn check(values: &[f64]) {
        let bits = |x: Option<f64>| x.map(f64::to_bits);
        let total = RunTotal::of(values);
        assert_eq!(bits(total.sum()), by_state(AggregateFunction::Sum, values), "{values:?}");
        assert_eq!(bits(total.mean()), by_state(AggregateFunction::Avg, values), "{values:?}");
        for (is_max, function) in [(true, AggregateFunction::Max), (false, AggregateFunction::Min)]
        {
            assert_eq!(bits(extreme_of_run(values, is_max)), by_state(function, values));
        }
        for q in ["0", "0.5", "0.95", "1"] {
            let q = q.parse().unwrap();
            let found = percentile_of_run(values, q, &mut Vec::new());
            assert_eq!(bits(found), by_state(AggregateFunction::Percentile { q }, values));
        }
    }

    #[test]
    fn runs_have_the_values_of_their_states() {
        const HOSTILE: [f64; 22] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.1,
            -0.3,
            1e308,
            -1e308,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            -5e-324,
            1e-310,
            2.225073858507201e-308,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            9007199254740993.0,
            4503599627370497.5,
            1e100,
            -1e100,
            3.0,
        ];
        check(&[]);
        for x in HOSTILE {
            check(&[x]);
            for y in HOSTILE {
                check(&[x, y]);
                for z in HOSTILE {
                    check(&[x, y, z]);
                    check(&[x, 0.5, y, -2.25, z, 1e16, 0.75]);
                }
            }
        }
    }

    #[test]
    fn long_runs_have_the_values_of_their_states() {
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 11) as f64 / (1_u64 << 53) as f64 - 0.25
        };
        for spread in [0, 5, 9, 12, 40, 60, 70, 90, 300] {
            for length in [3, 10, 33, 1000] {
                let values: Vec<f64> = (0..length)
                    .map(|_| {
                        let power = (random() * f64::from(spread)) as i32;
                        random() * 2_f64.powi(power)
                    })
                    .collect();
                check(&values);
            }
        }
    }
}
