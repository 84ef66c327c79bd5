//! `min` and `max` by the total order of values.

use crate::bytes::{Reader, StateError};
use crate::value::{Value, ValueRef};
use crate::value_kind::ValueKind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExtremeState {
    pub(crate) value: Option<Value>,
}

impl ExtremeState {
    pub(crate) const EMPTY: Self = Self { value: None };

    pub(crate) fn update(&mut self, value: ValueRef<'_>, is_max: bool) {
        let is_better = match &self.value {
            None => true,
            Some(best) if is_max => value.compare(best).is_gt(),
            Some(best) => value.compare(best).is_lt(),
        };
        if is_better {
            self.value = Some(value.to_value());
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, is_max: bool) {
        if let Some(value) = &other.value {
            self.update(value.as_ref(), is_max);
        }
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        to.push(u8::from(self.value.is_some()));
        if let Some(value) = &self.value {
            value.encode(to);
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>, kind: ValueKind) -> Result<Self, StateError> {
        let value = match from.byte()? {
            0 => None,
            1 => Some(Value::decode(from, kind)?),
            _ => return Err(StateError::invalid("a value is neither there nor absent")),
        };
        Ok(Self { value })
    }
}
