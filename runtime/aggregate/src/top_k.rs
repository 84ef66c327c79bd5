//! `top_k`: the greatest values.

use crate::bytes::{Reader, StateError, write_unsigned};
use crate::function::ListSize;
use crate::value::{Value, ValueRef};
use crate::value_kind::ValueKind;

/// Greatest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Greatest {
    values: Vec<Value>,
}

impl Greatest {
    pub(crate) fn update(&mut self, value: ValueRef<'_>, k: ListSize) {
        if self.values.len() == k.get() {
            let is_better = self.values.last().is_some_and(|last| value.compare(last).is_gt());
            if !is_better {
                return;
            }
            self.values.pop();
        }
        let at = self.values.partition_point(|before| value.compare(before).is_le());
        self.values.insert(at, value.to_value());
    }

    pub(crate) fn merge(&mut self, other: &Self, k: ListSize) {
        for value in &other.values {
            self.update(value.as_ref(), k);
        }
    }

    pub(crate) fn finish(&self) -> Value {
        Value::List(self.values.clone())
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        let of_each: usize = self.values.iter().map(Value::allocated_bytes).sum();
        self.values.capacity() * size_of::<Value>() + of_each
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        write_unsigned(to, self.values.len() as u64);
        self.values.iter().for_each(|value| value.encode(to));
    }

    pub(crate) fn decode(
        from: &mut Reader<'_>,
        kind: ValueKind,
        k: ListSize,
    ) -> Result<Self, StateError> {
        let length = from.length()?;
        if length > k.get() {
            return Err(StateError::invalid("there are more values than the list is long"));
        }
        let values =
            (0..length).map(|_| Value::decode(from, kind)).collect::<Result<Vec<_>, _>>()?;
        if !values.is_sorted_by(|a, b| a >= b) {
            return Err(StateError::invalid("the values do not descend"));
        }
        Ok(Self { values })
    }
}
