//! `last_n`: the values of the last rows, by the same order as `last`.

use crate::bytes::{Reader, StateError, write_unsigned};
use crate::function::ListSize;
use crate::order_key::{KeptKey, OrderKey};
use crate::value::{Value, ValueRef};
use crate::value_kind::ValueKind;

/// Oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastRows {
    rows: Vec<(KeptKey, Value)>,
}

impl LastRows {
    pub(crate) fn update(&mut self, key: OrderKey<'_>, value: ValueRef<'_>, n: ListSize) {
        let at = self.rows.partition_point(|(kept, before)| {
            kept.as_key().cmp(&key).then_with(|| value.compare(before).reverse()).is_lt()
        });
        let is_full = self.rows.len() == n.get();
        if is_full && at == 0 {
            return;
        }
        let row = (key.into(), value.to_value());
        if is_full {
            self.rows[..at].rotate_left(1);
            self.rows[at - 1] = row;
        } else {
            self.rows.insert(at, row);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, n: ListSize) {
        for (key, value) in &other.rows {
            self.update(key.as_key(), value.as_ref(), n);
        }
    }

    pub(crate) fn finish(&self) -> Value {
        Value::List(self.rows.iter().map(|(_, value)| value.clone()).collect())
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        let of_each =
            |(key, value): &(KeptKey, Value)| key.allocated_bytes() + value.allocated_bytes();
        self.rows.capacity() * size_of::<(KeptKey, Value)>()
            + self.rows.iter().map(of_each).sum::<usize>()
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        write_unsigned(to, self.rows.len() as u64);
        for (key, value) in &self.rows {
            key.encode(to);
            value.encode(to);
        }
    }

    pub(crate) fn decode(
        from: &mut Reader<'_>,
        kind: ValueKind,
        n: ListSize,
    ) -> Result<Self, StateError> {
        let length = from.length()?;
        if length > n.get() {
            return Err(StateError::invalid("there are more rows than the list is long"));
        }
        let rows = (0..length)
            .map(|_| Ok((KeptKey::decode(from)?, Value::decode(from, kind)?)))
            .collect::<Result<Vec<_>, StateError>>()?;
        if !rows.is_sorted() {
            return Err(StateError::invalid("the rows are not in order"));
        }
        Ok(Self { rows })
    }
}
