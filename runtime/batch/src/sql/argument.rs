//! What is given to a function in a query, held against what it takes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType as ArrowType, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_datafusion_err};
use datafusion::logical_expr::ColumnarValue;
use unskew_column::{arrow_name, converts};
use unskew_definition::{DataType, Field};
use unskew_executor::text::ColumnBuilder;

/// How a function is called: `rate(views: int64, purchases: int64?)`.
pub(crate) fn call_form(name: &str, inputs: &[Field]) -> String {
    let inputs: Vec<String> = inputs
        .iter()
        .map(|input| {
            let mark = if input.nullable { "?" } else { "" };
            format!("{}: {}{mark}", input.name, input.data_type)
        })
        .collect();
    format!("{name}({})", inputs.join(", "))
}

/// Refuses a call with too few or too many arguments.
pub(crate) fn check_count(name: &str, inputs: &[Field], given: usize) -> Result<()> {
    if given == inputs.len() {
        return Ok(());
    }
    Err(plan_datafusion_err!(
        "{} takes {} arguments, {given} are given",
        call_form(name, inputs),
        inputs.len()
    ))
}

/// Refuses what is given to `input` unless all its values are of the input's
/// type, as they stand or, of a constant, as it is written.
pub(crate) fn check_argument(
    name: &str,
    inputs: &[Field],
    input: &Field,
    given: &FieldRef,
    constant: Option<&ScalarValue>,
) -> Result<()> {
    let wanted = &input.data_type;
    if converts(given.data_type(), wanted)
        || constant.is_some_and(|constant| constant_as(constant, wanted).is_some())
    {
        return Ok(());
    }
    let what = match constant {
        Some(constant) => format!("{constant} ({})", arrow_name(given.data_type())),
        None => arrow_name(given.data_type()),
    };
    let fix = match sql_name(wanted) {
        Some(sql_name) => format!(
            "; write CAST(... AS {sql_name}), or for a column of text files --type TABLE.COLUMN={wanted}"
        ),
        None => String::new(),
    };
    Err(plan_datafusion_err!(
        "{}: argument {} is {wanted}, and what is given is {what}{fix}",
        call_form(name, inputs),
        input.name
    ))
}

/// The rows of an argument, of a type that converts to `wanted`.
pub(crate) fn argument_rows(
    value: &ColumnarValue,
    wanted: &DataType,
    rows: usize,
) -> Result<ArrayRef> {
    match value {
        ColumnarValue::Array(array) => Ok(Arc::clone(array)),
        ColumnarValue::Scalar(scalar) if converts(&scalar.data_type(), wanted) => {
            scalar.to_array_of_size(rows)
        }
        ColumnarValue::Scalar(scalar) => {
            let constant = constant_as(scalar, wanted).ok_or_else(|| {
                DataFusionError::Execution(format!("{scalar} is no {wanted}; write a CAST"))
            })?;
            ScalarValue::try_from_array(&constant, 0)?.to_array_of_size(rows)
        }
    }
}

/// A constant as one row of the wanted type, if that is the same value: a
/// number that is one of its values, the text of a time or a decimal, null.
pub(crate) fn constant_as(constant: &ScalarValue, wanted: &DataType) -> Option<ArrayRef> {
    let target = wanted.to_arrow();
    if constant.is_null() {
        return Some(new_null_array(&target, 1));
    }
    if let Some(Some(text)) = constant.try_as_str() {
        let written =
            matches!(wanted, DataType::Timestamp | DataType::Date32 | DataType::Decimal128 { .. });
        let mut value = ColumnBuilder::new(wanted, 1);
        return (written && value.push_text(text).is_ok()).then(|| value.finish());
    }
    let found = constant.data_type();
    if !is_number(&found) || !is_number(&target) {
        return None;
    }
    let array = constant.to_array_of_size(1).ok()?;
    let exact = CastOptions { safe: true, ..CastOptions::default() };
    let there = cast_with_options(&array, &target, &exact).ok()?;
    let back = cast_with_options(&there, &found, &exact).ok()?;
    (there.is_valid(0) && back.to_data() == array.to_data()).then_some(there)
}

fn is_number(data_type: &ArrowType) -> bool {
    data_type.is_numeric() && !matches!(data_type, ArrowType::Float16)
}

/// How a type is written in `CAST`, where it is.
fn sql_name(data_type: &DataType) -> Option<String> {
    Some(match data_type {
        DataType::Bool => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 => "TINYINT UNSIGNED".to_owned(),
        DataType::UInt16 => "SMALLINT UNSIGNED".to_owned(),
        DataType::UInt32 => "INT UNSIGNED".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Float32 => "REAL".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Utf8 => "VARCHAR".to_owned(),
        DataType::Binary => "BYTEA".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp => "TIMESTAMP".to_owned(),
        DataType::Decimal128 { precision, scale } => format!("DECIMAL({precision}, {scale})"),
        DataType::List { .. } | DataType::FixedSizeList { .. } | DataType::Struct(_) => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_fits_where_it_is_the_same_value() {
        let fits = |constant: ScalarValue, wanted: &str| {
            constant_as(&constant, &wanted.parse().unwrap()).is_some()
        };
        assert!(fits(ScalarValue::Int64(Some(1)), "float64"));
        assert!(fits(ScalarValue::Int64(Some(255)), "uint8"));
        assert!(!fits(ScalarValue::Int64(Some(256)), "uint8"));
        assert!(!fits(ScalarValue::Int64(Some((1 << 53) + 1)), "float64"));
        assert!(fits(ScalarValue::Float64(Some(0.5)), "float32"));
        assert!(!fits(ScalarValue::Float64(Some(0.1)), "float32"));
        assert!(!fits(ScalarValue::Float64(Some(0.5)), "int64"));
        assert!(fits(ScalarValue::from("2024-02-29"), "date32"));
        assert!(!fits(ScalarValue::from("2023-02-29"), "date32"));
        assert!(!fits(ScalarValue::from("1"), "int64"));
        assert!(!fits(ScalarValue::Boolean(Some(true)), "int64"));
        assert!(fits(ScalarValue::Null, "list<utf8?>"));
    }
}
