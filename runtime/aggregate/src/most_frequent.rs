//! `most_frequent`: how often each value came, exactly.

use std::collections::BTreeMap;

use crate::bytes::{Reader, StateError, write_unsigned};
use crate::function::ListSize;
use crate::value::{Value, ValueRef};
use crate::value_kind::ValueKind;

/// Counts above 0 of values without -0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frequencies {
    counts: BTreeMap<Value, u64>,
}

impl Frequencies {
    pub(crate) fn update(&mut self, value: ValueRef<'_>) {
        let value = value.without_sign_of_zero().to_value();
        let count = self.counts.entry(value).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (value, more) in &other.counts {
            match self.counts.get_mut(value) {
                Some(count) => *count = count.saturating_add(*more),
                None => {
                    self.counts.insert(value.clone(), *more);
                }
            }
        }
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        for (value, less) in &other.counts {
            if let Some(count) = self.counts.get_mut(value) {
                *count = count.saturating_sub(*less);
                if *count == 0 {
                    self.counts.remove(value);
                }
            }
        }
    }

    /// By count, then by value ascending.
    pub(crate) fn finish(&self, k: ListSize) -> Value {
        let mut values: Vec<(&Value, u64)> =
            self.counts.iter().map(|(value, count)| (value, *count)).collect();
        // Stable, and the values ascend already.
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Value::List(values.into_iter().take(k.get()).map(|(value, _)| value.clone()).collect())
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        let of_each = |value: &Value| size_of::<(Value, u64)>() + value.allocated_bytes();
        self.counts.keys().map(of_each).sum()
    }

    /// Ascending values, each with its count less 1.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        write_unsigned(to, self.counts.len() as u64);
        for (value, count) in &self.counts {
            value.encode(to);
            write_unsigned(to, count - 1);
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>, kind: ValueKind) -> Result<Self, StateError> {
        let length = from.length()?;
        let mut counts = BTreeMap::new();
        for _ in 0..length {
            let value = Value::decode(from, kind)?;
            let ascends = counts.last_key_value().is_none_or(|(last, _)| *last < value);
            if !ascends || value.is_negative_zero() {
                return Err(StateError::invalid("the values do not ascend"));
            }
            let count = from.count()?;
            if count == i64::MAX as u64 {
                return Err(StateError::invalid("a count is beyond 2^63 - 1"));
            }
            counts.insert(value, count + 1);
        }
        Ok(Self { counts })
    }
}
