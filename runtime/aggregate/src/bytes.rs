//! How states are written: little-endian base-128 numbers in their shortest
//! form, so that there is one way to write each state.

use std::fmt;

/// Why bytes are no state of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateError(Reason);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    TooShort,
    TooLong(usize),
    OtherAggregate { expected: u8, found: u8 },
    OtherVersion { expected: u8, found: u8 },
    Invalid(&'static str),
}

impl StateError {
    pub(crate) const TOO_SHORT: Self = Self(Reason::TooShort);

    /// Of a form that is never written.
    pub(crate) const fn invalid(what: &'static str) -> Self {
        Self(Reason::Invalid(what))
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these bytes are no state of this aggregate: ")?;
        match self.0 {
            Reason::TooShort => f.write_str("there are too few of them"),
            Reason::TooLong(by) => write!(f, "there are {by} too many"),
            Reason::OtherAggregate { expected, found } => {
                write!(f, "they are of the aggregate with id {found}, not {expected}")
            }
            Reason::OtherVersion { expected, found } => write!(
                f,
                "they have version {found}, and this Unskew reads version {expected}; compute them anew"
            ),
            Reason::Invalid(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for StateError {}

/// Takes a state apart, from its first byte on.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads behind the id and the version, which must be these.
    pub(crate) fn open(bytes: &'a [u8], id: u8, version: u8) -> Result<Self, StateError> {
        let mut reader = Self { rest: bytes };
        let found = reader.byte()?;
        if found != id {
            return Err(StateError(Reason::OtherAggregate { expected: id, found }));
        }
        let found = reader.byte()?;
        if found != version {
            return Err(StateError(Reason::OtherVersion { expected: version, found }));
        }
        Ok(reader)
    }

    /// Refuses what is left over.
    pub(crate) fn close(self) -> Result<(), StateError> {
        match self.rest.len() {
            0 => Ok(()),
            by => Err(StateError(Reason::TooLong(by))),
        }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, StateError> {
        Ok(self.bytes(1)?[0])
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], StateError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(StateError::TOO_SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        Ok(self.bytes(N)?.try_into().expect("so many were taken"))
    }

    pub(crate) fn unsigned_wide(&mut self) -> Result<u128, StateError> {
        let mut value = 0_u128;
        for at in 0..19_u32 {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if at == 18 && bits > 3 {
                break;
            }
            value |= bits << (7 * at);
            if byte & 0x80 == 0 {
                if byte == 0 && at > 0 {
                    return Err(StateError::invalid("a number is written longer than it is"));
                }
                return Ok(value);
            }
        }
        Err(StateError::invalid("a number is too great"))
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, StateError> {
        let value = self.unsigned_wide()?;
        u64::try_from(value).map_err(|_| StateError::invalid("a number is too great"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, StateError> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn signed_wide(&mut self) -> Result<i128, StateError> {
        let value = self.unsigned_wide()?;
        Ok((value >> 1) as i128 ^ -((value & 1) as i128))
    }

    /// A number of rows: what a feature can count to.
    pub(crate) fn count(&mut self) -> Result<u64, StateError> {
        let count = self.unsigned()?;
        if count > i64::MAX as u64 {
            return Err(StateError::invalid("a count is beyond 2^63 - 1"));
        }
        Ok(count)
    }

    /// A number of items, each of which takes at least one byte, so that no
    /// more is allocated than bytes are there.
    pub(crate) fn length(&mut self) -> Result<usize, StateError> {
        let length = self.unsigned()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(length),
            _ => Err(StateError::TOO_SHORT),
        }
    }
}

pub(crate) fn write_unsigned_wide(to: &mut Vec<u8>, mut value: u128) {
    while value > 0x7f {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

pub(crate) fn write_unsigned(to: &mut Vec<u8>, value: u64) {
    write_unsigned_wide(to, value.into());
}

/// Zero, -1, 1, -2, 2 and so on become 0, 1, 2, 3, 4.
pub(crate) fn write_signed(to: &mut Vec<u8>, value: i64) {
    write_unsigned(to, (value << 1 ^ value >> 63) as u64);
}

pub(crate) fn write_signed_wide(to: &mut Vec<u8>, value: i128) {
    write_unsigned_wide(to, (value << 1 ^ value >> 127) as u128);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8]) -> Reader<'_> {
        Reader { rest: bytes }
    }

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::MAX] {
            let mut bytes = Vec::new();
            write_unsigned(&mut bytes, value);
            assert_eq!(reader(&bytes).unsigned(), Ok(value));
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut bytes = Vec::new();
            write_signed(&mut bytes, value);
            assert_eq!(reader(&bytes).signed(), Ok(value));
        }
        for value in [0, -1, i128::MIN, i128::MAX] {
            let mut bytes = Vec::new();
            write_signed_wide(&mut bytes, value);
            assert_eq!(reader(&bytes).signed_wide(), Ok(value));
        }
    }

    #[test]
    fn longer_forms_and_too_great_numbers_are_refused() {
        assert!(reader(&[0x80, 0]).unsigned().is_err());
        assert!(reader(&[0xff, 0x80, 0]).unsigned().is_err());
        assert!(reader(&[0x80]).unsigned().is_err());
        let mut beyond = [0xff; 10];
        beyond[9] = 2;
        assert!(reader(&beyond).unsigned().is_err());
        let mut beyond = [0xff; 19];
        beyond[18] = 4;
        assert!(reader(&beyond).unsigned_wide().is_err());
        assert!(reader(&[0xff; 40]).unsigned_wide().is_err());
    }

    #[test]
    fn a_length_is_bounded_by_what_is_there() {
        assert_eq!(reader(&[2, 0, 0]).length(), Ok(2));
        assert_eq!(reader(&[3, 0, 0]).length(), Err(StateError::TOO_SHORT));
    }
}
