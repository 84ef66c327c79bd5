//! Columns of values, in Arrow's layout but without Arrow.

use crate::order_key::OrderKey;
use crate::value::ValueRef;

/// A bitmap, the least significant bit first.
#[derive(Clone, Copy, Debug)]
pub struct Bitmap<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The number of the first bit.
    pub offset: usize,
}

impl Bitmap<'_> {
    /// A bit, counted from the offset.
    #[inline(always)]
    pub fn get(&self, row: usize) -> bool {
        let at = self.offset + row;
        self.bytes[at / 8] >> (at % 8) & 1 == 1
    }
}

/// Texts or bytes: row i is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Copy, Debug)]
pub struct Spans<'a> {
    /// One more than there are rows.
    pub offsets: &'a [i32],
    /// All rows' bytes.
    pub bytes: &'a [u8],
}

impl<'a> Spans<'a> {
    /// The bytes of a row.
    #[inline]
    pub fn get(&self, row: usize) -> &'a [u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

/// The values of a column, of one of the kinds of values.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each is named like its kind of values")]
pub enum ColumnValues<'a> {
    Bool(Bitmap<'a>),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Utf8(Spans<'a>),
    Binary(Spans<'a>),
    Date32(&'a [i32]),
    Timestamp(&'a [i64]),
    Decimal128(&'a [i128]),
}

impl<'a> ColumnValues<'a> {
    /// How many rows there are; of bits at most so many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bool(values) => (values.bytes.len() * 8).saturating_sub(values.offset),
            Self::Int8(values) => values.len(),
            Self::Int16(values) => values.len(),
            Self::Int32(values) | Self::Date32(values) => values.len(),
            Self::Int64(values) | Self::Timestamp(values) => values.len(),
            Self::UInt8(values) => values.len(),
            Self::UInt16(values) => values.len(),
            Self::UInt32(values) => values.len(),
            Self::UInt64(values) => values.len(),
            Self::Float32(values) => values.len(),
            Self::Float64(values) => values.len(),
            Self::Utf8(values) | Self::Binary(values) => values.offsets.len().saturating_sub(1),
            Self::Decimal128(values) => values.len(),
        }
    }

    /// The value of a row, whatever its validity.
    ///
    /// # Panics
    ///
    /// When there is no such row, or its text is not UTF-8.
    #[inline(always)]
    pub fn get(&self, row: usize) -> ValueRef<'a> {
        match self {
            Self::Bool(values) => ValueRef::Bool(values.get(row)),
            Self::Int8(values) => ValueRef::Int(values[row].into()),
            Self::Int16(values) => ValueRef::Int(values[row].into()),
            Self::Int32(values) => ValueRef::Int(values[row].into()),
            Self::Int64(values) => ValueRef::Int(values[row]),
            Self::UInt8(values) => ValueRef::UInt(values[row].into()),
            Self::UInt16(values) => ValueRef::UInt(values[row].into()),
            Self::UInt32(values) => ValueRef::UInt(values[row].into()),
            Self::UInt64(values) => ValueRef::UInt(values[row]),
            Self::Float32(values) => ValueRef::Float(values[row].into()),
            Self::Float64(values) => ValueRef::Float(values[row]),
            Self::Utf8(values) => {
                ValueRef::Utf8(str::from_utf8(values.get(row)).expect("a text column has UTF-8"))
            }
            Self::Binary(values) => ValueRef::Binary(values.get(row)),
            Self::Date32(values) => ValueRef::Date(values[row]),
            Self::Timestamp(values) => ValueRef::Timestamp(values[row]),
            Self::Decimal128(values) => ValueRef::Decimal(values[row]),
        }
    }
}

/// A column: its values, and which of them are there.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Also of nulls: anything.
    pub values: ColumnValues<'a>,
    /// A bit for each row that is set unless it is null; none where no row is.
    pub validity: Option<Bitmap<'a>>,
}

impl<'a> Column<'a> {
    /// A column without nulls.
    pub fn new(values: ColumnValues<'a>) -> Self {
        Self { values, validity: None }
    }

    /// The value of a row; none of a null.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> Option<ValueRef<'a>> {
        let is_there = self.validity.is_none_or(|validity| validity.get(row));
        is_there.then(|| self.values.get(row))
    }
}

/// The keys of rows: see [`OrderKey`].
#[derive(Clone, Copy, Debug)]
pub struct RowKeys<'a> {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub event_timestamps: &'a [i64],
    /// What orders rows of one time; none where that is of no account.
    pub ties: Option<Spans<'a>>,
}

impl<'a> RowKeys<'a> {
    /// The key of a row.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn get(&self, row: usize) -> OrderKey<'a> {
        let tie = self.ties.map_or(&[][..], |ties| ties.get(row));
        OrderKey { event_timestamp: self.event_timestamps[row], tie }
    }
}
