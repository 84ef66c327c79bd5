//! Whether two values are the same, and where they are not.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float32Type, Float64Type};
use unskew_definition::DataType;

use super::value_text;

/// The innermost place where a value is not what it should be.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The way there from the column: `[3]` or `.name`, or nothing.
    pub(super) path: String,
    pub(super) expected: String,
    pub(super) got: String,
    /// The bits of both, where their texts do not tell them apart.
    pub(super) bits: Option<(String, String)>,
}

/// A value: one row of a column.
#[derive(Clone)]
pub(super) struct Cell {
    pub(super) column: ArrayRef,
    pub(super) row: usize,
}

impl Cell {
    pub(super) fn new(column: &ArrayRef, row: usize) -> Self {
        Self { column: Arc::clone(column), row }
    }

    fn is_null(&self) -> bool {
        self.column.is_null(self.row)
    }

    /// The items of a list, as cells.
    fn items(&self) -> Vec<Self> {
        let items = match self.column.as_list_opt::<i32>() {
            Some(list) => list.value(self.row),
            None => self.column.as_fixed_size_list().value(self.row),
        };
        (0..items.len()).map(|row| Self::new(&items, row)).collect()
    }
}

/// Compares by bits; with a tolerance `t` floats may differ by
/// `t * max(1, |expected|)`.
pub(super) fn mismatch(
    data_type: &DataType,
    expected: &Cell,
    got: &Cell,
    tolerance: Option<f64>,
) -> Option<Mismatch> {
    let here = || Some(Mismatch::between(data_type, expected, got));
    if expected.is_null() || got.is_null() {
        return if expected.is_null() == got.is_null() { None } else { here() };
    }
    match data_type {
        DataType::List { item, .. } => items_mismatch(item, expected, got, tolerance, here),
        DataType::FixedSizeList { .. } => {
            items_mismatch(&DataType::Float32, expected, got, tolerance, here)
        }
        DataType::Struct(fields) => {
            let columns = |cell: &Cell| cell.column.as_struct().columns().to_vec();
            let pairs = columns(expected).into_iter().zip(columns(got));
            fields.iter().zip(pairs).find_map(|(field, (e, g))| {
                let (e, g) = (Cell::new(&e, expected.row), Cell::new(&g, got.row));
                let inner = mismatch(&field.data_type, &e, &g, tolerance)?;
                Some(Mismatch { path: format!(".{}{}", field.name, inner.path), ..inner })
            })
        }
        scalar => match (tolerance, float(scalar, expected), float(scalar, got)) {
            (Some(t), Some(e), Some(g)) if near(e, g, t) => None,
            _ if same_bits(expected, got) => None,
            _ => here(),
        },
    }
}

fn items_mismatch(
    item: &DataType,
    expected: &Cell,
    got: &Cell,
    tolerance: Option<f64>,
    here: impl Fn() -> Option<Mismatch>,
) -> Option<Mismatch> {
    let (expected, got) = (expected.items(), got.items());
    if expected.len() != got.len() {
        return here();
    }
    expected.iter().zip(&got).enumerate().find_map(|(i, (e, g))| {
        let inner = mismatch(item, e, g, tolerance)?;
        Some(Mismatch { path: format!("[{i}]{}", inner.path), ..inner })
    })
}

fn near(expected: f64, got: f64, tolerance: f64) -> bool {
    (expected.is_nan() && got.is_nan())
        || expected == got
        || (expected.is_finite() && (got - expected).abs() <= tolerance * expected.abs().max(1.0))
}

fn float(data_type: &DataType, cell: &Cell) -> Option<f64> {
    match data_type {
        DataType::Float32 => Some(cell.column.as_primitive::<Float32Type>().value(cell.row).into()),
        DataType::Float64 => Some(cell.column.as_primitive::<Float64Type>().value(cell.row)),
        _ => None,
    }
}

/// Arrow compares floats by their bits.
fn same_bits(expected: &Cell, got: &Cell) -> bool {
    let one = |cell: &Cell| cell.column.slice(cell.row, 1).to_data();
    one(expected) == one(got)
}

impl Mismatch {
    fn between(data_type: &DataType, expected: &Cell, got: &Cell) -> Self {
        let texts = [expected, got].map(value_text);
        let bits = (texts[0] == texts[1])
            .then(|| (bits_text(data_type, expected), bits_text(data_type, got)));
        let [expected, got] = texts;
        Self { path: String::new(), expected, got, bits }
    }
}

fn bits_text(data_type: &DataType, cell: &Cell) -> String {
    match data_type {
        DataType::Float32 => {
            let value = cell.column.as_primitive::<Float32Type>().value(cell.row);
            format!("0x{:08x}", value.to_bits())
        }
        DataType::Float64 => {
            let value = cell.column.as_primitive::<Float64Type>().value(cell.row);
            format!("0x{:016x}", value.to_bits())
        }
        _ => format!("{:?}", cell.column.slice(cell.row, 1)),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Float64Array, Int64Array};
    use serde_json::value::RawValue;

    use super::*;
    use crate::cases::column;

    fn floats(expected: f64, got: f64, tolerance: Option<f64>) -> Option<Mismatch> {
        let cell = |value| Cell::new(&(Arc::new(Float64Array::from(vec![value])) as ArrayRef), 0);
        mismatch(&DataType::Float64, &cell(expected), &cell(got), tolerance)
    }

    fn texts(
        data_type: &str,
        expected: &str,
        got: &str,
        tolerance: Option<f64>,
    ) -> Option<Mismatch> {
        let data_type: DataType = data_type.parse().unwrap();
        let cell = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            Cell::new(&column(&data_type, &[&raw]).unwrap(), 0)
        };
        mismatch(&data_type, &cell(expected), &cell(got), tolerance)
    }

    #[test]
    fn floats_are_compared_by_bits() {
        assert!(floats(0.1 + 0.2, 0.30000000000000004, None).is_none());
        assert!(floats(f64::NAN, f64::NAN, None).is_none());
        assert!(floats(0.0, -0.0, None).unwrap().bits.is_none(), "their texts differ");
        assert_eq!(floats(0.1 + 0.2, 0.3, None).unwrap().got, "0.3");
        let odd_nan = f64::from_bits(0x7ff8_0000_0000_0001);
        let (expected, got) = floats(f64::NAN, odd_nan, None).unwrap().bits.unwrap();
        assert_eq!((expected.as_str(), got.as_str()), ("0x7ff8000000000000", "0x7ff8000000000001"));
    }

    #[test]
    fn a_tolerance_is_relative_above_one() {
        assert!(floats(1000.0, 1000.9, Some(1e-3)).is_none());
        assert!(floats(1000.0, 1001.1, Some(1e-3)).is_some());
        assert!(floats(0.0, 0.0009, Some(1e-3)).is_none());
        assert!(floats(0.0, -0.0, Some(0.0)).is_none());
        assert!(floats(f64::INFINITY, f64::INFINITY, Some(1e-3)).is_none());
        for (expected, got) in [(f64::INFINITY, f64::MAX), (1.0, f64::NAN), (f64::NAN, 1.0)] {
            assert!(floats(expected, got, Some(1e-3)).is_some(), "{expected} {got}");
        }
    }

    #[test]
    fn a_tolerance_is_for_floats_alone() {
        let cell = |value| Cell::new(&(Arc::new(Int64Array::from(vec![value])) as ArrayRef), 0);
        assert!(mismatch(&DataType::Int64, &cell(1), &cell(2), Some(10.0)).is_some());
        let cell = |value| Cell::new(&(Arc::new(Float32Array::from(vec![value])) as ArrayRef), 0);
        assert!(mismatch(&DataType::Float32, &cell(1.0), &cell(1.25), Some(0.5)).is_none());
    }

    #[test]
    fn the_innermost_place_is_named() {
        let found = texts("list<float64?>", "[1, null, 3]", "[1, null, 4]", None).unwrap();
        assert_eq!((found.path.as_str(), found.expected.as_str()), ("[2]", "3.0"));
        let found =
            texts("struct<a:int64,b:utf8?>", r#"{"a":1,"b":null}"#, r#"{"a":1,"b":"x"}"#, None);
        assert_eq!(found.unwrap().path, ".b");
        let found = texts("list<int64>", "[1]", "[1, 2]", None).unwrap();
        assert_eq!((found.path.as_str(), found.got.as_str()), ("", "[1,2]"));
        assert!(texts("fixed_size_list<float32,2>", "[1, 2]", "[1, 2.5]", Some(1.0)).is_none());
        assert!(texts("list<int64>", "null", "[]", None).is_some());
    }
}
