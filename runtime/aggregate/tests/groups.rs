//! The window of exponents that groups share: whatever lies outside of it,
//! makes it move or overflows it gives the bytes that single rows give.

mod shared;

use AggregateFunction::*;
use shared::{Numbers, bytes};
use unskew_aggregate::{
    Aggregate, AggregateFunction, Bitmap, Column, ColumnValues, GroupStates, OrderKey, State,
    ValueKind, ValueRef,
};

fn aggregate(function: AggregateFunction) -> Aggregate {
    Aggregate::new(function, Some(ValueKind::Float64)).unwrap()
}

fn fold(aggregate: &Aggregate, xs: &[f64]) -> State {
    let mut state = aggregate.empty();
    for x in xs {
        let key = OrderKey { event_timestamp: 0, tie: &[] };
        aggregate.update(&mut state, Some(ValueRef::Float(*x)), key);
    }
    state
}

fn encoded(states: &GroupStates, group: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    states.encode(group, &mut bytes);
    bytes
}

#[test]
fn values_of_all_sizes_move_the_window_and_leave_no_trace() {
    let mut numbers = Numbers(1);
    let mut batches: Vec<Vec<f64>> = Vec::new();
    for magnitude in [1.0, 1e300, 1e-300, 0.0, f64::MAX, 5e-324, 1e18, 1e-18, 3.0] {
        for size in [1, 70, 300] {
            let x = |numbers: &mut Numbers| magnitude * (0.5 + numbers.below(1000) as f64 / 2e3);
            batches.push((0..size).map(|_| x(&mut numbers)).collect());
        }
    }
    // Many more moves than the window makes.
    for round in 0..40 {
        let x = if round % 2 == 0 { 1e200 } else { -1e-200 };
        batches.push(vec![x; 600]);
    }
    batches.push(vec![f64::INFINITY, 1.0, f64::NEG_INFINITY, f64::NAN]);
    for function in [Sum, Avg, Variance, StddevPop] {
        let aggregate = aggregate(function);
        let mut states = GroupStates::new(aggregate);
        states.resize(3);
        let mut expected = [const { Vec::new() }; 3];
        for xs in &batches {
            let groups: Vec<u32> = xs.iter().map(|_| numbers.below(3) as u32).collect();
            states.update(Some(&Column::new(ColumnValues::Float64(xs))), &groups, None);
            for (x, group) in xs.iter().zip(&groups) {
                expected[*group as usize].push(*x);
            }
            for (group, xs) in expected.iter().enumerate() {
                let whole = bytes(&aggregate, &fold(&aggregate, xs));
                assert_eq!(encoded(&states, group as u32), whole, "{function}");
            }
        }
    }
}

/// 4,096 of the greatest values within the window overflow its sum, and 2^23
/// its squares.
#[test]
fn sums_beyond_the_window_are_kept_beside_it() {
    const AT_ONCE: usize = 1 << 16;
    let greatest = 2_f64.powi(33).next_down();
    // Of both signs, so that it is the squares that do not fit.
    for (function, other, times) in [(Sum, greatest, 1), (Variance, -greatest, 130)] {
        let aggregate = aggregate(function);
        let mut states = GroupStates::new(aggregate);
        states.resize(1);
        states.update(Some(&Column::new(ColumnValues::Float64(&[1.0]))), &[0], None);
        let mut expected = fold(&aggregate, &[1.0]);
        let xs = [greatest, other].repeat(AT_ONCE / 2);
        let once = fold(&aggregate, &xs);
        for _ in 0..times {
            let column = Column::new(ColumnValues::Float64(&xs));
            states.update(Some(&column), &[0; AT_ONCE], None);
            aggregate.merge(&mut expected, &once);
        }
        assert_eq!(encoded(&states, 0), bytes(&aggregate, &expected), "{function}");
    }
}

/// Sums that wait are settled when there may be too many rows, when values of
/// other sizes come between, and when groups are merged or cleared.
#[test]
fn sums_that_wait_are_never_lost() {
    const GROUPS: u32 = 3;
    let aggregate = aggregate(Sum);
    // All bits of the mantissa, and 19 powers of two around the first value.
    let size = |row: u32| 2_f64.powi((row * 7 % 19) as i32 - 9);
    let mixed = |row: u32| f64::from(row.wrapping_mul(2_654_435_761)) / 4_294_967_296.0 + 1.0;
    let mut xs: Vec<f64> = (0..150_000).map(|row| mixed(row) * size(row)).collect();
    xs[0] = 1.1;
    let sign = |row: usize| if row.is_multiple_of(5) { -1.0 } else { 1.0 };
    xs.iter_mut().enumerate().for_each(|(row, x)| *x = x.next_up() * sign(row));
    // Some that lie elsewhere.
    for (at, x) in [(70_000, 1e200), (90_000, 5e-324), (90_001, f64::INFINITY), (100_000, 0.0)] {
        xs[at] = x;
    }
    let groups: Vec<u32> = (0..xs.len() as u32).map(|row| row % 7 * (row % 11) % GROUPS).collect();
    let mut states = GroupStates::new(aggregate);
    states.resize(GROUPS as usize);
    for (xs, groups) in xs.chunks(8192).zip(groups.chunks(8192)) {
        states.update(Some(&Column::new(ColumnValues::Float64(xs))), groups, None);
    }
    for group in 0..GROUPS {
        let of_group = xs.iter().zip(&groups).filter(|(_, of)| **of == group);
        let of_group: Vec<f64> = of_group.map(|(x, _)| *x).collect();
        let whole = fold(&aggregate, &of_group);
        assert_eq!(encoded(&states, group), bytes(&aggregate, &whole));
        // Taken in twice, merged and taken out again.
        let mut twice = states.clone();
        twice.update(Some(&Column::new(ColumnValues::Float64(&xs))), &groups, None);
        twice.subtract_state(group, &states.state(group));
        assert_eq!(encoded(&twice, group), bytes(&aggregate, &whole));
        twice.clear(group);
        assert_eq!(encoded(&twice, group), bytes(&aggregate, &fold(&aggregate, &[])));
    }
}

#[test]
fn nulls_hold_anything_and_count_for_nothing() {
    let xs = [1.0, f64::NAN, 1e300, 2.0];
    let column = Column {
        values: ColumnValues::Float64(&xs),
        validity: Some(Bitmap { bytes: &[0b1001_1111], offset: 4 }),
    };
    for function in [Count, Sum, Variance, Min, Max, CountDistinct] {
        let aggregate = aggregate(function);
        let mut states = GroupStates::new(aggregate);
        states.resize(1);
        states.update(Some(&column), &[0; 4], None);
        // Bits 4 to 7 are 1, 0, 0, 1.
        let both = fold(&aggregate, &[1.0, 2.0]);
        assert_eq!(encoded(&states, 0), bytes(&aggregate, &both), "{function}");
    }
}

#[test]
#[should_panic(expected = "too few rows")]
fn a_column_that_is_too_short_panics() {
    let mut states = GroupStates::new(aggregate(Sum));
    states.resize(1);
    states.update(Some(&Column::new(ColumnValues::Float64(&[1.0]))), &[0, 0], None);
}

#[test]
#[should_panic(expected = "the rows need keys")]
fn an_aggregate_of_order_without_keys_panics() {
    let mut states = GroupStates::new(aggregate(Last));
    states.resize(1);
    states.update(Some(&Column::new(ColumnValues::Float64(&[1.0]))), &[0], None);
}
