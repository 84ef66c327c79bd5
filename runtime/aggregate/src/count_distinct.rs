//! `count_distinct`: the set of values itself.

use std::collections::BTreeSet;

use crate::bytes::{Reader, StateError, write_unsigned};
use crate::value::{Value, ValueRef};
use crate::value_kind::ValueKind;

/// Without -0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DistinctValues {
    values: BTreeSet<Value>,
}

impl DistinctValues {
    pub(crate) fn update(&mut self, value: ValueRef<'_>) {
        self.values.insert(value.without_sign_of_zero().to_value());
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for value in &other.values {
            if !self.values.contains(value) {
                self.values.insert(value.clone());
            }
        }
    }

    pub(crate) fn finish(&self) -> Value {
        Value::Int(self.values.len() as i64)
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        self.values.iter().map(|value| size_of::<Value>() + value.allocated_bytes()).sum()
    }

    /// Ascending.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        write_unsigned(to, self.values.len() as u64);
        self.values.iter().for_each(|value| value.encode(to));
    }

    pub(crate) fn decode(from: &mut Reader<'_>, kind: ValueKind) -> Result<Self, StateError> {
        let length = from.length()?;
        let mut values = BTreeSet::new();
        for _ in 0..length {
            let value = Value::decode(from, kind)?;
            let ascends = values.last().is_none_or(|last| *last < value);
            if !ascends || value.is_negative_zero() {
                return Err(StateError::invalid("the values do not ascend"));
            }
            values.insert(value);
        }
        Ok(Self { values })
    }
}
