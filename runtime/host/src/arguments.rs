//! The caller's columns, brought into the form in which they cross: rows that
//! no call may see are taken out, and nothing is left under a null.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, ListArray, MutableArrayData, StructArray,
    make_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::filter;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, TimeUnit};
use arrow::error::ArrowError;
use unskew_definition::{DataType, Field};

use crate::module::{RowError, RowStatus};

/// What is handed over, and what became of the other rows.
pub(crate) struct Arguments {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) rows: usize,
    /// For each row handed over, its row in the caller's columns; none where
    /// all rows are.
    pub(crate) rows_of: Option<Vec<u32>>,
    /// Rows that cannot be handed over as the types have it.
    pub(crate) errors: Vec<RowError>,
}

impl Arguments {
    /// Takes `rows` rows of `columns`, one column for each of `fields`. The
    /// error is the caller's mistake.
    pub(crate) fn new(fields: &[Field], columns: &[ArrayRef], rows: usize) -> Result<Self, String> {
        if fields.len() != columns.len() {
            return Err(format!("{} columns given, {} taken", columns.len(), fields.len()));
        }
        if u32::try_from(rows).is_err() {
            return Err(format!("{rows} rows in one batch; at most {} are taken", u32::MAX));
        }
        let mut keep: Option<BooleanBuffer> = None;
        let mut errors = Vec::new();
        for (Field { name, data_type, nullable }, column) in fields.iter().zip(columns) {
            if !is_of(data_type, column.data_type()) {
                return Err(format!(
                    "argument {name} takes {data_type}, the column given is {}",
                    column.data_type()
                ));
            }
            if column.len() != rows {
                return Err(format!("argument {name} has {} rows of {rows}", column.len()));
            }
            if !nullable && let Some(nulls) = column.nulls().filter(|n| n.null_count() > 0) {
                keep = Some(both(keep, nulls.inner().clone()));
            }
            if let Some(sound) = rows_without_inner_nulls(data_type, column) {
                let message = format!("argument {name}: a null inside of {data_type}");
                errors.extend((0..rows).filter(|&row| !sound.value(row)).map(|row| RowError {
                    row,
                    status: RowStatus::InvalidInput,
                    message: message.clone(),
                }));
                keep = Some(both(keep, sound));
            }
        }
        errors.sort_by_key(|error| error.row);
        errors.dedup_by_key(|error| error.row);
        if let Some(keep) = &keep {
            // A null argument comes first: it makes the row null, not an error.
            errors.retain(|error| {
                fields.iter().zip(columns).all(|(f, c)| f.nullable || c.is_valid(error.row))
                    && !keep.value(error.row)
            });
        }
        let Some(keep) = keep.filter(|keep| keep.count_set_bits() < rows) else {
            let columns = fields.iter().zip(columns).map(|(f, c)| settle(&f.data_type, c));
            let columns = columns.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
            return Ok(Self { columns, rows, rows_of: None, errors });
        };
        let rows_of: Vec<u32> = keep.set_indices().map(|row| row as u32).collect();
        let mask = BooleanArray::new(keep, None);
        let mut kept = Vec::with_capacity(columns.len());
        for (field, column) in fields.iter().zip(columns) {
            let column = filter(column, &mask).map_err(|e| e.to_string())?;
            kept.push(settle(&field.data_type, &column).map_err(|e| e.to_string())?);
        }
        Ok(Self { columns: kept, rows: rows_of.len(), rows_of: Some(rows_of), errors })
    }
}

impl Arguments {
    /// The errors of rows that come before row `decided` of those handed over.
    pub(crate) fn refused_before(&self, decided: usize) -> &[RowError] {
        let all = self.errors.as_slice();
        match &self.rows_of {
            Some(rows_of) if decided < rows_of.len() => {
                let end = rows_of[decided] as usize;
                &all[..all.partition_point(|error| error.row < end)]
            }
            _ => all,
        }
    }

    /// `refused` rows, and rows that `failed` among those handed over, in the
    /// order and numbers of the caller's rows.
    pub(crate) fn all_errors(&self, refused: &[RowError], failed: Vec<RowError>) -> Vec<RowError> {
        let mut errors = refused.to_vec();
        errors.extend(failed.into_iter().map(|mut error| {
            if let Some(rows_of) = &self.rows_of {
                error.row = rows_of[error.row] as usize;
            }
            error
        }));
        errors.sort_by_key(|error| error.row);
        errors
    }
}

fn both(keep: Option<BooleanBuffer>, more: BooleanBuffer) -> BooleanBuffer {
    match keep {
        Some(keep) => &keep & &more,
        None => more,
    }
}

/// Whether an Arrow column is one of `data_type`: names and nullability of
/// inner fields and the name of the time zone do not matter.
fn is_of(data_type: &DataType, arrow: &ArrowType) -> bool {
    match (data_type, arrow) {
        (DataType::Timestamp, ArrowType::Timestamp(TimeUnit::Microsecond, _)) => true,
        (DataType::List { item, .. }, ArrowType::List(field)) => is_of(item, field.data_type()),
        (DataType::FixedSizeList { length }, ArrowType::FixedSizeList(field, found)) => {
            *length as i32 == *found && *field.data_type() == ArrowType::Float32
        }
        (DataType::Struct(fields), ArrowType::Struct(found)) => {
            fields.len() == found.len()
                && fields.iter().zip(found).all(|(field, found)| {
                    field.name == *found.name().as_str()
                        && is_of(&field.data_type, found.data_type())
                })
        }
        _ => data_type.to_arrow() == *arrow,
    }
}

/// Which rows hold no null where the type allows none inside; nothing where
/// all do.
fn rows_without_inner_nulls(data_type: &DataType, column: &ArrayRef) -> Option<BooleanBuffer> {
    let sound = |of_row: &dyn Fn(usize) -> bool| {
        let sound =
            BooleanBuffer::collect_bool(column.len(), |row| column.is_null(row) || of_row(row));
        (sound.count_set_bits() < column.len()).then_some(sound)
    };
    match data_type {
        DataType::List { nullable: false, .. } => {
            let list = column.as_list::<i32>();
            let nulls = list.values().nulls().filter(|nulls| nulls.null_count() > 0)?;
            let offsets = list.value_offsets();
            sound(&|row| (offsets[row]..offsets[row + 1]).all(|item| nulls.is_valid(item as usize)))
        }
        DataType::FixedSizeList { length } => {
            let list = column.as_fixed_size_list();
            let nulls = list.values().nulls().filter(|nulls| nulls.null_count() > 0)?;
            let length = *length as usize;
            sound(&|row| (row * length..(row + 1) * length).all(|item| nulls.is_valid(item)))
        }
        DataType::Struct(fields) => {
            let array = column.as_struct();
            let broken = fields
                .iter()
                .zip(array.columns())
                .any(|(field, column)| !field.nullable && column.null_count() > 0);
            if !broken {
                return None;
            }
            sound(&|row| {
                fields
                    .iter()
                    .zip(array.columns())
                    .all(|(field, column)| field.nullable || column.is_valid(row))
            })
        }
        _ => None,
    }
}

/// Makes sure that there is no text, item or field under a null.
fn settle(data_type: &DataType, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match data_type {
        DataType::Utf8 | DataType::Binary => without_hidden(column),
        DataType::List { item, .. } => {
            let list = column.as_list::<i32>();
            let items = settle(item, list.values())?;
            if Arc::ptr_eq(&items, list.values()) {
                return without_hidden(column);
            }
            let field = Arc::new(ArrowField::new("item", items.data_type().clone(), true));
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            without_hidden(&(Arc::new(ListArray::new(field, offsets, items, nulls)) as ArrayRef))
        }
        DataType::FixedSizeList { length } => {
            let list = column.as_fixed_size_list();
            if list.values().null_count() == 0 {
                return Ok(Arc::clone(column));
            }
            // Only rows that are null themselves have null items here.
            let items = list.values().to_data().into_builder().nulls(None);
            // SAFETY: dropping the validity of a primitive array leaves it valid.
            let items = make_array(unsafe { items.build_unchecked() });
            let field = Arc::new(ArrowField::new("item", ArrowType::Float32, false));
            let nulls = list.nulls().cloned();
            Ok(Arc::new(FixedSizeListArray::new(field, *length as i32, items, nulls)))
        }
        DataType::Struct(fields) => {
            let array = column.as_struct();
            let mut names = Vec::with_capacity(fields.len());
            let mut columns = Vec::with_capacity(fields.len());
            for (field, column) in fields.iter().zip(array.columns()) {
                let nulls = NullBuffer::union(array.nulls(), column.nulls());
                let hidden = column.to_data().into_builder().nulls(nulls);
                // SAFETY: the validity has the length of the array's own.
                let column = make_array(unsafe { hidden.build_unchecked() });
                let column = settle(&field.data_type, &column)?;
                names.push(ArrowField::new(field.name.as_str(), column.data_type().clone(), true));
                columns.push(column);
            }
            let nulls = array.nulls().cloned();
            Ok(Arc::new(StructArray::new(names.into(), columns, nulls)))
        }
        _ => Ok(Arc::clone(column)),
    }
}

/// The same values, with nothing between the offsets of a null.
fn without_hidden(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(Arc::clone(column));
    };
    let offsets = match column.data_type() {
        ArrowType::Utf8 => column.as_string::<i32>().value_offsets(),
        ArrowType::Binary => column.as_binary::<i32>().value_offsets(),
        _ => column.as_list::<i32>().value_offsets(),
    };
    if (0..column.len()).all(|row| nulls.is_valid(row) || offsets[row] == offsets[row + 1]) {
        return Ok(Arc::clone(column));
    }
    let data = column.to_data();
    let mut rebuilt = MutableArrayData::new(vec![&data], true, column.len());
    for row in 0..column.len() {
        if nulls.is_valid(row) {
            rebuilt.try_extend(0, row, row + 1)?;
        } else {
            rebuilt.try_extend_nulls(1)?;
        }
    }
    Ok(make_array(rebuilt.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array, StringArray};
    use arrow::buffer::{OffsetBuffer, ScalarBuffer};
    use arrow::datatypes::Int64Type;

    fn field(data_type: &str, nullable: bool) -> Field {
        let name = unskew_definition::Name::new("x").unwrap();
        Field { name, data_type: data_type.parse().unwrap(), nullable }
    }

    #[test]
    fn a_null_in_an_argument_that_is_never_null_takes_its_row_out() {
        let fields = [field("int64", false), field("float64", true)];
        let columns: [ArrayRef; 2] = [
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            Arc::new(Float64Array::from(vec![None, Some(2.0), Some(3.0)])),
        ];
        let arguments = Arguments::new(&fields, &columns, 3).unwrap();
        assert_eq!(arguments.rows_of, Some(vec![0, 2]));
        assert_eq!(arguments.columns[1].as_ref(), &Float64Array::from(vec![None, Some(3.0)]));
        assert!(arguments.errors.is_empty());
    }

    #[test]
    fn a_null_item_is_an_error_of_its_row_unless_the_row_is_null() {
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some(vec![Some(1), None]),
            None,
            Some(vec![Some(2)]),
        ]));
        let arguments = Arguments::new(&[field("list<int64>", false)], &[list], 3).unwrap();
        assert_eq!(arguments.rows_of, Some(vec![2]));
        assert_eq!(arguments.errors.len(), 1);
        assert_eq!(arguments.errors[0].row, 0);
        assert_eq!(arguments.errors[0].status, RowStatus::InvalidInput);
    }

    #[test]
    fn text_under_a_null_is_dropped() {
        let text = StringArray::new(
            OffsetBuffer::new(ScalarBuffer::from(vec![0, 2, 5, 6])),
            arrow::buffer::Buffer::from(b"abHIDc"),
            Some(NullBuffer::from(vec![true, false, true])),
        );
        let column: ArrayRef = Arc::new(text);
        let arguments = Arguments::new(&[field("utf8", true)], &[column], 3).unwrap();
        let settled = arguments.columns[0].as_string::<i32>();
        assert_eq!(settled.value_offsets(), [0, 2, 2, 3]);
    }

    #[test]
    fn a_column_of_another_type_is_named() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let error = Arguments::new(&[field("int64", false)], &[column], 1).err().unwrap();
        assert!(error.contains("int64") && error.contains("Utf8"), "{error}");
    }
}
