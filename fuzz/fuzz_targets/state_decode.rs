#![no_main]
//! Stored states of any bytes: what is taken is written as the same bytes
//! again, and nothing that can be done with it panics; all else is refused.
//!
//! The first byte chooses the aggregate, the second its input; the id and the
//! version are set right, the rest is the body.

use libfuzzer_sys::fuzz_target;
use unskew_aggregate::{
    Aggregate, AggregateFunction, ExactSum, GroupStates, ListSize, STATE_VERSION, ValueKind,
};

const KINDS: [ValueKind; 11] = [
    ValueKind::Bool,
    ValueKind::Int8,
    ValueKind::Int64,
    ValueKind::UInt64,
    ValueKind::Float32,
    ValueKind::Float64,
    ValueKind::Utf8,
    ValueKind::Binary,
    ValueKind::Date32,
    ValueKind::Timestamp,
    ValueKind::Decimal128 { precision: 20, scale: 3 },
];

fn function(choice: u8) -> AggregateFunction {
    let names = AggregateFunction::names();
    let name = names[usize::from(choice) % names.len()];
    let size = ListSize::new(5).expect("a size within bounds");
    AggregateFunction::from_name(name).unwrap_or(match name {
        "percentile" => AggregateFunction::Percentile { q: "0.9".parse().expect("a quantile") },
        "last_n" => AggregateFunction::LastN { n: size },
        "top_k" => AggregateFunction::TopK { k: size },
        _ => AggregateFunction::MostFrequent { k: size },
    })
}

fn exact_sum(body: &[u8]) {
    let bytes = [&[64, 1], body].concat();
    if let Ok(sum) = ExactSum::from_bytes(&bytes) {
        assert_eq!(sum.to_bytes(), bytes);
        let mut both = sum.clone();
        both.merge(&sum);
        both.value();
        both.subtract(&sum);
        assert_eq!(both, sum);
    }
}

fuzz_target!(|data: &[u8]| {
    let [choice, kind, body @ ..] = data else { return };
    exact_sum(body);
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let Ok(aggregate) = Aggregate::new(function(*choice), Some(kind)) else { return };
    let bytes = [&[aggregate.function().id(), STATE_VERSION], body].concat();
    let Ok(mut state) = aggregate.decode(&bytes) else { return };
    let write = |state: &_| {
        let mut written = Vec::new();
        aggregate.encode(state, &mut written);
        written
    };
    assert_eq!(write(&state), bytes);
    let _ = aggregate.finish(&state);
    let before = state.clone();
    aggregate.merge(&mut state, &before);
    let _ = aggregate.finish(&state);
    write(&state);
    if aggregate.subtracts() {
        aggregate.subtract(&mut state, &before);
        let _ = aggregate.finish(&state);
    }
    let mut groups = GroupStates::new(aggregate);
    groups.resize(2);
    groups.merge_bytes(1, &bytes).expect("it was read before");
    let mut written = Vec::new();
    groups.encode(1, &mut written);
    assert_eq!(written, bytes);
});
