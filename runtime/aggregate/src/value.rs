//! Values, their total order and their bytes.

use std::cmp::Ordering;

use crate::bytes::{Reader, StateError, write_signed, write_signed_wide, write_unsigned};
use crate::value_kind::ValueKind;

/// A value on its way into an aggregate. Its kind is the aggregate's.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// Of `bool`.
    Bool(bool),
    /// Of `int8` to `int64`.
    Int(i64),
    /// Of `uint8` to `uint64`.
    UInt(u64),
    /// Of `float64`, and of `float32` widened.
    Float(f64),
    /// Of `decimal128`, in units of its scale.
    Decimal(i128),
    /// Of `date32`: days since 1970-01-01.
    Date(i32),
    /// Of `timestamp`: microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Of `utf8`.
    Utf8(&'a str),
    /// Of `binary`.
    Binary(&'a [u8]),
}

/// A value that an aggregate gives.
///
/// The order is total: of floats -inf < ... < -0 < +0 < ... < inf < NaN, with
/// one NaN; of text and bytes that of their bytes. Values of different kinds
/// are never compared.
#[derive(Clone, Debug)]
pub enum Value {
    /// Of `bool`.
    Bool(bool),
    /// Of `int8` to `int64`.
    Int(i64),
    /// Of `uint8` to `uint64`.
    UInt(u64),
    /// Of `float64`, and of `float32` widened. The one NaN is
    /// `0x7ff8000000000000`.
    Float(f64),
    /// Of `decimal128`, in units of its scale.
    Decimal(i128),
    /// Of `date32`: days since 1970-01-01.
    Date(i32),
    /// Of `timestamp`: microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Of `utf8`.
    Utf8(Box<str>),
    /// Of `binary`.
    Binary(Box<[u8]>),
    /// Of `last_n`, `top_k` and `most_frequent`: values of the input's kind.
    List(Vec<Value>),
}

const NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);

pub(crate) fn one_nan(x: f64) -> f64 {
    if x.is_nan() { NAN } else { x }
}

impl ValueRef<'_> {
    /// The value itself, with the one NaN.
    pub fn to_value(self) -> Value {
        match self {
            Self::Bool(x) => Value::Bool(x),
            Self::Int(x) => Value::Int(x),
            Self::UInt(x) => Value::UInt(x),
            Self::Float(x) => Value::Float(one_nan(x)),
            Self::Decimal(x) => Value::Decimal(x),
            Self::Date(x) => Value::Date(x),
            Self::Timestamp(x) => Value::Timestamp(x),
            Self::Utf8(x) => Value::Utf8(x.into()),
            Self::Binary(x) => Value::Binary(x.into()),
        }
    }

    /// The same where +0 and -0 are not to be told apart.
    pub(crate) fn without_sign_of_zero(self) -> Self {
        match self {
            Self::Float(0.0) => Self::Float(0.0),
            other => other,
        }
    }

    /// Compares with an owned value of the same kind.
    pub(crate) fn compare(self, other: &Value) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Self::Int(a), Value::Int(b)) | (Self::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
            (Self::UInt(a), Value::UInt(b)) => a.cmp(b),
            (Self::Float(a), Value::Float(b)) => one_nan(a).total_cmp(b),
            (Self::Decimal(a), Value::Decimal(b)) => a.cmp(b),
            (Self::Date(a), Value::Date(b)) => a.cmp(b),
            (Self::Utf8(a), Value::Utf8(b)) => a.cmp(b),
            (Self::Binary(a), Value::Binary(b)) => a.cmp(b),
            _ => panic!("{self:?} and {other:?} are of different kinds"),
        }
    }
}

impl Value {
    /// As it would go into an aggregate.
    ///
    /// # Panics
    ///
    /// When it is a list.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Bool(x) => ValueRef::Bool(*x),
            Self::Int(x) => ValueRef::Int(*x),
            Self::UInt(x) => ValueRef::UInt(*x),
            Self::Float(x) => ValueRef::Float(*x),
            Self::Decimal(x) => ValueRef::Decimal(*x),
            Self::Date(x) => ValueRef::Date(*x),
            Self::Timestamp(x) => ValueRef::Timestamp(*x),
            Self::Utf8(x) => ValueRef::Utf8(x),
            Self::Binary(x) => ValueRef::Binary(x),
            Self::List(_) => panic!("a list is no input of an aggregate"),
        }
    }

    /// What it has allocated beside itself.
    pub(crate) fn allocated_bytes(&self) -> usize {
        match self {
            Self::Utf8(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::List(values) => {
                values.iter().map(|value| size_of::<Self>() + value.allocated_bytes()).sum()
            }
            _ => 0,
        }
    }

    /// Bytes from which a reader that knows the kind finds the end.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Bool(x) => to.push(u8::from(*x)),
            Self::Int(x) | Self::Timestamp(x) => write_signed(to, *x),
            Self::UInt(x) => write_unsigned(to, *x),
            Self::Float(x) => to.extend(x.to_le_bytes()),
            Self::Decimal(x) => write_signed_wide(to, *x),
            Self::Date(x) => write_signed(to, (*x).into()),
            Self::Utf8(x) => write_sized(to, x.as_bytes()),
            Self::Binary(x) => write_sized(to, x),
            Self::List(_) => unreachable!("states hold inputs, and none of them is a list"),
        }
    }

    /// Reads a value of this kind, and refuses what no column of it holds.
    pub(crate) fn decode(from: &mut Reader<'_>, kind: ValueKind) -> Result<Self, StateError> {
        const BEYOND: StateError = StateError::invalid("a value is not of the input's type");
        let int = |from: &mut Reader<'_>, bits: u32| {
            let value = from.signed()?;
            let fits = value >> (bits - 1) == value >> 63;
            fits.then_some(value).ok_or(BEYOND)
        };
        let uint = |from: &mut Reader<'_>, bits: u32| {
            let value = from.unsigned()?;
            let fits = bits == 64 || value >> bits == 0;
            fits.then_some(value).ok_or(BEYOND)
        };
        Ok(match kind {
            ValueKind::Bool => match from.byte()? {
                0 => Self::Bool(false),
                1 => Self::Bool(true),
                _ => return Err(BEYOND),
            },
            ValueKind::Int8 => Self::Int(int(from, 8)?),
            ValueKind::Int16 => Self::Int(int(from, 16)?),
            ValueKind::Int32 => Self::Int(int(from, 32)?),
            ValueKind::Int64 => Self::Int(int(from, 64)?),
            ValueKind::UInt8 => Self::UInt(uint(from, 8)?),
            ValueKind::UInt16 => Self::UInt(uint(from, 16)?),
            ValueKind::UInt32 => Self::UInt(uint(from, 32)?),
            ValueKind::UInt64 => Self::UInt(uint(from, 64)?),
            ValueKind::Float32 | ValueKind::Float64 => {
                let value = f64::from_le_bytes(from.array()?);
                let is_narrow = f64::from(value as f32).to_bits() == value.to_bits();
                if value.is_nan() && value.to_bits() != NAN.to_bits() {
                    return Err(StateError::invalid("a NaN has another form than it should"));
                }
                if kind == ValueKind::Float32 && !is_narrow && !value.is_nan() {
                    return Err(BEYOND);
                }
                Self::Float(value)
            }
            ValueKind::Date32 => Self::Date(int(from, 32)? as i32),
            ValueKind::Timestamp => Self::Timestamp(from.signed()?),
            ValueKind::Decimal128 { precision, .. } => {
                let value = from.signed_wide()?;
                if value.unsigned_abs() >= 10_u128.pow(precision.into()) {
                    return Err(BEYOND);
                }
                Self::Decimal(value)
            }
            ValueKind::Utf8 => match str::from_utf8(read_sized(from)?) {
                Ok(text) => Self::Utf8(text.into()),
                Err(_) => return Err(StateError::invalid("a text is not UTF-8")),
            },
            ValueKind::Binary => Self::Binary(read_sized(from)?.into()),
        })
    }

    /// Whether it is a zero with a sign, which distinct values never are.
    pub(crate) fn is_negative_zero(&self) -> bool {
        matches!(self, Self::Float(x) if *x == 0.0 && x.is_sign_negative())
    }
}

pub(crate) fn write_sized(to: &mut Vec<u8>, bytes: &[u8]) {
    write_unsigned(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

pub(crate) fn read_sized<'a>(from: &mut Reader<'a>) -> Result<&'a [u8], StateError> {
    let length = from.length()?;
    from.bytes(length)
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a.cmp(b),
            _ => self.as_ref().compare(other),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}
