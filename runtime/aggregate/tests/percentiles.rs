//! Percentiles by nearest rank, within 1 % of the value of that rank.

mod shared;

use shared::{Numbers, decimal, fold, hostile};
use unskew_aggregate::{Aggregate, AggregateFunction, OrderKey, Quantile, Value, ValueKind};

fn aggregate(q: &str, kind: ValueKind) -> Aggregate {
    let q: Quantile = q.parse().unwrap();
    Aggregate::new(AggregateFunction::Percentile { q }, Some(kind)).unwrap()
}

fn of(q: &str, kind: ValueKind, values: &[Value]) -> Option<f64> {
    let aggregate = aggregate(q, kind);
    let mut state = aggregate.empty();
    for value in values {
        let key = OrderKey { event_timestamp: 0, tie: &[] };
        aggregate.update(&mut state, Some(value.as_ref()), key);
    }
    match aggregate.finish(&state).unwrap() {
        None => None,
        Some(Value::Float(x)) => Some(x),
        Some(other) => panic!("{other:?} is no float"),
    }
}

fn of_floats(q: &str, xs: &[f64]) -> f64 {
    let values: Vec<Value> = xs.iter().map(|x| Value::Float(*x)).collect();
    of(q, ValueKind::Float64, &values).unwrap()
}

#[track_caller]
fn assert_is_near(found: f64, exact: f64) {
    if exact == 0.0 || exact.is_infinite() {
        assert_eq!(found, exact);
    } else if exact.is_nan() {
        assert_eq!(found.to_bits(), 0x7ff8_0000_0000_0000);
    } else {
        // Both parts are exact: their signs and exponents are about the same.
        let error = (found - exact) / exact;
        assert!(error.abs() <= 0.01, "{found:e} is not within 1 % of {exact:e}");
    }
}

#[test]
fn any_single_float_is_within_one_percent() {
    let mut numbers = Numbers(1);
    for bits in (0..2100).flat_map(|power| {
        // A number of every power of two, and both ends of its buckets.
        let low = if power < 52 { 1 << power } else { (power - 51) << 52 };
        [low, low + 1, low + (1 << 45), low + (1 << 46) - 1, low + (1 << 46), numbers.next() >> 1]
    }) {
        let x = f64::from_bits(bits);
        for x in [x, -x] {
            assert_is_near(of_floats("0.5", &[x]), x);
        }
    }
    // Of subnormals each that has a bucket of its own.
    for bits in 0..300 {
        assert_is_near(of_floats("0.5", &[f64::from_bits(bits)]), f64::from_bits(bits));
    }
}

#[test]
fn the_rank_is_the_nearest() {
    let xs: Vec<f64> = (1..=20).map(|i| f64::from(i) * 1000.0).collect();
    for (q, rank) in [("0", 1), ("0.05", 1), ("0.050001", 2), ("0.55", 11), ("0.95", 19), ("1", 20)]
    {
        assert_is_near(of_floats(q, &xs), xs[rank - 1]);
    }
}

#[test]
fn many_values_of_many_sizes() {
    let mut numbers = Numbers(2);
    for count in [1, 2, 10, 32, 33, 1000] {
        for spread in [1.0, 10.0, 300.0] {
            let mut xs: Vec<f64> = (0..count)
                .map(|_| {
                    let power = (numbers.below(2000) as f64 / 1000.0 - 1.0) * spread;
                    let sign = if numbers.below(3) == 0 { -1.0 } else { 1.0 };
                    sign * 10_f64.powf(power)
                })
                .collect();
            xs.extend([0.0, -0.0, f64::INFINITY].iter().take(count % 4));
            let mut sorted = xs.clone();
            sorted.sort_by(f64::total_cmp);
            for q in ["0", "0.01", "0.1", "0.5", "0.9", "0.95", "0.999", "1"] {
                let rank = q.parse::<f64>().unwrap() * xs.len() as f64;
                // No q here is so near a rank that the float matters.
                let rank = ((rank - 1e-9).ceil() as usize).max(1);
                assert_is_near(of_floats(q, &xs), sorted[rank - 1]);
            }
        }
    }
}

#[test]
fn what_is_not_finite_has_its_place() {
    let xs = [f64::NAN, 1.0, f64::NEG_INFINITY, f64::INFINITY, -0.0];
    assert_eq!(of_floats("0.2", &xs), f64::NEG_INFINITY);
    assert_eq!(of_floats("0.4", &xs).to_bits(), 0);
    assert_is_near(of_floats("0.6", &xs), 1.0);
    assert_eq!(of_floats("0.8", &xs), f64::INFINITY);
    assert_eq!(of_floats("1", &xs).to_bits(), 0x7ff8_0000_0000_0000);
}

#[test]
fn integers_and_decimals_are_taken_as_the_nearest_float() {
    let kinds =
        [ValueKind::Int64, ValueKind::UInt64, ValueKind::Int8, decimal(38, 4), decimal(5, 2)];
    for kind in kinds {
        for value in hostile(kind) {
            let exact = match (&value, kind) {
                (Value::Int(x), _) => *x as f64,
                (Value::UInt(x), _) => *x as f64,
                (Value::Decimal(x), ValueKind::Decimal128 { scale, .. }) => {
                    *x as f64 / 10_f64.powi(scale.into())
                }
                _ => unreachable!("these are numbers"),
            };
            assert_is_near(of("0.5", kind, std::slice::from_ref(&value)).unwrap(), exact);
        }
    }
}

#[test]
fn of_nothing_it_is_null_and_the_state_does_not_know_q() {
    assert_eq!(of("0.5", ValueKind::Float64, &[]), None);
    let rows = Numbers(3).rows(Some(ValueKind::Float64), 50);
    let [a, b] = ["0.5", "0.95"].map(|q| aggregate(q, ValueKind::Float64));
    assert_eq!(shared::bytes(&a, &fold(&a, &rows)), shared::bytes(&b, &fold(&b, &rows)));
}

#[test]
fn what_is_no_number_is_refused() {
    let function = AggregateFunction::Percentile { q: "0.5".parse().unwrap() };
    let error = Aggregate::new(function, Some(ValueKind::Timestamp)).unwrap_err().to_string();
    assert!(error.contains("percentile takes") && error.contains("timestamp"), "{error}");
}
