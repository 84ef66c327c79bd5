//! Texts of a wanted length, which a row may not make without bound.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType as ArrowType, Int64Type};
use arrow::error::ArrowError;

use super::{Native, Values, integer};
use crate::representation::shown_type;

/// Bytes of a text that these functions make.
const MAX_BYTES: usize = 64 << 10;

pub(super) static FUNCTIONS: &[Native] = &[
    Native {
        name: "repeat",
        resolve: |types, _| resolve(types, 2, "repeat(text, count)"),
        compute: repeat,
        makes_nulls: false,
        fallible: true,
    },
    Native {
        name: "lpad",
        resolve: |types, _| resolve(types, 3, "lpad(text, length[, fill])"),
        compute: |values| pad(values, Side::Left),
        makes_nulls: false,
        fallible: true,
    },
    Native {
        name: "rpad",
        resolve: |types, _| resolve(types, 3, "rpad(text, length[, fill])"),
        compute: |values| pad(values, Side::Right),
        makes_nulls: false,
        fallible: true,
    },
];

fn resolve(
    types: &[ArrowType],
    most: usize,
    form: &str,
) -> Result<(Vec<ArrowType>, ArrowType), String> {
    if types.len() < 2 || types.len() > most {
        return Err(format!("write {form}"));
    }
    for at in [0, 2] {
        if let Some(given) = types.get(at)
            && !matches!(given, ArrowType::Utf8 | ArrowType::Null)
        {
            return Err(format!("write {form}; argument {} is {}", at + 1, shown_type(given)));
        }
    }
    integer(&types[1])?;
    let mut takes = vec![ArrowType::Utf8, ArrowType::Int64, ArrowType::Utf8];
    takes.truncate(types.len());
    Ok((takes, ArrowType::Utf8))
}

fn too_long() -> ArrowError {
    ArrowError::ComputeError(format!("the text would have more than {MAX_BYTES} bytes"))
}

fn repeat(values: &Values<'_>) -> Result<ArrayRef, ArrowError> {
    let (texts, counts) = (values.array(0)?, values.array(1)?);
    let (texts, counts) = (texts.as_string::<i32>(), counts.as_primitive::<Int64Type>());
    let mut made = StringBuilder::with_capacity(texts.len(), 0);
    for (text, count) in texts.iter().zip(counts) {
        let (Some(text), Some(count)) = (text, count) else {
            made.append_null();
            continue;
        };
        let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
        if text.len().saturating_mul(count) > MAX_BYTES {
            return Err(too_long());
        }
        made.append_value(text.repeat(count));
    }
    Ok(Arc::new(made.finish()))
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// Lengths are characters; a longer text is cut at its end.
fn pad(values: &Values<'_>, side: Side) -> Result<ArrayRef, ArrowError> {
    let (texts, lengths) = (values.array(0)?, values.array(1)?);
    let (texts, lengths) = (texts.as_string::<i32>(), lengths.as_primitive::<Int64Type>());
    let fills = if values.len() == 3 { Some(values.array(2)?) } else { None };
    let fills = fills.as_ref().map(|fills| fills.as_string::<i32>());
    let mut made = StringBuilder::with_capacity(texts.len(), 0);
    for row in 0..texts.len() {
        let fill = match fills {
            Some(fills) if fills.is_null(row) => None,
            Some(fills) => Some(fills.value(row)),
            None => Some(" "),
        };
        let (true, true, Some(fill)) = (texts.is_valid(row), lengths.is_valid(row), fill) else {
            made.append_null();
            continue;
        };
        let text = texts.value(row);
        let length = usize::try_from(lengths.value(row).max(0)).unwrap_or(usize::MAX);
        if length > MAX_BYTES {
            return Err(too_long());
        }
        let has = text.chars().count();
        let kept: String = text.chars().take(length).collect();
        let filling: String = match has < length {
            true => fill.chars().cycle().take(length - has).collect(),
            false => String::new(),
        };
        if kept.len() + filling.len() > MAX_BYTES {
            return Err(too_long());
        }
        made.append_value(match side {
            Side::Left => filling + &kept,
            Side::Right => kept + &filling,
        });
    }
    Ok(Arc::new(made.finish()))
}
