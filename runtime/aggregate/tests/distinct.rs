//! `approx_distinct`, `count_distinct` and `most_frequent`.

mod shared;

use AggregateFunction::*;
use shared::Numbers;
use unskew_aggregate::{
    Aggregate, AggregateFunction, ListSize, OrderKey, Value, ValueKind, ValueRef, pinned_hash,
};

fn finish(function: AggregateFunction, kind: ValueKind, values: &[Value]) -> Value {
    let aggregate = Aggregate::new(function, Some(kind)).unwrap();
    let mut state = aggregate.empty();
    for value in values {
        let key = OrderKey { event_timestamp: 0, tie: &[] };
        aggregate.update(&mut state, Some(value.as_ref()), key);
    }
    aggregate.finish(&state).unwrap().unwrap()
}

fn floats(xs: &[f64]) -> Vec<Value> {
    xs.iter().map(|x| Value::Float(*x)).collect()
}

const ODD: [f64; 7] = [0.0, -0.0, f64::NAN, -f64::NAN, 1.0, f64::INFINITY, 1.0];

#[test]
fn zeros_are_one_value_and_so_are_nans() {
    assert_eq!(finish(CountDistinct, ValueKind::Float64, &floats(&ODD)), Value::Int(4));
    assert_eq!(finish(ApproxDistinct, ValueKind::Float64, &floats(&ODD)), Value::Int(4));
}

#[test]
fn the_most_frequent_come_first_then_the_least() {
    let of = |k, values: &[Value]| {
        let k = ListSize::new(k).unwrap();
        finish(MostFrequent { k }, ValueKind::Float64, values)
    };
    let list = |xs: &[f64]| Value::List(floats(xs));
    let nan = f64::NAN;
    assert_eq!(of(9, &floats(&ODD)), list(&[0.0, 1.0, nan, f64::INFINITY]));
    assert_eq!(of(2, &floats(&ODD)), list(&[0.0, 1.0]));
    match of(1, &floats(&ODD)) {
        Value::List(values) => {
            assert!(!matches!(values[0], Value::Float(x) if x.is_sign_negative()))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(of(3, &floats(&[5.0, 7.0, 3.0, 7.0, 5.0])), list(&[5.0, 7.0, 3.0]));
    assert_eq!(of(3, &[]), list(&[]));
}

#[test]
fn estimates_are_near() {
    let mut numbers = Numbers(7);
    for (count, tolerance) in [
        (1, 0.0),
        (10, 0.0),
        (100, 0.01),
        (1000, 0.02),
        (10_000, 0.03),
        (100_000, 0.03),
        (1_000_000, 0.03),
    ] {
        let kind = ValueKind::Int64;
        let aggregate = Aggregate::new(ApproxDistinct, Some(kind)).unwrap();
        let mut state = aggregate.empty();
        for i in 0..count {
            // Each of them more than once.
            for _ in 0..1 + numbers.below(2) {
                let key = OrderKey { event_timestamp: 0, tie: &[] };
                aggregate.update(&mut state, Some(ValueRef::Int(i)), key);
            }
        }
        let Ok(Some(Value::Int(found))) = aggregate.finish(&state) else { panic!("a count") };
        let error = (found - count).abs() as f64 / count as f64;
        assert!(error <= tolerance, "{found} of {count}");
        let mut bytes = Vec::new();
        aggregate.encode(&state, &mut bytes);
        assert!(bytes.len() <= 12_288 + 5, "{} bytes", bytes.len());
        let read = aggregate.decode(&bytes).unwrap();
        assert_eq!(aggregate.finish(&read), aggregate.finish(&state));
    }
}

/// The state of one value follows from the pinned hash of its bytes: 14 bits
/// for the register, and the zeros behind them plus 1 for its rank.
#[test]
fn registers_follow_from_the_pinned_hash() {
    let cases: [(ValueKind, Value, &[u8]); 6] = [
        (ValueKind::Utf8, Value::Utf8("a".into()), b"a"),
        (ValueKind::Int8, Value::Int(-2), &(-2_i64).to_le_bytes()),
        (ValueKind::Float64, Value::Float(-0.0), &[0; 8]),
        (ValueKind::Date32, Value::Date(3), &3_i64.to_le_bytes()),
        (ValueKind::Bool, Value::Bool(true), &[1]),
        (shared::decimal(9, 2), Value::Decimal(-7), &(-7_i128).to_le_bytes()),
    ];
    for (kind, value, bytes) in cases {
        let hash = pinned_hash(bytes);
        let (index, rank) = (hash >> 50, (hash << 14 | 1 << 13).leading_zeros() + 1);
        let mut expected = vec![11, 1, 1];
        let mut head = index << 6 | u64::from(rank);
        while head > 0x7f {
            expected.push(head as u8 | 0x80);
            head >>= 7;
        }
        expected.push(head as u8);
        let aggregate = Aggregate::new(ApproxDistinct, Some(kind)).unwrap();
        let mut state = aggregate.empty();
        aggregate.update(
            &mut state,
            Some(value.as_ref()),
            OrderKey { event_timestamp: 0, tie: &[] },
        );
        assert_eq!(shared::bytes(&aggregate, &state), expected, "{value:?}");
    }
}
