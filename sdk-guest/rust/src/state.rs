//! The states of aggregates as bytes: little-endian, without padding, one way
//! to write each value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use unskew_aggregate::ExactSum;

use crate::buffer::Buffer;
use crate::{Date, Decimal, Timestamp, Uint8List};

/// What the state of an aggregate is made of. Derive it:
/// `#[derive(Default, unskew::State)]`.
///
/// Equal states must give equal bytes, so there are no hash maps here, whose
/// order is arbitrary. All NaNs are written as one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of an aggregate's state",
    label = "not part of a state",
    note = "give a struct #[derive(Default, unskew::State)]; a state is made of bool, i8 to i128, u8 to u128, f32, f64, String, dates, timestamps, decimals, Option, Vec, Box, arrays, tuples, BTreeMap and BTreeSet of these, and such structs; a HashMap has no order, so take a BTreeMap or an unskew::PinnedMap; sum floats in an unskew::ExactSum"
)]
pub trait State: Sized {
    /// Appends its bytes.
    fn encode(&self, to: &mut StateWriter<'_>);

    /// Reads what `encode` wrote, and refuses all else.
    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError>;
}

/// Where a state is written to.
pub struct StateWriter<'a> {
    bytes: &'a mut Buffer,
}

impl<'a> StateWriter<'a> {
    pub(crate) fn new(bytes: &'a mut Buffer) -> Self {
        Self { bytes }
    }

    /// Appends bytes.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        self.bytes.push_bytes(bytes);
    }

    /// Appends a number of items.
    pub fn write_length(&mut self, length: usize) {
        let length = u32::try_from(length).expect("a state has fewer than 2^32 items");
        self.write(&length.to_le_bytes());
    }
}

/// What a state is read from.
pub struct StateReader<'a> {
    rest: &'a [u8],
}

impl<'a> StateReader<'a> {
    /// Reads the state that all of `bytes` are.
    pub(crate) fn read<S: State>(bytes: &'a [u8]) -> Result<S, StateError> {
        let mut reader = Self { rest: bytes };
        let state = S::decode(&mut reader)?;
        match reader.rest {
            [] => Ok(state),
            rest => Err(StateError(Reason::TooLong(rest.len()))),
        }
    }

    /// Takes `count` bytes.
    #[inline]
    pub fn read_bytes(&mut self, count: usize) -> Result<&'a [u8], StateError> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(StateError(Reason::TooShort))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes a number of items, each of at least one byte.
    pub fn read_length(&mut self) -> Result<usize, StateError> {
        let length = u32::decode(self)? as usize;
        if length > self.rest.len() {
            return Err(StateError(Reason::TooShort));
        }
        Ok(length)
    }
}

/// Why bytes are no state.
#[derive(Debug, PartialEq, Eq)]
pub struct StateError(Reason);

#[derive(Debug, PartialEq, Eq)]
enum Reason {
    TooShort,
    TooLong(usize),
    Invalid(&'static str),
}

impl StateError {
    /// Of a value that `encode` never writes.
    pub const fn invalid(what: &'static str) -> Self {
        Self(Reason::Invalid(what))
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a state of this aggregate: ")?;
        match self.0 {
            Reason::TooShort => f.write_str("too few bytes"),
            Reason::TooLong(by) => write!(f, "{by} bytes too many"),
            Reason::Invalid(what) => f.write_str(what),
        }
    }
}

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl State for $type {
            #[inline]
            fn encode(&self, to: &mut StateWriter<'_>) {
                to.write(&self.to_le_bytes());
            }

            #[inline]
            fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
                let bytes = from.read_bytes(size_of::<$type>())?;
                Ok(<$type>::from_le_bytes(bytes.try_into().expect("so many were read")))
            }
        }
    )* };
}
integers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128);

macro_rules! floats {
    ($($type:ty, $nan:literal;)*) => { $(
        impl State for $type {
            #[inline]
            fn encode(&self, to: &mut StateWriter<'_>) {
                let bits = if self.is_nan() { $nan } else { self.to_bits() };
                to.write(&bits.to_le_bytes());
            }

            #[inline]
            fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
                let bytes = from.read_bytes(size_of::<$type>())?;
                let value = <$type>::from_le_bytes(bytes.try_into().expect("so many were read"));
                if value.is_nan() && value.to_bits() != $nan {
                    return Err(StateError::invalid("a NaN of another form"));
                }
                Ok(value)
            }
        }
    )* };
}
floats! {
    f32, 0x7fc0_0000;
    f64, 0x7ff8_0000_0000_0000;
}

impl State for bool {
    fn encode(&self, to: &mut StateWriter<'_>) {
        to.write(&[u8::from(*self)]);
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        match u8::decode(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StateError::invalid("a bool that is neither 0 nor 1")),
        }
    }
}

impl State for String {
    fn encode(&self, to: &mut StateWriter<'_>) {
        to.write_length(self.len());
        to.write(self.as_bytes());
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        let length = from.read_length()?;
        let bytes = from.read_bytes(length)?;
        match str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(StateError::invalid("text that is not UTF-8")),
        }
    }
}

impl<T: State> State for Option<T> {
    fn encode(&self, to: &mut StateWriter<'_>) {
        self.is_some().encode(to);
        if let Some(value) = self {
            value.encode(to);
        }
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        bool::decode(from)?.then(|| T::decode(from)).transpose()
    }
}

impl<T: State> State for Box<T> {
    fn encode(&self, to: &mut StateWriter<'_>) {
        T::encode(self, to);
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        T::decode(from).map(Box::new)
    }
}

/// A length is compared with the bytes that are left, so items need some.
const fn check_item<T>() {
    assert!(size_of::<T>() > 0, "items of a state cannot be empty structs");
}

impl<T: State> State for Vec<T> {
    fn encode(&self, to: &mut StateWriter<'_>) {
        const { check_item::<T>() };
        to.write_length(self.len());
        for item in self {
            item.encode(to);
        }
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        const { check_item::<T>() };
        let length = from.read_length()?;
        (0..length).map(|_| T::decode(from)).collect()
    }
}

impl<T: State, const N: usize> State for [T; N] {
    fn encode(&self, to: &mut StateWriter<'_>) {
        for item in self {
            item.encode(to);
        }
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        let items = (0..N).map(|_| T::decode(from)).collect::<Result<Vec<T>, _>>()?;
        items.try_into().map_err(|_| StateError(Reason::TooShort))
    }
}

const NOT_ASCENDING: StateError = StateError::invalid("keys that do not ascend");

impl<T: State + Ord> State for BTreeSet<T> {
    fn encode(&self, to: &mut StateWriter<'_>) {
        const { check_item::<T>() };
        to.write_length(self.len());
        for item in self {
            item.encode(to);
        }
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        let items = Vec::<T>::decode(from)?;
        if !items.is_sorted_by(|a, b| a < b) {
            return Err(NOT_ASCENDING);
        }
        Ok(items.into_iter().collect())
    }
}

impl<K: State + Ord, V: State> State for BTreeMap<K, V> {
    fn encode(&self, to: &mut StateWriter<'_>) {
        const { check_item::<K>() };
        to.write_length(self.len());
        for (key, value) in self {
            key.encode(to);
            value.encode(to);
        }
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        let items = Vec::<(K, V)>::decode(from)?;
        if !items.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(NOT_ASCENDING);
        }
        Ok(items.into_iter().collect())
    }
}

macro_rules! tuples {
    ($($type:ident $at:tt),*) => {
        impl<$($type: State),*> State for ($($type,)*) {
            fn encode(&self, to: &mut StateWriter<'_>) {
                $(self.$at.encode(to);)*
            }

            fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
                Ok(($($type::decode(from)?,)*))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);

impl State for Date {
    fn encode(&self, to: &mut StateWriter<'_>) {
        self.days().encode(to);
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        i32::decode(from).map(Self::from_days)
    }
}

impl State for Timestamp {
    fn encode(&self, to: &mut StateWriter<'_>) {
        self.micros().encode(to);
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        i64::decode(from).map(Self::from_micros)
    }
}

impl<const P: u8, const S: u8> State for Decimal<P, S> {
    fn encode(&self, to: &mut StateWriter<'_>) {
        self.units().encode(to);
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        Self::new(i128::decode(from)?)
            .ok_or(StateError::invalid("a decimal of more digits than its type"))
    }
}

impl State for ExactSum {
    fn encode(&self, to: &mut StateWriter<'_>) {
        match self.to_short_bytes() {
            Some((bytes, length)) => {
                to.write_length(length);
                to.bytes.push_first(&bytes, length);
            }
            None => {
                let bytes = self.to_bytes();
                to.write_length(bytes.len());
                to.write(&bytes);
            }
        }
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        let length = from.read_length()?;
        let bytes = from.read_bytes(length)?;
        Self::from_bytes(bytes).map_err(|_| StateError::invalid("a sum in another form"))
    }
}

impl State for Uint8List {
    fn encode(&self, to: &mut StateWriter<'_>) {
        self.0.encode(to);
    }

    fn decode(from: &mut StateReader<'_>) -> Result<Self, StateError> {
        Vec::decode(from).map(Self)
    }
}

/// The bytes of a state, as they would go to the host: for tests.
pub fn encode_state<S: State>(state: &S) -> Vec<u8> {
    let mut bytes = Buffer::new();
    state.encode(&mut StateWriter::new(&mut bytes));
    bytes.as_bytes().to_vec()
}

/// The state that `bytes` are: for tests.
pub fn decode_state<S: State>(bytes: &[u8]) -> Result<S, StateError> {
    StateReader::read(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Everything = (
        (bool, i8, u128, f64),
        (String, Option<f32>, Vec<(i64, String)>),
        (BTreeMap<String, u64>, BTreeSet<i16>, [u16; 3]),
        (Date, Timestamp, Decimal<10, 2>, Box<Uint8List>),
    );

    fn everything() -> Everything {
        (
            (true, -3, u128::MAX, -0.0),
            ("é".to_owned(), Some(1.5), vec![(7, "x".to_owned()), (-1, String::new())]),
            (
                BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]),
                BTreeSet::from([-5, 9]),
                [1, 2, 3],
            ),
            (
                Date::from_days(-1),
                Timestamp::from_micros(1),
                Decimal::new(12_50).unwrap(),
                Box::new(Uint8List(vec![0, 255])),
            ),
        )
    }

    #[test]
    fn states_come_back() {
        let bytes = encode_state(&everything());
        assert_eq!(decode_state::<Everything>(&bytes), Ok(everything()));
    }

    #[test]
    fn bytes_that_were_cut_or_added_to_are_refused() {
        let bytes = encode_state(&everything());
        for length in 0..bytes.len() {
            assert!(decode_state::<Everything>(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [bytes, vec![0]].concat();
        assert!(decode_state::<Everything>(&longer).is_err());
    }

    #[test]
    fn what_encode_never_writes_is_refused() {
        assert!(decode_state::<bool>(&[2]).is_err());
        assert!(decode_state::<Option<u8>>(&[3, 0]).is_err());
        assert!(decode_state::<String>(&[1, 0, 0, 0, 0xff]).is_err());
        assert!(decode_state::<Vec<u64>>(&[255; 4]).is_err());
        assert!(decode_state::<BTreeSet<u8>>(&[2, 0, 0, 0, 5, 5]).is_err());
        assert!(decode_state::<BTreeMap<u8, u8>>(&[2, 0, 0, 0, 5, 0, 4, 0]).is_err());
        assert!(decode_state::<f64>(&(-f64::NAN).to_le_bytes()).is_err());
        assert!(decode_state::<Decimal<2, 0>>(&100_i128.to_le_bytes()).is_err());
    }

    #[test]
    fn exact_sums_come_back_whatever_their_history() {
        let sum = |floats: &[f64]| {
            let mut sum = ExactSum::new();
            floats.iter().for_each(|x| sum.add(*x));
            sum
        };
        let bytes = encode_state(&(sum(&[1e300, 0.1, f64::NAN]), 7_u8));
        assert_eq!(bytes, encode_state(&(sum(&[f64::NAN, 0.1, 1e300]), 7_u8)));
        let (mut back, seven) = decode_state::<(ExactSum, u8)>(&bytes).unwrap();
        assert_eq!((&back, seven), (&sum(&[1e300, 0.1, f64::NAN]), 7));
        back.subtract(&sum(&[1e300, f64::NAN]));
        assert_eq!(back.value(), 0.1);
        assert!(decode_state::<(ExactSum, u8)>(&bytes[..bytes.len() - 2]).is_err());
        assert!(decode_state::<ExactSum>(&[4, 0, 0, 0, 64, 1, 0, 1]).is_err());
    }

    #[test]
    fn there_is_one_nan() {
        let other = f64::from_bits(0xfff8_0000_0000_0001);
        assert_eq!(encode_state(&other), encode_state(&f64::NAN));
    }
}
