use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeListArray, ListArray,
    PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};

use crate::row::{VERSION, bitmap_bytes, write_varint};

// The bytes of a column are taken as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"), "rows are written on little-endian machines");

/// Writes rows of certain columns.
pub struct RowEncoder<'a> {
    columns: Vec<Column<'a>>,
}

enum Column<'a> {
    Bool(&'a BooleanArray),
    Fixed { width: usize, bytes: &'a Buffer, nulls: Option<&'a NullBuffer> },
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    List { list: &'a ListArray, items: Box<Column<'a>>, has_nulls: bool },
    FixedSizeList { list: &'a FixedSizeListArray, items: Box<Column<'a>>, length: usize },
    Struct { fields: Vec<Column<'a>>, nulls: Option<&'a NullBuffer> },
}

impl<'a> RowEncoder<'a> {
    pub(crate) fn new(columns: &'a [ArrayRef]) -> Self {
        Self { columns: columns.iter().map(|column| Column::new(column.as_ref())).collect() }
    }

    /// Appends the bytes of a row.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn append(&self, row: usize, to: &mut Vec<u8>) {
        to.push(VERSION);
        append_present(&self.columns, row, to);
    }
}

/// The bitmap of the columns that are not null, and their values.
fn append_present(columns: &[Column<'_>], row: usize, to: &mut Vec<u8>) {
    let bitmap = to.len();
    to.resize(bitmap + bitmap_bytes(columns.len()), 0);
    for (at, column) in columns.iter().enumerate() {
        if column.is_valid(row) {
            to[bitmap + at / 8] |= 1 << (at % 8);
            column.append(row, to);
        }
    }
}

impl<'a> Column<'a> {
    fn new(array: &'a dyn Array) -> Self {
        fn fixed<T: ArrowPrimitiveType>(array: &dyn Array) -> Column<'_> {
            let array: &PrimitiveArray<T> = array.as_primitive();
            let (width, bytes) = (size_of::<T::Native>(), array.values().inner());
            Column::Fixed { width, bytes, nulls: array.nulls() }
        }
        match array.data_type() {
            ArrowType::Boolean => Self::Bool(array.as_boolean()),
            ArrowType::Int8 => fixed::<Int8Type>(array),
            ArrowType::Int16 => fixed::<Int16Type>(array),
            ArrowType::Int32 => fixed::<Int32Type>(array),
            ArrowType::Int64 => fixed::<Int64Type>(array),
            ArrowType::UInt8 => fixed::<UInt8Type>(array),
            ArrowType::UInt16 => fixed::<UInt16Type>(array),
            ArrowType::UInt32 => fixed::<UInt32Type>(array),
            ArrowType::UInt64 => fixed::<UInt64Type>(array),
            ArrowType::Float32 => fixed::<Float32Type>(array),
            ArrowType::Float64 => fixed::<Float64Type>(array),
            ArrowType::Date32 => fixed::<Date32Type>(array),
            ArrowType::Timestamp(_, _) => fixed::<TimestampMicrosecondType>(array),
            ArrowType::Decimal128(_, _) => fixed::<Decimal128Type>(array),
            ArrowType::Utf8 => Self::Text(array.as_string()),
            ArrowType::Binary => Self::Binary(array.as_binary()),
            ArrowType::List(item) => {
                let list = array.as_list::<i32>();
                let items = Box::new(Self::new(list.values().as_ref()));
                Self::List { list, items, has_nulls: item.is_nullable() }
            }
            ArrowType::FixedSizeList(_, length) => {
                let list = array.as_fixed_size_list();
                let items = Box::new(Self::new(list.values().as_ref()));
                Self::FixedSizeList { list, items, length: *length as usize }
            }
            ArrowType::Struct(_) => {
                let columns = array.as_struct();
                let fields = StructArray::columns(columns).iter();
                let fields = fields.map(|field| Self::new(field.as_ref())).collect();
                Self::Struct { fields, nulls: columns.nulls() }
            }
            other => unreachable!("the codec was made for types of definitions, not {other}"),
        }
    }

    fn is_valid(&self, row: usize) -> bool {
        match self {
            Self::Bool(array) => array.is_valid(row),
            Self::Text(array) => array.is_valid(row),
            Self::Binary(array) => array.is_valid(row),
            Self::List { list, .. } => list.is_valid(row),
            Self::FixedSizeList { list, .. } => list.is_valid(row),
            Self::Fixed { nulls, .. } | Self::Struct { nulls, .. } => {
                nulls.is_none_or(|nulls| nulls.is_valid(row))
            }
        }
    }

    fn append(&self, row: usize, to: &mut Vec<u8>) {
        match self {
            Self::Bool(array) => to.push(array.value(row).into()),
            Self::Fixed { width, bytes, nulls: _ } => {
                to.extend_from_slice(&bytes.as_slice()[row * width..(row + 1) * width]);
            }
            Self::Text(array) => append_sized(array.value(row).as_bytes(), to),
            Self::Binary(array) => append_sized(array.value(row), to),
            Self::List { list, items, has_nulls } => {
                let offsets = list.value_offsets();
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                write_varint(range.len() as u64, to);
                if !has_nulls {
                    return range.for_each(|item| items.append(item, to));
                }
                let bitmap = to.len();
                to.resize(bitmap + bitmap_bytes(range.len()), 0);
                for (at, item) in range.enumerate() {
                    if items.is_valid(item) {
                        to[bitmap + at / 8] |= 1 << (at % 8);
                        items.append(item, to);
                    }
                }
            }
            Self::FixedSizeList { list, items, length } => {
                let start = list.value_offset(row) as usize;
                (start..start + length).for_each(|item| items.append(item, to));
            }
            Self::Struct { fields, nulls: _ } => append_present(fields, row, to),
        }
    }
}

fn append_sized(value: &[u8], to: &mut Vec<u8>) {
    write_varint(value.len() as u64, to);
    to.extend_from_slice(value);
}
