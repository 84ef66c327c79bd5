//! The kinds of values that aggregates take and give.

use std::fmt;

/// The type of a column of scalars, written as in `wit/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// true or false
    Bool,
    /// 8-bit signed integer
    Int8,
    /// 16-bit signed integer
    Int16,
    /// 32-bit signed integer
    Int32,
    /// 64-bit signed integer
    Int64,
    /// 8-bit unsigned integer
    UInt8,
    /// 16-bit unsigned integer
    UInt16,
    /// 32-bit unsigned integer
    UInt32,
    /// 64-bit unsigned integer
    UInt64,
    /// IEEE 754 binary32
    Float32,
    /// IEEE 754 binary64
    Float64,
    /// UTF-8 text
    Utf8,
    /// bytes
    Binary,
    /// days since 1970-01-01
    Date32,
    /// microseconds since 1970-01-01T00:00:00Z
    Timestamp,
    /// Units of 10^-scale, of at most so many digits.
    Decimal128 {
        /// Digits, from 1 to 38.
        precision: u8,
        /// Digits behind the point, at most `precision`.
        scale: u8,
    },
}

/// What numbers have in common, whatever their width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberKind {
    Signed,
    Unsigned,
    Float,
    Decimal { scale: u8 },
}

impl ValueKind {
    /// None of what is no number.
    pub(crate) fn number(self) -> Option<NumberKind> {
        Some(match self {
            Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64 => NumberKind::Signed,
            Self::UInt8 | Self::UInt16 | Self::UInt32 | Self::UInt64 => NumberKind::Unsigned,
            Self::Float32 | Self::Float64 => NumberKind::Float,
            Self::Decimal128 { scale, .. } => NumberKind::Decimal { scale },
            Self::Bool | Self::Utf8 | Self::Binary | Self::Date32 | Self::Timestamp => return None,
        })
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Utf8 => "utf8",
            Self::Binary => "binary",
            Self::Date32 => "date32",
            Self::Timestamp => "timestamp",
            Self::Decimal128 { precision, scale } => {
                return write!(f, "decimal128({precision},{scale})");
            }
        })
    }
}
