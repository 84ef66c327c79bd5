//! Rows of columns as compact bytes, for stores that know bytes alone.
//!
//! A row is the byte [`VERSION`], a bitmap of the columns that are not null
//! (lowest bit first, unused bits 0), and then the value of each of these:
//!
//! | type | bytes |
//! |---|---|
//! | bool | 0 or 1 |
//! | integers, floats, date32, timestamp, decimal128 | the value, little-endian |
//! | utf8, binary | the length as a varint, the bytes |
//! | list | the length as a varint, a bitmap of the items that are not null if its type allows nulls, the items |
//! | fixed_size_list | the items |
//! | struct | a bitmap of the fields that are not null, the fields |
//!
//! A varint has 7 bits in each byte, the lowest first, and no more bytes than
//! it needs. The types are not stored: reader and writer agree on them. Equal
//! rows have equal bytes, and bytes that are no row are an error, never a
//! panic and never a row that would be written otherwise.

mod decode;
mod encode;
mod varint;

use arrow::datatypes::DataType as ArrowType;
use unskew_definition::DataType;

pub use decode::RowDecoder;
pub use encode::RowEncoder;
pub use varint::{read_varint, write_varint};

/// The first byte of every row; raised whenever the meaning of the others
/// changes.
pub const VERSION: u8 = 1;

/// Why bytes are no row, or columns cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowCodecError {
    /// The bytes are no row of the columns that are expected.
    #[error("the stored row cannot be read: {0}; it is damaged or of other columns")]
    Damaged(&'static str),
    /// The columns are not those that the codec was made for.
    #[error("column {at} is {found}, not {wanted}")]
    WrongColumn {
        /// its index
        at: usize,
        /// its type
        found: String,
        /// the type that was expected
        wanted: String,
    },
    /// There are too many or too few columns.
    #[error("{found} columns were given where a row has {wanted}")]
    WrongCount {
        /// how many there are
        found: usize,
        /// how many there should be
        wanted: usize,
    },
    /// So many rows do not fit one column.
    #[error("the values of one column take more than 2 GiB; read fewer rows at once")]
    TooLarge,
}

/// The form of rows of certain columns, each of which may be null.
#[derive(Clone, Debug)]
pub struct RowCodec {
    types: Vec<DataType>,
    arrow_types: Vec<ArrowType>,
}

impl RowCodec {
    /// For rows of columns of these types.
    pub fn new(types: Vec<DataType>) -> Self {
        let arrow_types = types.iter().map(DataType::to_arrow).collect();
        Self { types, arrow_types }
    }

    /// The types of the columns.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Writes rows of these columns.
    pub fn encoder<'a>(
        &self,
        columns: &'a [arrow::array::ArrayRef],
    ) -> Result<RowEncoder<'a>, RowCodecError> {
        if columns.len() != self.types.len() {
            let (found, wanted) = (columns.len(), self.types.len());
            return Err(RowCodecError::WrongCount { found, wanted });
        }
        for (at, (column, wanted)) in columns.iter().zip(&self.arrow_types).enumerate() {
            if column.data_type() != wanted {
                let found = crate::arrow_name(column.data_type()).to_string();
                let wanted = crate::arrow_name(wanted).to_string();
                return Err(RowCodecError::WrongColumn { at, found, wanted });
            }
        }
        Ok(RowEncoder::new(columns))
    }

    /// Reads rows.
    pub fn decoder(&self) -> RowDecoder {
        RowDecoder::new(&self.types)
    }
}

fn bitmap_bytes(bits: usize) -> usize {
    bits.div_ceil(8)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int32Array, StringArray};

    use super::*;

    fn codec(types: &[&str]) -> RowCodec {
        RowCodec::new(types.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn a_row_is_a_version_a_bitmap_and_values() {
        let codec = codec(&["int32", "utf8", "float64"]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![Some(-2), None])),
            Arc::new(StringArray::from(vec![Some("ab"), None])),
            Arc::new(Float64Array::from(vec![None, Some(1.0)])),
        ];
        let encoder = codec.encoder(&columns).unwrap();
        let mut bytes = Vec::new();
        encoder.append(0, &mut bytes);
        assert_eq!(bytes, [1, 0b011, 0xfe, 0xff, 0xff, 0xff, 2, b'a', b'b']);
        bytes.clear();
        encoder.append(1, &mut bytes);
        assert_eq!(bytes, [1, 0b100, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    }

    #[test]
    fn other_columns_are_refused() {
        let codec = codec(&["int32"]);
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let error = codec.encoder(std::slice::from_ref(&text)).err().unwrap();
        assert_eq!(error.to_string(), "column 0 is utf8, not int32");
        assert!(matches!(codec.encoder(&[]), Err(RowCodecError::WrongCount { .. })));
    }

    #[test]
    fn damaged_rows_are_refused() {
        let codec = codec(&["bool", "list<utf8?>", "struct<a:int8,b:utf8?>"]);
        for (bytes, reason) in [
            (&[][..], "version"),
            (&[2, 0], "version"),
            (&[1], "too short"),
            (&[1, 0b1000], "unused"),
            (&[1, 0b001, 2], "neither"),
            (&[1, 0, 0], "too long"),
            (&[1, 0b010, 0xff, 0xff, 0xff, 0xff, 0x0f], "beyond its end"),
            (&[1, 0b010, 0x81, 0x00], "varint"),
            (&[1, 0b010, 1, 0b1, 1, 0xff], "UTF-8"),
            (&[1, 0b100, 0b10, 0], "never null"),
        ] {
            let mut decoder = codec.decoder();
            let error = decoder.push(bytes).unwrap_err().to_string();
            assert!(error.contains(reason), "{bytes:?}: {error}");
        }
    }
}
