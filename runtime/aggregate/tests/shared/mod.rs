//! What the tests of this crate have in common: samples, and a way to fold
//! them.

#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod rational;

use unskew_aggregate::{
    Aggregate, AggregateFunction, ListSize, OrderKey, Quantile, State, Value, ValueKind, ValueRef,
};

/// A row: a value, or none of a null, with its key.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) value: Option<Value>,
    pub(crate) time: i64,
    pub(crate) tie: Vec<u8>,
}

impl Row {
    pub(crate) fn key(&self) -> OrderKey<'_> {
        OrderKey { event_timestamp: self.time, tie: &self.tie }
    }
}

pub(crate) fn update(aggregate: &Aggregate, state: &mut State, row: &Row) {
    aggregate.update(state, row.value.as_ref().map(Value::as_ref), row.key());
}

pub(crate) fn fold<'a>(aggregate: &Aggregate, rows: impl IntoIterator<Item = &'a Row>) -> State {
    let mut state = aggregate.empty();
    rows.into_iter().for_each(|row| update(aggregate, &mut state, row));
    state
}

pub(crate) fn bytes(aggregate: &Aggregate, state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    aggregate.encode(state, &mut bytes);
    bytes
}

pub(crate) fn decimal(precision: u8, scale: u8) -> ValueKind {
    ValueKind::Decimal128 { precision, scale }
}

pub(crate) fn kinds() -> Vec<ValueKind> {
    use ValueKind::*;
    vec![
        Bool,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float32,
        Float64,
        Utf8,
        Binary,
        Date32,
        Timestamp,
        decimal(38, 4),
        decimal(5, 2),
    ]
}

pub(crate) fn functions() -> Vec<AggregateFunction> {
    use AggregateFunction::*;
    let size = |n| ListSize::new(n).unwrap();
    let q = |q| Percentile { q: Quantile::from_f64(q).unwrap() };
    let mut functions: Vec<_> =
        AggregateFunction::names().iter().filter_map(|n| AggregateFunction::from_name(n)).collect();
    functions.extend([q(0.5), q(0.95), q(0.0), q(1.0)]);
    functions.extend([LastN { n: size(1) }, LastN { n: size(3) }]);
    functions.extend([TopK { k: size(1) }, TopK { k: size(3) }]);
    functions.extend([MostFrequent { k: size(1) }, MostFrequent { k: size(3) }]);
    functions
}

/// All aggregates of all kinds that they take.
pub(crate) fn aggregates() -> Vec<Aggregate> {
    let mut aggregates = vec![Aggregate::new(AggregateFunction::Count, None).unwrap()];
    for function in functions() {
        let of = |kind| Aggregate::new(function, Some(kind)).ok();
        aggregates.extend(kinds().into_iter().filter_map(of));
    }
    aggregates
}

/// Values that lie in wait for a mistake, of a kind.
pub(crate) fn hostile(kind: ValueKind) -> Vec<Value> {
    use ValueKind as K;
    let ints = |bits: u32| {
        let most = i64::MAX >> (64 - bits);
        vec![0, 1, -1, 7, most, most - 1, -most - 1, -most]
    };
    let int = |bits: u32| ints(bits).into_iter().map(Value::Int).collect();
    let uint = |bits: u32| {
        let most = u64::MAX >> (64 - bits);
        [0, 1, 2, 9, most, most - 1].map(Value::UInt).to_vec()
    };
    let text =
        ["", "a", "b", "ab", "\0", "a\0b", "é", "日本", "a longer text that fills two stripes"];
    match kind {
        K::Bool => vec![Value::Bool(false), Value::Bool(true)],
        K::Int8 => int(8),
        K::Int16 => int(16),
        K::Int32 => int(32),
        K::Int64 => int(64),
        K::UInt8 => uint(8),
        K::UInt16 => uint(16),
        K::UInt32 => uint(32),
        K::UInt64 => uint(64),
        K::Float32 => FLOATS.iter().map(|x| Value::Float(f64::from(*x as f32))).collect(),
        K::Float64 => FLOATS.iter().map(|x| Value::Float(*x)).collect(),
        K::Utf8 => text.iter().map(|x| Value::Utf8((*x).into())).collect(),
        K::Binary => text.iter().map(|x| Value::Binary(x.as_bytes().into())).collect(),
        K::Date32 => ints(32).into_iter().map(|x| Value::Date(x as i32)).collect(),
        K::Timestamp => ints(64).into_iter().map(Value::Timestamp).collect(),
        K::Decimal128 { precision, .. } => {
            let most = 10_i128.pow(precision.into()) - 1;
            [0, 1, -1, 25, most, -most, most / 3, 1 << 10].map(Value::Decimal).to_vec()
        }
    }
}

pub(crate) const FLOATS: [f64; 26] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    -0.1,
    3.0,
    33.25,
    1e16,
    -1e16,
    1e100,
    -1e100,
    1e308,
    -1e308,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    -f64::MIN_POSITIVE,
    5e-324,
    -5e-324,
    2.5e-310,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1e-30,
    4503599627370497.5,
];

/// Numbers that look random and are the same in every run (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Of a kind: often a hostile one, and often one that came before.
    pub(crate) fn value(&mut self, kind: ValueKind) -> Value {
        let hostile = hostile(kind);
        if self.below(3) == 0 {
            return hostile[self.below(hostile.len())].clone();
        }
        let wide = self.next();
        let small = wide % 50;
        match kind {
            ValueKind::Float64 if self.below(4) == 0 => Value::Float(f64::from_bits(wide)),
            ValueKind::Float64 => Value::Float((wide >> 11) as f64 / (1_u64 << 44) as f64 - 99.0),
            ValueKind::Float32 => Value::Float(f64::from(f32::from_bits(wide as u32))),
            ValueKind::Utf8 => Value::Utf8(format!("t{small}").into()),
            ValueKind::Binary => Value::Binary(vec![small as u8; small as usize].into()),
            ValueKind::Date32 => Value::Date(small as i32 - 20),
            ValueKind::Timestamp => Value::Timestamp(small as i64 - 20),
            ValueKind::Decimal128 { .. } => Value::Decimal(i128::from(small) * 7 - 100),
            ValueKind::Bool => Value::Bool(wide & 1 == 1),
            ValueKind::UInt8 | ValueKind::UInt16 | ValueKind::UInt32 | ValueKind::UInt64 => {
                Value::UInt(small)
            }
            _ => Value::Int(small as i64 - 20),
        }
    }

    pub(crate) fn row(&mut self, kind: Option<ValueKind>) -> Row {
        let is_null = self.below(6) == 0;
        let value = kind.filter(|_| !is_null).map(|kind| self.value(kind));
        let tie = vec![self.below(3) as u8; self.below(3)];
        Row { value, time: self.below(5) as i64 - 2, tie }
    }

    pub(crate) fn rows(&mut self, kind: Option<ValueKind>, count: usize) -> Vec<Row> {
        (0..count).map(|_| self.row(kind)).collect()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// What an aggregate of floats gives; none is null.
pub(crate) fn float_of(function: AggregateFunction, xs: &[f64]) -> Option<f64> {
    let aggregate = Aggregate::new(function, Some(ValueKind::Float64)).unwrap();
    let mut state = aggregate.empty();
    for x in xs {
        let key = OrderKey { event_timestamp: 0, tie: &[] };
        aggregate.update(&mut state, Some(ValueRef::Float(*x)), key);
    }
    match aggregate.finish(&state).unwrap() {
        None => None,
        Some(Value::Float(x)) => Some(x),
        Some(other) => panic!("{other:?} is no float"),
    }
}
