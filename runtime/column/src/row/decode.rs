use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, FixedSizeListArray, ListArray,
    NullBufferBuilder, StringArray, StructArray, make_array,
};
use arrow::buffer::{Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType as ArrowType, FieldRef, Fields};
use unskew_definition::DataType;

use crate::row::{RowCodecError, VERSION, bitmap_bytes, read_varint};

const TOO_SHORT: RowCodecError = RowCodecError::Damaged("it is too short");
const BEYOND: RowCodecError = RowCodecError::Damaged("a length is beyond its end");
const NEVER_NULL: RowCodecError = RowCodecError::Damaged("a value is missing that is never null");

/// Collects rows into columns.
pub struct RowDecoder {
    columns: Vec<Column>,
    rows: usize,
}

/// The values so far. One for each row, whatever a null has in its place.
struct Column {
    nulls: NullBufferBuilder,
    values: Values,
}

enum Values {
    Bool(BooleanBufferBuilder),
    Fixed { width: usize, bytes: MutableBuffer, data_type: ArrowType },
    Sized { offsets: Vec<i32>, bytes: MutableBuffer, is_text: bool },
    List { offsets: Vec<i32>, items: Box<Column>, field: FieldRef },
    FixedSizeList { items: Box<Column>, length: usize, field: FieldRef },
    Struct { columns: Vec<Column>, fields: Fields },
}

impl RowDecoder {
    pub(crate) fn new(types: &[DataType]) -> Self {
        Self { columns: types.iter().map(Column::new).collect(), rows: 0 }
    }

    /// How many rows were pushed.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Takes a row's bytes, all of them. After an error the decoder is of no
    /// further use.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), RowCodecError> {
        let [VERSION, rest @ ..] = bytes else {
            return Err(RowCodecError::Damaged("it is of another version"));
        };
        let mut from = rest;
        read_present(self.columns.iter_mut().map(|column| (column, true)), &mut from)?;
        if !from.is_empty() {
            return Err(RowCodecError::Damaged("it is too long"));
        }
        self.rows += 1;
        Ok(())
    }

    /// The columns of all rows, of exactly the codec's types.
    pub fn finish(self) -> Result<Vec<ArrayRef>, RowCodecError> {
        self.columns.into_iter().map(Column::finish).collect()
    }
}

/// Reads a bitmap, and a value into each of the columns that has one; the
/// others get a null, if they may.
fn read_present<'a>(
    columns: impl ExactSizeIterator<Item = (&'a mut Column, bool)>,
    from: &mut &[u8],
) -> Result<(), RowCodecError> {
    let count = columns.len();
    let bitmap = take(from, bitmap_bytes(count))?;
    check_bitmap(bitmap, count)?;
    for (at, (column, nullable)) in columns.enumerate() {
        if bitmap[at / 8] & (1 << (at % 8)) != 0 {
            column.push(from)?;
        } else if nullable {
            column.push_null();
        } else {
            return Err(NEVER_NULL);
        }
    }
    Ok(())
}

fn check_bitmap(bitmap: &[u8], bits: usize) -> Result<(), RowCodecError> {
    let used = bits % 8;
    let is_clean = used == 0 || bitmap.last().is_none_or(|last| last >> used == 0);
    if is_clean { Ok(()) } else { Err(RowCodecError::Damaged("an unused bit is set")) }
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Result<&'a [u8], RowCodecError> {
    let (taken, rest) = from.split_at_checked(length).ok_or(TOO_SHORT)?;
    *from = rest;
    Ok(taken)
}

fn length(from: &mut &[u8], most: usize) -> Result<usize, RowCodecError> {
    let length = usize::try_from(read_varint(from)?).map_err(|_| BEYOND)?;
    if length > most { Err(BEYOND) } else { Ok(length) }
}

fn next_offset(offsets: &mut Vec<i32>, end: usize) -> Result<(), RowCodecError> {
    offsets.push(i32::try_from(end).map_err(|_| RowCodecError::TooLarge)?);
    Ok(())
}

impl Column {
    fn new(data_type: &DataType) -> Self {
        let arrow_type = data_type.to_arrow();
        let width = match data_type {
            DataType::Int8 | DataType::UInt8 => 1,
            DataType::Int16 | DataType::UInt16 => 2,
            DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date32 => 4,
            DataType::Decimal128 { .. } => 16,
            _ => 8,
        };
        let values = match (data_type, arrow_type) {
            (DataType::Bool, _) => Values::Bool(BooleanBufferBuilder::new(0)),
            (DataType::Utf8 | DataType::Binary, _) => Values::Sized {
                offsets: vec![0],
                bytes: MutableBuffer::new(0),
                is_text: *data_type == DataType::Utf8,
            },
            (DataType::List { item, .. }, ArrowType::List(field)) => {
                Values::List { offsets: vec![0], items: Box::new(Self::new(item)), field }
            }
            (DataType::FixedSizeList { length }, ArrowType::FixedSizeList(field, _)) => {
                let items = Box::new(Self::new(&DataType::Float32));
                Values::FixedSizeList { items, length: *length as usize, field }
            }
            (DataType::Struct(of), ArrowType::Struct(fields)) => {
                let columns = of.iter().map(|field| Self::new(&field.data_type)).collect();
                Values::Struct { columns, fields }
            }
            (_, data_type) => Values::Fixed { width, bytes: MutableBuffer::new(0), data_type },
        };
        Self { nulls: NullBufferBuilder::new(0), values }
    }

    fn push_null(&mut self) {
        self.nulls.append_null();
        match &mut self.values {
            Values::Bool(values) => values.append(false),
            Values::Fixed { width, bytes, .. } => bytes.extend_zeros(*width),
            Values::Sized { offsets, .. } | Values::List { offsets, .. } => {
                offsets.push(offsets[offsets.len() - 1]);
            }
            Values::FixedSizeList { items, length, .. } => items.push_zeros(*length),
            Values::Struct { columns, .. } => columns.iter_mut().for_each(Self::push_null),
        }
    }

    /// So many zeros in the place of numbers.
    fn push_zeros(&mut self, count: usize) {
        self.nulls.append_n_non_nulls(count);
        if let Values::Fixed { width, bytes, .. } = &mut self.values {
            bytes.extend_zeros(*width * count);
        }
    }

    fn push(&mut self, from: &mut &[u8]) -> Result<(), RowCodecError> {
        match &mut self.values {
            Values::Bool(values) => match take(from, 1)? {
                [0] => values.append(false),
                [1] => values.append(true),
                _ => return Err(RowCodecError::Damaged("a bool is neither 0 nor 1")),
            },
            Values::Fixed { width, bytes, .. } => bytes.extend_from_slice(take(from, *width)?),
            Values::Sized { offsets, bytes, is_text } => {
                let length = length(from, from.len())?;
                let value = take(from, length).map_err(|_| BEYOND)?;
                if *is_text && std::str::from_utf8(value).is_err() {
                    return Err(RowCodecError::Damaged("a text is not UTF-8"));
                }
                bytes.extend_from_slice(value);
                next_offset(offsets, bytes.len())?;
            }
            Values::List { offsets, items, field } => {
                let length = length(from, from.len().saturating_mul(8))?;
                if field.is_nullable() {
                    let bitmap = take(from, bitmap_bytes(length)).map_err(|_| BEYOND)?;
                    check_bitmap(bitmap, length)?;
                    for at in 0..length {
                        match bitmap[at / 8] & (1 << (at % 8)) {
                            0 => items.push_null(),
                            _ => items.push(from)?,
                        }
                    }
                } else {
                    (0..length).try_for_each(|_| items.push(from))?;
                }
                let end = offsets[offsets.len() - 1] as usize + length;
                next_offset(offsets, end)?;
            }
            Values::FixedSizeList { items, length, .. } => {
                (0..*length).try_for_each(|_| items.push(from))?;
            }
            Values::Struct { columns, fields } => {
                let columns = columns.iter_mut().zip(fields.iter());
                read_present(columns.map(|(column, field)| (column, field.is_nullable())), from)?;
            }
        }
        self.nulls.append_non_null();
        Ok(())
    }

    fn finish(mut self) -> Result<ArrayRef, RowCodecError> {
        let nulls = self.nulls.finish();
        self.values.finish(nulls)
    }

    /// Below something that may be null, a field that may not: its own nulls
    /// are the other's.
    fn finish_below(mut self, nullable: bool) -> Result<ArrayRef, RowCodecError> {
        let nulls = self.nulls.finish().filter(|_| nullable);
        self.values.finish(nulls)
    }
}

impl Values {
    fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, RowCodecError> {
        let mismatch = |_| RowCodecError::Damaged("its parts do not fit together");
        let offsets = |offsets: Vec<i32>| OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(match self {
            Self::Bool(mut values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Self::Fixed { width, bytes, data_type } => {
                let data = arrow::array::ArrayData::builder(data_type)
                    .len(bytes.len() / width)
                    .nulls(nulls)
                    .add_buffer(Buffer::from(bytes))
                    .build()
                    .map_err(mismatch)?;
                make_array(data)
            }
            Self::Sized { offsets: ends, bytes, is_text: true } => {
                let (ends, bytes) = (offsets(ends), Buffer::from(bytes));
                Arc::new(StringArray::try_new(ends, bytes, nulls).map_err(mismatch)?)
            }
            Self::Sized { offsets: ends, bytes, is_text: false } => {
                let (ends, bytes) = (offsets(ends), Buffer::from(bytes));
                Arc::new(BinaryArray::try_new(ends, bytes, nulls).map_err(mismatch)?)
            }
            Self::List { offsets: ends, items, field } => {
                let items = items.finish_below(field.is_nullable())?;
                let list = ListArray::try_new(field, offsets(ends), items, nulls);
                Arc::new(list.map_err(mismatch)?)
            }
            Self::FixedSizeList { items, length, field } => {
                let items = items.finish_below(field.is_nullable())?;
                let list = FixedSizeListArray::try_new(field, length as i32, items, nulls);
                Arc::new(list.map_err(mismatch)?)
            }
            Self::Struct { columns, fields } => {
                let columns = columns.into_iter().zip(fields.iter());
                let columns =
                    columns.map(|(column, field)| column.finish_below(field.is_nullable()));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new(fields, columns, nulls).map_err(mismatch)?)
            }
        })
    }
}
