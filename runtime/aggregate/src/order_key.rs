//! Where a row stands among those of its entity.

use crate::bytes::{Reader, StateError, write_signed};
use crate::value::{read_sized, write_sized};

/// What `first`, `last` and `last_n` order rows by: the event's time, then the
/// tie: bytes that order like (created_timestamp, partition, offset), or the
/// row's canonical bytes. Rows with equal keys are ordered by their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderKey<'a> {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub event_timestamp: i64,
    /// Compared byte by byte.
    pub tie: &'a [u8],
}

/// The same, kept in a state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeptKey {
    event_timestamp: i64,
    tie: Box<[u8]>,
}

impl KeptKey {
    pub(crate) fn as_key(&self) -> OrderKey<'_> {
        OrderKey { event_timestamp: self.event_timestamp, tie: &self.tie }
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        self.tie.len()
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let Self { event_timestamp, tie } = self;
        write_signed(to, *event_timestamp);
        write_sized(to, tie);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, StateError> {
        Ok(Self { event_timestamp: from.signed()?, tie: read_sized(from)?.into() })
    }
}

impl From<OrderKey<'_>> for KeptKey {
    fn from(key: OrderKey<'_>) -> Self {
        Self { event_timestamp: key.event_timestamp, tie: key.tie.into() }
    }
}
