//! Every aggregate of every kind: the bytes of a state are a function of the
//! multiset of rows, however they are ordered, split, merged, taken out again,
//! written and read, or fed column by column.

mod shared;

use shared::{Numbers, Row, aggregates, bytes, fold, kinds, update};
use unskew_aggregate::{
    Aggregate, Bitmap, Column, ColumnValues, GroupStates, RowKeys, Spans, State, Value, ValueKind,
};

/// All orders of so many things.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for smaller in permutations(count - 1) {
        for at in 0..=smaller.len() {
            let mut order = smaller.clone();
            order.insert(at, count - 1);
            all.push(order);
        }
    }
    all
}

/// All ways to merge a run of states, as trees over where to split it.
fn merged_in_every_tree(aggregate: &Aggregate, parts: &[State]) -> Vec<State> {
    if let [one] = parts {
        return vec![one.clone()];
    }
    let mut all = Vec::new();
    for at in 1..parts.len() {
        for left in merged_in_every_tree(aggregate, &parts[..at]) {
            for right in merged_in_every_tree(aggregate, &parts[at..]) {
                let mut state = left.clone();
                aggregate.merge(&mut state, &right);
                all.push(state);
            }
        }
    }
    all
}

#[test]
fn all_orders_splits_and_merge_trees_of_few_rows() {
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        let rows = Numbers(seed as u64).rows(aggregate.input(), 4);
        let whole = bytes(&aggregate, &fold(&aggregate, &rows));
        let value = aggregate.finish(&fold(&aggregate, &rows));
        for order in permutations(rows.len()) {
            // Bit i says whether a part ends behind row i.
            for cuts in 0..1 << (rows.len() - 1) {
                let mut parts = vec![aggregate.empty()];
                for (at, row) in order.iter().enumerate() {
                    update(&aggregate, parts.last_mut().unwrap(), &rows[*row]);
                    if cuts >> at & 1 == 1 {
                        parts.push(aggregate.empty());
                    }
                }
                for state in merged_in_every_tree(&aggregate, &parts) {
                    assert_eq!(bytes(&aggregate, &state), whole, "{aggregate:?} of {rows:?}");
                    assert_eq!(aggregate.finish(&state), value);
                }
            }
        }
    }
}

#[test]
fn random_orders_and_merge_trees_of_many_rows() {
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        let mut numbers = Numbers(1000 + seed as u64);
        for count in [20, 100, 700] {
            let mut rows = numbers.rows(aggregate.input(), count);
            let whole = bytes(&aggregate, &fold(&aggregate, &rows));
            numbers.shuffle(&mut rows);
            let mut parts: Vec<State> = Vec::new();
            let mut rest = &rows[..];
            while !rest.is_empty() {
                let (part, more) = rest.split_at(1 + numbers.below(rest.len().min(90)));
                parts.push(fold(&aggregate, part));
                rest = more;
            }
            while parts.len() > 1 {
                let other = parts.swap_remove(numbers.below(parts.len()));
                let to = numbers.below(parts.len());
                aggregate.merge(&mut parts[to], &other);
            }
            assert_eq!(bytes(&aggregate, &parts[0]), whole, "{aggregate:?}");
        }
    }
}

#[test]
fn what_subtracts_undoes_merging() {
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        if !aggregate.subtracts() {
            continue;
        }
        let mut numbers = Numbers(2000 + seed as u64);
        for (left, right) in [(0, 0), (0, 5), (5, 0), (3, 3), (40, 300), (300, 40), (300, 300)] {
            let [a, b] = [left, right].map(|count| numbers.rows(aggregate.input(), count));
            let [a, b] = [a, b].map(|rows| fold(&aggregate, &rows));
            let mut state = a.clone();
            aggregate.merge(&mut state, &b);
            aggregate.subtract(&mut state, &a);
            assert_eq!(bytes(&aggregate, &state), bytes(&aggregate, &b), "{aggregate:?}");
            assert_eq!(aggregate.finish(&state), aggregate.finish(&b));
            aggregate.subtract(&mut state, &b);
            let empty = aggregate.empty();
            assert_eq!(bytes(&aggregate, &state), bytes(&aggregate, &empty), "{aggregate:?}");
        }
    }
}

#[test]
fn states_come_back_and_go_on_as_before() {
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        let mut numbers = Numbers(3000 + seed as u64);
        for count in [0, 1, 2, 30, 500] {
            let rows = numbers.rows(aggregate.input(), count);
            let state = fold(&aggregate, &rows);
            let written = bytes(&aggregate, &state);
            let mut read = aggregate.decode(&written).unwrap();
            assert_eq!(bytes(&aggregate, &read), written, "{aggregate:?}");
            assert_eq!(aggregate.finish(&read), aggregate.finish(&state));
            let more = numbers.rows(aggregate.input(), 40);
            more.iter().for_each(|row| update(&aggregate, &mut read, row));
            let both = fold(&aggregate, rows.iter().chain(&more));
            assert_eq!(bytes(&aggregate, &read), bytes(&aggregate, &both), "{aggregate:?}");
        }
    }
}

/// The columns of some rows, in Arrow's layout; they begin behind a few rows
/// of something else.
struct Layout {
    validity: Vec<u8>,
    times: Vec<i64>,
    tie_offsets: Vec<i32>,
    ties: Vec<u8>,
    values: Values,
}

enum Values {
    Bits(Vec<u8>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I128(Vec<i128>),
    Spans(Vec<i32>, Vec<u8>),
}

const SHIFT: usize = 3;

fn bitmap(bits: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bytes = vec![0xff_u8; 100];
    for (at, bit) in bits.enumerate() {
        let at = at + SHIFT;
        if at / 8 >= bytes.len() {
            bytes.push(0xff);
        }
        if !bit {
            bytes[at / 8] &= !(1 << (at % 8));
        }
    }
    bytes
}

fn layout(kind: ValueKind, rows: &[Row]) -> Layout {
    macro_rules! numbers {
        ($into:ident, $variant:ident, $null:expr) => {
            Values::$into(
                rows.iter()
                    .map(|row| match &row.value {
                        Some(Value::$variant(x)) => *x as _,
                        _ => $null,
                    })
                    .collect(),
            )
        };
    }
    use ValueKind as K;
    let values = match kind {
        K::Bool => {
            let bits = rows.iter().map(|row| matches!(row.value, Some(Value::Bool(true))));
            Values::Bits(bitmap(bits))
        }
        K::Int8 => numbers!(I8, Int, 77),
        K::Int16 => numbers!(I16, Int, 77),
        K::Int32 => numbers!(I32, Int, 77),
        K::Int64 => numbers!(I64, Int, 77),
        K::UInt8 => numbers!(U8, UInt, 77),
        K::UInt16 => numbers!(U16, UInt, 77),
        K::UInt32 => numbers!(U32, UInt, 77),
        K::UInt64 => numbers!(U64, UInt, 77),
        K::Float32 => numbers!(F32, Float, f32::NAN),
        K::Float64 => numbers!(F64, Float, f64::NAN),
        K::Date32 => numbers!(I32, Date, 77),
        K::Timestamp => numbers!(I64, Timestamp, 77),
        K::Decimal128 { .. } => numbers!(I128, Decimal, 77),
        K::Utf8 | K::Binary => {
            let (mut offsets, mut all) = (vec![0], Vec::new());
            for row in rows {
                match &row.value {
                    Some(Value::Utf8(text)) => all.extend(text.as_bytes()),
                    Some(Value::Binary(bytes)) => all.extend(bytes.iter()),
                    _ => {}
                }
                offsets.push(all.len() as i32);
            }
            Values::Spans(offsets, all)
        }
    };
    let (mut tie_offsets, mut ties) = (vec![0], Vec::new());
    for row in rows {
        ties.extend(&row.tie);
        tie_offsets.push(ties.len() as i32);
    }
    Layout {
        validity: bitmap(rows.iter().map(|row| row.value.is_some())),
        times: rows.iter().map(|row| row.time).collect(),
        tie_offsets,
        ties,
        values,
    }
}

impl Layout {
    fn column(&self, kind: ValueKind) -> Column<'_> {
        let values = match (&self.values, kind) {
            (Values::Bits(x), _) => ColumnValues::Bool(Bitmap { bytes: x, offset: SHIFT }),
            (Values::I8(x), _) => ColumnValues::Int8(x),
            (Values::I16(x), _) => ColumnValues::Int16(x),
            (Values::I32(x), ValueKind::Date32) => ColumnValues::Date32(x),
            (Values::I32(x), _) => ColumnValues::Int32(x),
            (Values::I64(x), ValueKind::Timestamp) => ColumnValues::Timestamp(x),
            (Values::I64(x), _) => ColumnValues::Int64(x),
            (Values::U8(x), _) => ColumnValues::UInt8(x),
            (Values::U16(x), _) => ColumnValues::UInt16(x),
            (Values::U32(x), _) => ColumnValues::UInt32(x),
            (Values::U64(x), _) => ColumnValues::UInt64(x),
            (Values::F32(x), _) => ColumnValues::Float32(x),
            (Values::F64(x), _) => ColumnValues::Float64(x),
            (Values::I128(x), _) => ColumnValues::Decimal128(x),
            (Values::Spans(offsets, bytes), kind) => {
                let spans = Spans { offsets, bytes };
                match kind {
                    ValueKind::Utf8 => ColumnValues::Utf8(spans),
                    _ => ColumnValues::Binary(spans),
                }
            }
        };
        Column { values, validity: Some(Bitmap { bytes: &self.validity, offset: SHIFT }) }
    }

    fn keys(&self) -> RowKeys<'_> {
        let ties = Spans { offsets: &self.tie_offsets, bytes: &self.ties };
        RowKeys { event_timestamps: &self.times, ties: Some(ties) }
    }
}

/// Groups of rows, in several batches, some of which have no nulls.
fn batches(
    numbers: &mut Numbers,
    kind: Option<ValueKind>,
    groups: usize,
) -> Vec<(Vec<Row>, Vec<u32>)> {
    [0, 1, 64, 400, 33]
        .map(|count| {
            let mut rows = numbers.rows(kind, count);
            if count == 64 {
                rows.retain(|row| row.value.is_some());
            }
            let of = rows.iter().map(|_| numbers.below(groups) as u32).collect();
            (rows, of)
        })
        .to_vec()
}

fn take_in(states: &mut GroupStates, rows: &[Row], groups: &[u32]) {
    let aggregate = *states.aggregate();
    let keyed = layout(aggregate.input().unwrap_or(ValueKind::Bool), rows);
    let keys = keyed.keys();
    match aggregate.input() {
        None => states.update(None, groups, Some(&keys)),
        Some(kind) => {
            let mut column = keyed.column(kind);
            if rows.iter().all(|row| row.value.is_some()) {
                column.validity = None;
            }
            states.update(Some(&column), groups, Some(&keys));
        }
    }
}

#[test]
fn columns_of_groups_give_what_rows_give() {
    const GROUPS: usize = 9;
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        let mut numbers = Numbers(4000 + seed as u64);
        let batches = batches(&mut numbers, aggregate.input(), GROUPS);
        let mut states = GroupStates::new(aggregate);
        states.resize(2);
        states.resize(GROUPS);
        let mut halves = [states.clone(), states.clone()];
        let mut expected = vec![aggregate.empty(); GROUPS];
        for (at, (rows, groups)) in batches.iter().enumerate() {
            take_in(&mut states, rows, groups);
            take_in(&mut halves[at % 2], rows, groups);
            for (row, group) in rows.iter().zip(groups) {
                update(&aggregate, &mut expected[*group as usize], row);
            }
        }
        let all: Vec<u32> = (0..GROUPS as u32).collect();
        let [mut merged, other] = halves;
        merged.merge(&other, &all);
        for (group, expected) in all.iter().zip(&expected) {
            let whole = bytes(&aggregate, expected);
            let mut found = Vec::new();
            states.encode(*group, &mut found);
            assert_eq!(found, whole, "{aggregate:?}");
            found.clear();
            merged.encode(*group, &mut found);
            assert_eq!(found, whole, "merged {aggregate:?}");
            assert_eq!(bytes(&aggregate, &states.state(*group)), whole);
            assert_eq!(states.finish(*group), aggregate.finish(expected), "{aggregate:?}");
        }
        if aggregate.subtracts() {
            merged.subtract(&other, &all);
            for group in &all {
                let mut left = Vec::new();
                merged.encode(*group, &mut left);
                let mut again = merged.state(*group);
                aggregate.merge(&mut again, &other.state(*group));
                assert_eq!(
                    bytes(&aggregate, &again),
                    bytes(&aggregate, &expected[*group as usize])
                );
                merged.subtract_state(*group, &merged.state(*group));
                let mut nothing = Vec::new();
                merged.encode(*group, &mut nothing);
                assert_eq!(nothing, bytes(&aggregate, &aggregate.empty()), "{aggregate:?}");
                merged.merge_bytes(*group, &left).unwrap();
                let mut back = Vec::new();
                merged.encode(*group, &mut back);
                assert_eq!(back, left);
            }
        }
        // Into one group, and out of it.
        let mut one = GroupStates::new(aggregate);
        one.resize(1);
        one.merge(&states, &[0; GROUPS]);
        let rows = batches.iter().flat_map(|(rows, _)| rows);
        assert_eq!(bytes(&aggregate, &one.state(0)), bytes(&aggregate, &fold(&aggregate, rows)));
        one.clear(0);
        assert_eq!(bytes(&aggregate, &one.state(0)), bytes(&aggregate, &aggregate.empty()));
        one.merge_state(0, &expected[1]);
        assert_eq!(bytes(&aggregate, &one.state(0)), bytes(&aggregate, &expected[1]));
    }
}

/// What an aggregate takes and gives does not depend on its rows.
#[test]
fn values_are_of_the_promised_kind() {
    use unskew_aggregate::OutputKind;
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        let rows = Numbers(5000 + seed as u64).rows(aggregate.input(), 30);
        let is_of = |value: &Value, kind: ValueKind| {
            let mut one = Vec::new();
            let of = unskew_aggregate::AggregateFunction::Max;
            let max = Aggregate::new(of, Some(kind)).unwrap();
            let mut state = max.empty();
            max.update(&mut state, Some(value.as_ref()), rows[0].key());
            max.encode(&state, &mut one);
            max.decode(&one).is_ok()
        };
        for rows in [&rows[..0], &rows[..]] {
            match (aggregate.finish(&fold(&aggregate, rows)), aggregate.output()) {
                (Ok(None), _) => assert!(aggregate.is_nullable(), "{aggregate:?}"),
                (Ok(Some(Value::List(values))), OutputKind::List(kind)) => {
                    assert!(values.iter().all(|value| is_of(value, kind)));
                }
                (Ok(Some(value)), OutputKind::Scalar(kind)) => assert!(is_of(&value, kind)),
                (Ok(other), kind) => panic!("{aggregate:?} gave {other:?}, which is no {kind}"),
                (Err(_), kind) => assert_eq!(
                    (aggregate.function(), kind),
                    (unskew_aggregate::AggregateFunction::Sum, aggregate.output())
                ),
            }
        }
    }
    assert!(kinds().len() > 15);
}
