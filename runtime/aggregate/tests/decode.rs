//! The decoder of states: what it takes is written as the same bytes again,
//! and all else is refused without a panic.

mod shared;

use proptest::prelude::*;
use shared::{Numbers, aggregates, bytes, decimal, fold};
use unskew_aggregate::{Aggregate, AggregateFunction, ExactSum, ListSize, ValueKind};

fn is_refused_or_comes_back(aggregate: &Aggregate, found: &[u8]) {
    if let Ok(mut state) = aggregate.decode(found) {
        assert_eq!(bytes(aggregate, &state), found, "{aggregate:?}");
        // Whatever it is, nothing that can be done with it panics.
        let _ = aggregate.finish(&state);
        let other = state.clone();
        for _ in 0..3 {
            let double = state.clone();
            aggregate.merge(&mut state, &double);
        }
        if aggregate.subtracts() {
            aggregate.subtract(&mut state, &other);
        }
        let _ = aggregate.finish(&state);
        bytes(aggregate, &state);
    }
}

#[test]
fn cut_or_lengthened_states_are_refused() {
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        let rows = Numbers(seed as u64).rows(aggregate.input(), 12);
        let whole = bytes(&aggregate, &fold(&aggregate, &rows));
        for length in 0..whole.len() {
            assert!(aggregate.decode(&whole[..length]).is_err(), "{aggregate:?} cut at {length}");
        }
        let longer = [whole, vec![0]].concat();
        let error = aggregate.decode(&longer).unwrap_err().to_string();
        assert!(error.contains("no state of this aggregate"), "{error}");
    }
}

#[test]
fn states_with_any_one_byte_changed() {
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        let mut numbers = Numbers(10 + seed as u64);
        let rows = numbers.rows(aggregate.input(), 10);
        let whole = bytes(&aggregate, &fold(&aggregate, &rows));
        for at in 0..whole.len().min(120) {
            for change in [1, 0x80, 0xff, numbers.next() as u8] {
                let mut changed = whole.clone();
                changed[at] ^= change;
                is_refused_or_comes_back(&aggregate, &changed);
            }
        }
    }
}

fn of(function: AggregateFunction, kind: ValueKind) -> Aggregate {
    Aggregate::new(function, Some(kind)).unwrap()
}

fn message(aggregate: &Aggregate, found: &[u8]) -> String {
    aggregate.decode(found).unwrap_err().to_string()
}

#[test]
fn messages_say_what_is_wrong() {
    use AggregateFunction::*;
    let sum = of(Sum, ValueKind::Float64);
    assert!(message(&sum, &[3, 1, 0]).contains("id 3, not 2"));
    assert!(message(&sum, &[2, 9, 0]).contains("version 9"));
    assert!(message(&sum, &[2, 1]).contains("too few"));
    assert!(message(&sum, &[2, 1, 0, 7]).contains("1 too many"));
}

/// For each rule of the form a state that breaks this one alone.
#[test]
fn other_forms_of_the_same_state_are_refused() {
    use AggregateFunction::*;
    let k = ListSize::new(2).unwrap();
    let float_sum = of(Sum, ValueKind::Float64);
    assert!(float_sum.decode(&[2, 1, 1, 0, 2, 0, 1]).is_ok());
    // Two bytes for the count; specials that are none; zero bytes at both
    // ends; no bytes; a zero below zero.
    for body in [
        &[0x81, 0, 0, 2, 0, 1][..],
        &[1, 1, 0, 0, 0, 2, 0, 1],
        &[1, 2, 2, 0, 1],
        &[1, 0, 4, 0, 1, 0],
        &[1, 0, 4, 0, 0, 1],
        &[1, 0, 1],
    ] {
        let found = [&[2, 1], body].concat();
        assert!(float_sum.decode(&found).is_err(), "{found:?}");
    }
    assert!(float_sum.decode(&[2, 1, 1, 0, 2, 0x8f, 2, 1]).is_ok(), "byte 271");
    assert!(float_sum.decode(&[2, 1, 1, 0, 2, 0x90, 2, 1]).is_err(), "byte 272");
    assert!(float_sum.decode(&[2, 1, 1, 1, 2, 0, 0, 0]).is_ok(), "one NaN");
    assert!(float_sum.decode(&[2, 1, 1, 1, 4, 0, 0, 0]).is_err(), "two NaNs of one value");
    assert!(float_sum.decode(&[2, 1, 1, 1, 1, 0, 0, 0]).is_err(), "one NaN less than none");

    let distinct = of(CountDistinct, ValueKind::Int8);
    assert!(distinct.decode(&[12, 1, 2, 2, 4]).is_ok());
    assert!(distinct.decode(&[12, 1, 2, 4, 2]).is_err(), "values descend");
    assert!(distinct.decode(&[12, 1, 2, 2, 2]).is_err(), "a value twice");
    assert!(distinct.decode(&[12, 1, 1, 0x80, 2]).is_err(), "128 is no int8");
    assert!(distinct.decode(&[12, 1, 1, 0xff, 1]).is_ok(), "-128 is one");
    let floats = of(CountDistinct, ValueKind::Float64);
    let one = |x: f64| [&[12, 1, 1][..], &x.to_le_bytes()].concat();
    assert!(floats.decode(&one(0.0)).is_ok());
    assert!(floats.decode(&one(-0.0)).is_err());
    assert!(floats.decode(&one(f64::from_bits(0x7ff8_0000_0000_0000))).is_ok());
    assert!(floats.decode(&one(f64::from_bits(0xfff8_0000_0000_0000))).is_err());
    let narrow = of(CountDistinct, ValueKind::Float32);
    assert!(narrow.decode(&one(0.5)).is_ok());
    assert!(narrow.decode(&one(0.1)).is_err(), "no float32");
    let decimals = of(CountDistinct, decimal(2, 0));
    assert!(decimals.decode(&[12, 1, 1, 0xc6, 1]).is_ok(), "99");
    assert!(decimals.decode(&[12, 1, 1, 0xc8, 1]).is_err(), "100");
    let texts = of(CountDistinct, ValueKind::Utf8);
    assert!(texts.decode(&[12, 1, 1, 1, 0xff]).is_err(), "not UTF-8");

    let top = of(TopK { k }, ValueKind::UInt8);
    assert!(top.decode(&[16, 1, 2, 5, 5]).is_ok());
    assert!(top.decode(&[16, 1, 2, 5, 6]).is_err(), "values ascend");
    assert!(top.decode(&[16, 1, 3, 5, 5, 5]).is_err(), "three of two");
    let last = of(LastN { n: k }, ValueKind::UInt8);
    assert!(last.decode(&[15, 1, 2, 0, 0, 1, 0, 0, 2]).is_ok());
    assert!(last.decode(&[15, 1, 2, 0, 0, 2, 0, 0, 1]).is_err(), "rows descend");

    let percentile = of(Percentile { q: "0.5".parse().unwrap() }, ValueKind::Float64);
    assert!(percentile.decode(&[10, 1, 2, 0, 1, 0, 0]).is_ok(), "0 and, a gap of 1 behind it, 2");
    assert!(percentile.decode(&[10, 1, 1, 0, 1, 0]).is_err(), "a gap leads to nothing");
    let beyond = [&[10, 1, 1][..], &[0x88, 0xb3, 0x10], &[0]].concat();
    assert!(percentile.decode(&beyond).is_err(), "a bucket beyond NaN's");

    let registers = of(ApproxDistinct, ValueKind::Int64);
    assert!(registers.decode(&[11, 1, 1, 51]).is_ok());
    assert!(registers.decode(&[11, 1, 1, 52]).is_err(), "a rank that no hash has");
    assert!(registers.decode(&[11, 1, 1, 0]).is_err(), "a register of rank 0");
    let dense = |count: u16, byte: u8| {
        let mut found =
            vec![11, 1, count as u8 | 0x80, (count >> 7) as u8 | 0x80, (count >> 14) as u8];
        if found[4] == 0 {
            found.pop();
            found[3] &= 0x7f;
        }
        found.extend([byte; 12_288]);
        found
    };
    // Six bits each are 36, 16, 2 and 9 in turn.
    assert!(registers.decode(&dense(16_384, 0b0010_0100)).is_ok());
    assert!(registers.decode(&dense(16_383, 0b0010_0100)).is_err(), "one more than it says");
    assert!(registers.decode(&dense(4096, 0)).is_err(), "few, but written like many");

    let variance = of(Variance, ValueKind::Int64);
    assert!(variance.decode(&[6, 1, 2, 4, 2, 0, 2]).is_ok(), "1 and 1");
    assert!(variance.decode(&[6, 1, 2, 6, 2, 0, 2]).is_err(), "squares below what 3 needs");
    assert!(variance.decode(&[6, 1, 2, 4, 3, 0, 2]).is_err(), "squares below zero");

    let max = of(Max, ValueKind::Bool);
    assert!(max.decode(&[5, 1, 2]).is_err());
    assert!(max.decode(&[5, 1, 1, 2]).is_err());
    let count = of(Count, ValueKind::Bool);
    assert!(count.decode(&[&[1, 1], &[0xff; 8][..], &[0x7f]].concat()).is_ok(), "2^63 - 1");
    assert!(count.decode(&[&[1, 1], &[0xff; 9][..], &[1]].concat()).is_err(), "2^64 - 1");
}

#[test]
fn lengths_allocate_no_more_than_there_is() {
    let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for aggregate in aggregates() {
        let id = aggregate.function().id();
        let found = [&[id, 1], &endless[..], &[0; 9]].concat();
        is_refused_or_comes_back(&aggregate, &found);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(which in any::<prop::sample::Index>(), body in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..60)) {
        let all = aggregates();
        let aggregate = which.get(&all);
        let found = [&[aggregate.function().id(), 1][..], &body].concat();
        is_refused_or_comes_back(aggregate, &found);
    }

    #[test]
    fn any_bytes_as_an_exact_sum(body in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..60)) {
        let found = [&[64, 1][..], &body].concat();
        if let Ok(sum) = ExactSum::from_bytes(&found) {
            prop_assert_eq!(sum.to_bytes(), found);
            let mut both = sum.clone();
            both.merge(&sum);
            both.subtract(&sum);
            prop_assert_eq!(both, sum);
        }
    }
}
