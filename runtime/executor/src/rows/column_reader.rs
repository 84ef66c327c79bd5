use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType as ArrowType;
use unskew_column::{Conversion, InputFault};
use unskew_definition::DataType;

use crate::rows::canonical_nan::with_canonical_nan;
use crate::rows::error::RowsError;
use crate::text::ColumnBuilder;

/// Makes a column of one type out of a file's. Text becomes any other type by
/// the forms of [`crate::text`] (a time without an offset is UTC); all else is
/// converted where no value can change. NaNs become the canonical one.
#[derive(Debug)]
pub struct ColumnReader(Kind);

#[derive(Debug)]
enum Kind {
    Convert(Conversion),
    Parse(DataType),
}

impl ColumnReader {
    /// From columns of the type `found` to `wanted`; `None` if that could
    /// change values.
    pub fn new(found: &ArrowType, wanted: &DataType) -> Option<Self> {
        let is_text = matches!(found, ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View);
        match Conversion::between(found, wanted) {
            Some(conversion) => Some(Self(Kind::Convert(conversion))),
            None if is_text => Some(Self(Kind::Parse(wanted.clone()))),
            None => None,
        }
    }

    /// The column, and the rows (ascending) whose values are none of the type,
    /// with what is wrong. They are null.
    pub fn read(&self, column: &ArrayRef) -> Result<(ArrayRef, Vec<(usize, String)>), RowsError> {
        let (column, faults) = match &self.0 {
            Kind::Convert(conversion) => {
                let (column, faults) = conversion.apply(column)?;
                let faults = faults.into_iter().map(|InputFault { row, reason }| (row, reason));
                (column, faults.collect())
            }
            Kind::Parse(data_type) => {
                let texts = cast(column, &ArrowType::Utf8)?;
                parsed(texts.as_string(), data_type)
            }
        };
        Ok((with_canonical_nan(&column)?, faults))
    }
}

fn parsed(texts: &StringArray, data_type: &DataType) -> (ArrayRef, Vec<(usize, String)>) {
    let mut values = ColumnBuilder::new(data_type, texts.len());
    let mut faults = Vec::new();
    for row in 0..texts.len() {
        if texts.is_null(row) {
            values.push_null();
            continue;
        }
        let text = texts.value(row);
        // A builder is of no use after an error inside of a nested value.
        let checked = if data_type.is_scalar() {
            Ok(())
        } else {
            ColumnBuilder::new(data_type, 1).push_text(text)
        };
        if let Err(error) = checked.and_then(|()| values.push_text(text)) {
            faults.push((row, error.to_string()));
            values.push_null();
        }
    }
    (values.finish(), faults)
}
