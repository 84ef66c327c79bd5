//! `first` and `last`: a value with the key of its row.

use crate::bytes::{Reader, StateError};
use crate::order_key::{KeptKey, OrderKey};
use crate::value::{Value, ValueRef};
use crate::value_kind::ValueKind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndState {
    pub(crate) row: Option<(KeptKey, Value)>,
}

impl EndState {
    pub(crate) const EMPTY: Self = Self { row: None };

    pub(crate) fn update(&mut self, key: OrderKey<'_>, value: ValueRef<'_>, is_last: bool) {
        let is_better = match &self.row {
            None => true,
            Some((kept, best)) => {
                let order = key.cmp(&kept.as_key()).then_with(|| value.compare(best));
                if is_last { order.is_gt() } else { order.is_lt() }
            }
        };
        if is_better {
            self.row = Some((key.into(), value.to_value()));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, is_last: bool) {
        if let Some((key, value)) = &other.row {
            self.update(key.as_key(), value.as_ref(), is_last);
        }
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        self.row.as_ref().map_or(0, |(key, value)| key.allocated_bytes() + value.allocated_bytes())
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        to.push(u8::from(self.row.is_some()));
        if let Some((key, value)) = &self.row {
            key.encode(to);
            value.encode(to);
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>, kind: ValueKind) -> Result<Self, StateError> {
        let row = match from.byte()? {
            0 => None,
            1 => Some((KeptKey::decode(from)?, Value::decode(from, kind)?)),
            _ => return Err(StateError::invalid("a row is neither there nor absent")),
        };
        Ok(Self { row })
    }
}
