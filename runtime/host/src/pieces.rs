//! Puts the replies to parts of the rows together again.

use arrow::array::{
    Array, ArrayRef, MutableArrayData, make_array, new_empty_array, new_null_array,
};
use arrow::error::ArrowError;
use unskew_definition::Field;

use crate::split::Part;

/// One column for each of `fields`, with `rows` rows: those of the parts, and
/// null where no part has one. `rows_of` gives for each row handed over its
/// row among the caller's. Fails when a column's text passes 2 GiB.
pub(crate) fn assemble(
    fields: &[Field],
    parts: &[Part],
    rows_of: Option<&[u32]>,
    rows: usize,
) -> Result<Vec<ArrayRef>, ArrowError> {
    if let [part] = parts
        && rows_of.is_none()
        && part.rows.len() == rows
    {
        return Ok(part.columns.clone());
    }
    let assembled = fields.iter().enumerate().map(|(at, field)| {
        let arrow = field.data_type.to_arrow();
        if rows == 0 {
            return Ok(new_empty_array(&arrow));
        }
        if parts.is_empty() {
            return Ok(new_null_array(&arrow, rows));
        }
        let data: Vec<_> = parts.iter().map(|part| part.columns[at].to_data()).collect();
        let mut column = MutableArrayData::new(data.iter().collect(), true, rows);
        let mut filled = 0;
        for (source, part) in parts.iter().enumerate() {
            for (target, start, end) in runs(part, rows_of) {
                column.try_extend_nulls(target - filled)?;
                column.try_extend(source, start, end)?;
                filled = target + (end - start);
            }
        }
        column.try_extend_nulls(rows - filled)?;
        Ok(make_array(column.freeze()))
    });
    assembled.collect()
}

/// Runs of neighbouring rows: where they go, and which rows of the part they are.
fn runs<'a>(
    part: &'a Part,
    rows_of: Option<&'a [u32]>,
) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
    let length = part.rows.len();
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == length {
            return None;
        }
        let start = at;
        let Some(rows_of) = rows_of else {
            at = length;
            return Some((part.rows.start, start, length));
        };
        let rows_of = &rows_of[part.rows.clone()];
        let first = rows_of[start];
        at += rows_of[start..]
            .iter()
            .zip(first..)
            .take_while(|(row, expected)| **row == *expected)
            .count();
        Some((first as usize, start, at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int32Array;
    use std::sync::Arc;

    #[test]
    fn rows_come_back_where_they_were() {
        let name = unskew_definition::Name::new("x").unwrap();
        let fields =
            [Field { name, data_type: unskew_definition::DataType::Int32, nullable: true }];
        let part = |rows: std::ops::Range<usize>, values: Vec<i32>| Part {
            rows,
            columns: vec![Arc::new(Int32Array::from(values))],
            groups: Vec::new(),
        };
        let parts = [part(0..2, vec![10, 11]), part(3..5, vec![13, 14])];
        let whole = assemble(&fields, &parts, None, 6).unwrap();
        let expected = Int32Array::from(vec![Some(10), Some(11), None, Some(13), Some(14), None]);
        assert_eq!(whole[0].as_ref(), &expected);

        let scattered = assemble(&fields, &parts, Some(&[1, 2, 4, 6, 7]), 9).unwrap();
        let expected = Int32Array::from(vec![
            None,
            Some(10),
            Some(11),
            None,
            None,
            None,
            Some(13),
            Some(14),
            None,
        ]);
        assert_eq!(scattered[0].as_ref(), &expected);
        assert_eq!(assemble(&fields, &[], None, 2).unwrap()[0].null_count(), 2);
    }
}
