//! Bytes of an operator's state, to be stored and read back by the same
//! version of it. What is read is not trusted: damaged bytes are an error.

use arrow::array::{Array, BinaryArray, BinaryBuilder};

/// Raised whenever the meaning of an operator's bytes changes.
const VERSION: u8 = 1;

/// Why stored bytes are no state of an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored state of the window operator cannot be read: {reason}; delete it and replay")]
pub struct StateBytesError {
    reason: &'static str,
}

impl StateBytesError {
    pub(crate) const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}

pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(vec![VERSION])
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn optional_i64(&mut self, value: Option<i64>) {
        self.u8(value.is_some().into());
        self.i64(value.unwrap_or(0));
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.u64(length as u64);
    }

    pub(crate) fn states(&mut self, states: &BinaryArray) {
        self.length(states.len());
        for state in states {
            match state {
                Some(state) => {
                    self.length(state.len() + 1);
                    self.0.extend(state);
                }
                None => self.length(0),
            }
        }
    }
}

pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, StateBytesError> {
        match bytes {
            [VERSION, rest @ ..] => Ok(Self(rest)),
            _ => Err(StateBytesError::new("it is of another version")),
        }
    }

    pub(crate) fn finish(&self) -> Result<(), StateBytesError> {
        if self.0.is_empty() { Ok(()) } else { Err(StateBytesError::new("it is too long")) }
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], StateBytesError> {
        let (bytes, rest) =
            self.0.split_at_checked(length).ok_or(StateBytesError::new("it is too short"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StateBytesError> {
        Ok(self.bytes(N)?.try_into().expect("so many were asked for"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, StateBytesError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn bool(&mut self) -> Result<bool, StateBytesError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StateBytesError::new("a flag is neither 0 nor 1")),
        }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, StateBytesError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StateBytesError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, StateBytesError> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn optional_i64(&mut self) -> Result<Option<i64>, StateBytesError> {
        let is_some = self.bool()?;
        let value = self.i64()?;
        Ok(is_some.then_some(value))
    }

    /// How many items follow, of at least one byte each, so that damaged bytes
    /// reserve no memory that they do not fill.
    pub(crate) fn length(&mut self) -> Result<usize, StateBytesError> {
        let length = usize::try_from(self.u64()?).unwrap_or(usize::MAX);
        if length > self.0.len() {
            return Err(StateBytesError::new("a length is beyond its end"));
        }
        Ok(length)
    }

    pub(crate) fn states(&mut self) -> Result<BinaryArray, StateBytesError> {
        let count = self.length()?;
        let mut states = BinaryBuilder::with_capacity(count, 0);
        for _ in 0..count {
            match usize::try_from(self.u64()?).unwrap_or(usize::MAX).checked_sub(1) {
                Some(length) => states.append_value(self.bytes(length)?),
                None => states.append_null(),
            }
        }
        Ok(states.finish())
    }
}
