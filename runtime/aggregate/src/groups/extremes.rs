//! Least or greatest values of many groups, of kinds that fit in 64 bits.

use super::lanes::Lanes;
use crate::min_max::ExtremeState;
use crate::state::Body;
use crate::value::{Value, one_nan};
use crate::value_kind::ValueKind;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Ordered like the values; of a minimum the greater, the less the value.
    key: i64,
    is_there: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Extremes {
    kind: ValueKind,
    /// All ones for a minimum: then a key's bits are the other way round.
    flip: i64,
    slots: Vec<Slot>,
}

/// A signed integer with the place of a float in the total order.
#[inline(always)]
pub(super) fn float_key(x: f64) -> i64 {
    // What `f64::total_cmp` compares.
    let bits = one_nan(x).to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

#[inline(always)]
pub(super) fn unsigned_key(x: u64) -> i64 {
    (x ^ 1 << 63) as i64
}

impl Extremes {
    /// None of a kind whose values are wider.
    pub(super) fn new(kind: ValueKind, is_max: bool) -> Option<Self> {
        match kind {
            ValueKind::Utf8 | ValueKind::Binary | ValueKind::Decimal128 { .. } => None,
            _ => Some(Self { kind, flip: if is_max { 0 } else { -1 }, slots: Vec::new() }),
        }
    }

    /// Takes in the keys of values that are there, each with its group.
    #[inline(always)]
    pub(super) fn update(&mut self, rows: impl Iterator<Item = (i64, u32)>) {
        let flip = self.flip;
        for (key, group) in rows {
            self.slots[group as usize].raise(key ^ flip);
        }
    }

    fn key(&self, value: &Value) -> Option<i64> {
        Some(match value {
            Value::Bool(x) => i64::from(*x),
            Value::Int(x) | Value::Timestamp(x) => *x,
            Value::UInt(x) => unsigned_key(*x),
            Value::Float(x) => float_key(*x),
            Value::Date(x) => i64::from(*x),
            Value::Decimal(_) | Value::Utf8(_) | Value::Binary(_) | Value::List(_) => return None,
        })
    }

    fn value(&self, key: i64) -> Value {
        match self.kind {
            ValueKind::Bool => Value::Bool(key != 0),
            ValueKind::UInt8 | ValueKind::UInt16 | ValueKind::UInt32 | ValueKind::UInt64 => {
                Value::UInt(key as u64 ^ 1 << 63)
            }
            ValueKind::Float32 | ValueKind::Float64 => {
                Value::Float(f64::from_bits((key ^ ((key >> 63) as u64 >> 1) as i64) as u64))
            }
            ValueKind::Date32 => Value::Date(key as i32),
            ValueKind::Timestamp => Value::Timestamp(key),
            _ => Value::Int(key),
        }
    }
}

impl Slot {
    #[inline(always)]
    fn raise(&mut self, key: i64) {
        if !self.is_there || key > self.key {
            *self = Self { key, is_there: true };
        }
    }
}

impl Lanes for Extremes {
    fn len(&self) -> usize {
        self.slots.len()
    }

    fn resize(&mut self, groups: usize) {
        self.slots.resize(groups, Slot::default());
    }

    fn clear(&mut self, group: usize) {
        self.slots[group] = Slot::default();
    }

    fn body(&self, group: usize) -> Body {
        let Slot { key, is_there } = self.slots[group];
        Body::Extreme(ExtremeState { value: is_there.then(|| self.value(key ^ self.flip)) })
    }

    fn merge(&mut self, group: usize, other: &Body, is_out: bool) -> bool {
        let Body::Extreme(ExtremeState { value }) = other else { return false };
        let Some(value) = value else { return true };
        match self.key(value) {
            Some(key) if !is_out => self.slots[group].raise(key ^ self.flip),
            _ => return false,
        }
        true
    }

    fn allocated_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }
}
