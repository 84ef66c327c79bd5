//! The bytes of a reply to columns. Nothing in a reply is trusted: whatever
//! breaks the layout of `wit/README.md` is refused, with what and where.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, FixedSizeListArray,
    ListArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use unskew_definition::{DataType, Field};

use crate::encode::{CANONICAL_F32, CANONICAL_F64};
use crate::log::cut;
use crate::table::{Form, Planned, PlannedErrors, Span, Table, Width};

/// A reply that holds what its signature promises. Failed rows are null.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) columns: Vec<ArrayRef>,
    /// Failed rows, ascending, with their messages.
    pub(crate) errors: Vec<(usize, String)>,
}

/// Decodes a reply that has a column for each of `fields`, of `rows` rows;
/// where rows can fail on their own, `failing` says how many there are: those
/// of the reply itself, or for `partial` those of its batch.
pub(crate) fn decode(
    mut bytes: MutableBuffer,
    fields: &[Field],
    rows: usize,
    failing: Failing,
    message_bytes: usize,
) -> Result<Reply, String> {
    let mut table = Table::of_reply(&bytes, rows, fields.iter().map(|f| &f.data_type))?;
    let mut planned = Vec::with_capacity(fields.len());
    for Field { name, data_type, nullable } in fields {
        let column = table
            .column(data_type, *nullable, rows)
            .map_err(|reason| format!("column {name}: {reason}"))?;
        planned.push(column);
    }
    let in_errors = |reason| format!("error section: {reason}");
    let section = table.errors().map_err(in_errors)?;
    let limit = match failing {
        Failing::Rows => rows,
        Failing::OfBatch(batch_rows) => batch_rows,
    };
    let errors = read_errors(&bytes, &section, limit, message_bytes).map_err(in_errors)?;
    let healthy = (failing == Failing::Rows && !errors.is_empty()).then(|| {
        let mut healthy = vec![true; rows];
        for (row, _) in &errors {
            healthy[*row] = false;
        }
        NullBuffer::from(healthy)
    });

    // All changes come before all checks: what has been checked must not be
    // written to again.
    for column in &planned {
        canonicalise_nans(&mut bytes, column);
    }
    let bytes = Buffer::from(bytes);
    let mut columns = Vec::with_capacity(fields.len());
    for (Field { name, data_type, .. }, column) in fields.iter().zip(&planned) {
        let built = build(&bytes, data_type, column, healthy.as_ref())
            .map_err(|reason| format!("column {name}: {reason}"))?;
        columns.push(built);
    }
    Ok(Reply { columns, errors })
}

/// What the rows of an error section count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    /// The rows of the reply, which are then null.
    Rows,
    /// The rows of the batch that was folded.
    OfBatch(usize),
}

fn read_errors(
    bytes: &[u8],
    section: &PlannedErrors,
    rows: usize,
    message_bytes: usize,
) -> Result<Vec<(usize, String)>, String> {
    let PlannedErrors { rows: failed, offsets, text } = section;
    let count = failed.length / 4;
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > rows {
        return Err(format!("{count} failed rows of {rows}"));
    }
    let offsets = words(offsets.of(bytes));
    check_offsets(offsets.clone(), text.length)?;
    let text = text.of(bytes);
    let mut errors = Vec::with_capacity(count);
    let mut next = 0;
    for ((row, start), end) in words(failed.of(bytes)).zip(offsets.clone()).zip(offsets.skip(1)) {
        let row = row as u32 as usize;
        if row < next || row >= rows {
            return Err(format!("failed row {row} where one of {next}..{rows} was expected"));
        }
        next = row + 1;
        let message = &text[start as usize..end as usize];
        // Cut first: a message may be as large as a reply, and stays with its row.
        let message = String::from_utf8_lossy(&message[..message.len().min(message_bytes)]);
        errors.push((row, cut(message.into_owned(), message_bytes)));
    }
    Ok(errors)
}

fn words(bytes: &[u8]) -> impl Iterator<Item = i32> + Clone + '_ {
    bytes
        .chunks_exact(4)
        .map(|word| i32::from_le_bytes(word.try_into().expect("chunks of four are four bytes")))
}

fn check_offsets(mut offsets: impl Iterator<Item = i32>, length: usize) -> Result<(), String> {
    let first = offsets.next().unwrap_or_default();
    if first != 0 {
        return Err(format!("the first offset is {first}, not 0"));
    }
    let mut last = first;
    for offset in offsets {
        if offset < last {
            return Err(format!("offset {offset} comes after {last}"));
        }
        last = offset;
    }
    if last as usize == length {
        Ok(())
    } else {
        Err(format!("the last offset is {last} where the bytes are {length}"))
    }
}

fn canonicalise_nans(bytes: &mut [u8], column: &Planned) {
    match &column.form {
        Form::Values { values, width: Width::F32 } => {
            for value in values.of_mut(bytes).chunks_exact_mut(4) {
                let bits = f32::from_le_bytes(value.try_into().expect("chunks of four"));
                let bits = if bits.is_nan() { CANONICAL_F32 } else { bits.to_bits() };
                value.copy_from_slice(&bits.to_le_bytes());
            }
        }
        Form::Values { values, width: Width::F64 } => {
            for value in values.of_mut(bytes).chunks_exact_mut(8) {
                let bits = f64::from_le_bytes(value.try_into().expect("chunks of eight"));
                let bits = if bits.is_nan() { CANONICAL_F64 } else { bits.to_bits() };
                value.copy_from_slice(&bits.to_le_bytes());
            }
        }
        Form::Values { .. } | Form::Bytes { .. } => {}
        Form::List { items, .. } | Form::FixedSizeList(items) => canonicalise_nans(bytes, items),
        Form::Struct(columns) => {
            for column in columns {
                canonicalise_nans(bytes, column);
            }
        }
    }
}

/// `healthy` is false for the rows of the column that must be null.
fn build(
    bytes: &Buffer,
    data_type: &DataType,
    column: &Planned,
    healthy: Option<&NullBuffer>,
) -> Result<ArrayRef, String> {
    let nulls = NullBuffer::union(read_validity(bytes, column)?.as_ref(), healthy);
    let rows = column.rows;
    let array: ArrayRef = match (&column.form, data_type) {
        (Form::Values { values, .. }, scalar) => values_array(bytes, scalar, *values, rows, nulls)?,
        (Form::Bytes { offsets, bytes: data }, DataType::Utf8) => {
            let offsets = read_offsets(bytes, *offsets, data.length)?;
            let text = slice(bytes, *data);
            Arc::new(StringArray::try_new(offsets, text, nulls).map_err(|e| e.to_string())?)
        }
        (Form::Bytes { offsets, bytes: data }, _) => {
            let offsets = read_offsets(bytes, *offsets, data.length)?;
            let data = slice(bytes, *data);
            Arc::new(BinaryArray::try_new(offsets, data, nulls).map_err(|e| e.to_string())?)
        }
        (Form::List { offsets, items }, DataType::List { item, .. }) => {
            let offsets = read_offsets(bytes, *offsets, items.rows)?;
            let items = build(bytes, item, items, None)?;
            let ArrowType::List(field) = data_type.to_arrow() else { return Err(mismatch()) };
            Arc::new(ListArray::try_new(field, offsets, items, nulls).map_err(|e| e.to_string())?)
        }
        (Form::FixedSizeList(items), DataType::FixedSizeList { length }) => {
            let items = build(bytes, &DataType::Float32, items, None)?;
            let ArrowType::FixedSizeList(field, _) = data_type.to_arrow() else {
                return Err(mismatch());
            };
            let array = FixedSizeListArray::try_new(field, *length as i32, items, nulls);
            Arc::new(array.map_err(|e| e.to_string())?)
        }
        (Form::Struct(columns), DataType::Struct(fields)) => {
            let mut arrays = Vec::with_capacity(columns.len());
            for (column, field) in columns.iter().zip(fields) {
                let array = build(bytes, &field.data_type, column, None)
                    .map_err(|reason| format!("field {}: {reason}", field.name))?;
                arrays.push(array);
            }
            let ArrowType::Struct(fields) = data_type.to_arrow() else { return Err(mismatch()) };
            Arc::new(StructArray::try_new(fields, arrays, nulls).map_err(|e| e.to_string())?)
        }
        _ => return Err(mismatch()),
    };
    Ok(array)
}

fn mismatch() -> String {
    "its plan is not that of its type".to_owned()
}

fn slice(bytes: &Buffer, span: Span) -> Buffer {
    bytes.slice_with_length(span.at, span.length)
}

fn read_validity(bytes: &Buffer, column: &Planned) -> Result<Option<NullBuffer>, String> {
    if column.null_count == 0 {
        return Ok(None);
    }
    let bits = BooleanBuffer::new(slice(bytes, column.validity), 0, column.rows);
    let nulls = NullBuffer::new(bits);
    if nulls.null_count() == column.null_count {
        Ok(Some(nulls))
    } else {
        Err(format!("{} nulls where it says {}", nulls.null_count(), column.null_count))
    }
}

fn read_offsets(bytes: &Buffer, span: Span, length: usize) -> Result<OffsetBuffer<i32>, String> {
    check_offsets(words(span.of(bytes)), length)?;
    Ok(OffsetBuffer::new(ScalarBuffer::from(slice(bytes, span))))
}

pub(crate) fn values_array(
    bytes: &Buffer,
    scalar: &DataType,
    values: Span,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, String> {
    Ok(match scalar {
        DataType::Bool => {
            let bits = BooleanBuffer::new(slice(bytes, values), 0, rows);
            Arc::new(BooleanArray::new(bits, nulls))
        }
        DataType::Int8 => primitive::<Int8Type>(bytes, values, nulls),
        DataType::Int16 => primitive::<Int16Type>(bytes, values, nulls),
        DataType::Int32 => primitive::<Int32Type>(bytes, values, nulls),
        DataType::Int64 => primitive::<Int64Type>(bytes, values, nulls),
        DataType::UInt8 => primitive::<UInt8Type>(bytes, values, nulls),
        DataType::UInt16 => primitive::<UInt16Type>(bytes, values, nulls),
        DataType::UInt32 => primitive::<UInt32Type>(bytes, values, nulls),
        DataType::UInt64 => primitive::<UInt64Type>(bytes, values, nulls),
        DataType::Float32 => primitive::<Float32Type>(bytes, values, nulls),
        DataType::Float64 => primitive::<Float64Type>(bytes, values, nulls),
        DataType::Date32 => primitive::<Date32Type>(bytes, values, nulls),
        DataType::Timestamp => {
            let array = PrimitiveArray::<TimestampMicrosecondType>::new(
                ScalarBuffer::from(slice(bytes, values)),
                nulls,
            );
            Arc::new(array.with_timezone("UTC"))
        }
        DataType::Decimal128 { precision, scale } => {
            let array = Decimal128Array::new(ScalarBuffer::from(slice(bytes, values)), nulls)
                .with_precision_and_scale(*precision, *scale as i8)
                .map_err(|e| e.to_string())?;
            array.validate_decimal_precision(*precision).map_err(|e| e.to_string())?;
            Arc::new(array)
        }
        DataType::Utf8
        | DataType::Binary
        | DataType::List { .. }
        | DataType::FixedSizeList { .. }
        | DataType::Struct(_) => return Err(mismatch()),
    })
}

fn primitive<T: ArrowPrimitiveType>(
    bytes: &Buffer,
    values: Span,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(slice(bytes, values)), nulls))
}
