//! The types of a text file's columns, told by all of its values.
//!
//! A column is of the narrowest type that every one of its values is spelled
//! as: bool, int64, uint64, float64, date32, timestamp, else utf8. All values
//! are looked at, so no later one can turn out not to fit. What would not be
//! spelled the same again stays text: `007`, `+1`, whole numbers beyond 2^53
//! among floats.

use std::path::Path;

use arrow::array::{Array, AsArray};
use serde_json::value::RawValue;
use unskew_definition::DataType;
use unskew_executor::text::ColumnBuilder;

use crate::error::BatchError;
use crate::format::FileFormat;
use crate::read_jsonl::scan_members;
use crate::table_reader::{TableReader, open_json};

/// The columns of one or more text files, in the order in which they first
/// occur.
#[derive(Default)]
pub(crate) struct InferredTypes {
    columns: Vec<(String, Candidates)>,
}

impl InferredTypes {
    /// Looks at all values of a CSV or JSON lines file, and gives the names of
    /// its columns.
    pub(crate) fn add_file(
        &mut self,
        path: &Path,
        format: FileFormat,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, BatchError> {
        let mut names: Vec<String> = Vec::new();
        if let FileFormat::JsonLines(packing) = format {
            let mut places: Vec<usize> = Vec::new();
            let mut next = 0;
            scan_members(open_json(path, packing)?, cancelled, &mut |name, value| {
                // Objects mostly have the members of the one before, in its order.
                let at = match names.get(next) {
                    Some(known) if known == name => next,
                    _ => match names.iter().position(|known| known == name) {
                        Some(at) => at,
                        None => {
                            names.push(name.to_owned());
                            places.push(self.place(name));
                            names.len() - 1
                        }
                    },
                };
                next = if at + 1 == names.len() { 0 } else { at + 1 };
                self.columns[places[at]].1.see_json(value);
            })?;
            return Ok(names);
        }
        let mut table = TableReader::open(path, Some(format), None, cancelled)?;
        names.extend(table.schema().fields().iter().map(|field| field.name().clone()));
        let places: Vec<usize> = names.iter().map(|name| self.place(name)).collect();
        while let Some((_, batch)) = table.next_batch()? {
            if cancelled() {
                return Err(BatchError::Cancelled);
            }
            for (column, place) in batch.columns().iter().zip(&places) {
                let texts = column.as_string::<i32>();
                let candidates = &mut self.columns[*place].1;
                (0..texts.len())
                    .filter(|row| texts.is_valid(*row))
                    .for_each(|row| candidates.see_text(texts.value(row)));
            }
        }
        Ok(names)
    }

    fn place(&mut self, name: &str) -> usize {
        match self.columns.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                self.columns.push((name.to_owned(), Candidates::new()));
                self.columns.len() - 1
            }
        }
    }

    /// Each column with its type; none is utf8, whatever it spells.
    pub(crate) fn finish(self) -> Vec<(String, Option<DataType>)> {
        self.columns.into_iter().map(|(name, candidates)| (name, candidates.narrowest())).collect()
    }
}

/// In the order in which they are preferred.
const TYPES: [DataType; 6] = [
    DataType::Bool,
    DataType::Int64,
    DataType::UInt64,
    DataType::Float64,
    DataType::Date32,
    DataType::Timestamp,
];

/// Values are parsed into a builder, which is begun anew after so many.
const BUILDER_ROWS: usize = 4_096;

/// The types that all values of a column so far may be of.
struct Candidates {
    left: Vec<(DataType, ColumnBuilder)>,
    /// Whether there was any value.
    any: bool,
}

impl Candidates {
    fn new() -> Self {
        let left = TYPES.map(|data_type| {
            let builder = ColumnBuilder::new(&data_type, 0);
            (data_type, builder)
        });
        Self { left: left.into(), any: false }
    }

    fn see_text(&mut self, text: &str) {
        self.any = true;
        self.left.retain_mut(|(data_type, builder)| {
            is_spelled_so(data_type, text) && reset(data_type, builder).push_text(text).is_ok()
        });
    }

    fn see_json(&mut self, value: &RawValue) {
        let text = value.get();
        if text == "null" {
            return;
        }
        self.any = true;
        let first = text.as_bytes().first().copied().unwrap_or_default();
        self.left.retain_mut(|(data_type, builder)| {
            let is_kind = match data_type {
                DataType::Bool => matches!(first, b't' | b'f'),
                DataType::Date32 | DataType::Timestamp => first == b'"',
                _ => first == b'-' || first.is_ascii_digit(),
            };
            is_kind
                && is_spelled_so(data_type, text)
                && reset(data_type, builder).push_json(value).is_ok()
        });
    }

    fn narrowest(self) -> Option<DataType> {
        if !self.any {
            return None;
        }
        self.left.into_iter().next().map(|(data_type, _)| data_type)
    }
}

fn reset<'a>(data_type: &DataType, builder: &'a mut ColumnBuilder) -> &'a mut ColumnBuilder {
    if builder.len() >= BUILDER_ROWS {
        *builder = ColumnBuilder::new(data_type, 0);
    }
    builder
}

/// Whether a number of this type would be spelled with these digits again.
fn is_spelled_so(data_type: &DataType, text: &str) -> bool {
    const EXACT: u64 = 1 << 53;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leads_with_zero =
        digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    match data_type {
        DataType::Int64 | DataType::UInt64 => !leads_with_zero && !digits.starts_with('+'),
        DataType::Float64 => {
            let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            !leads_with_zero
                && !digits.starts_with('+')
                && (!whole || digits.parse::<u64>().is_ok_and(|number| number <= EXACT))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_texts(texts: &[&str]) -> String {
        let mut candidates = Candidates::new();
        texts.iter().for_each(|text| candidates.see_text(text));
        candidates.narrowest().map_or("utf8".to_owned(), |data_type| data_type.to_string())
    }

    fn of_json(values: &[&str]) -> String {
        let mut candidates = Candidates::new();
        for value in values {
            candidates.see_json(&RawValue::from_string((*value).to_owned()).unwrap());
        }
        candidates.narrowest().map_or("utf8".to_owned(), |data_type| data_type.to_string())
    }

    #[test]
    fn a_column_of_texts_is_of_the_narrowest_type_of_all_values() {
        for (texts, wanted) in [
            (&["1", "-2"][..], "int64"),
            (&["1", "2.5"], "float64"),
            (&["1e3"], "float64"),
            (&["18446744073709551615", "1"], "uint64"),
            (&["9007199254740993", "0.5"], "utf8"),
            (&["123456789012345678901"], "utf8"),
            (&["007", "1"], "utf8"),
            (&["+1"], "utf8"),
            (&["0", "0.5"], "float64"),
            (&["true", "false"], "bool"),
            (&["true", "1"], "utf8"),
            (&["2024-02-29"], "date32"),
            (&["2023-02-29"], "utf8"),
            (&["2024-02-29T10:00:00Z", "2024-02-29T10:00:00+02:00"], "timestamp"),
            (&["1", "x"], "utf8"),
            (&[""], "utf8"),
            (&[], "utf8"),
        ] {
            assert_eq!(of_texts(texts), wanted, "{texts:?}");
        }
    }

    #[test]
    fn json_says_itself_what_is_a_number() {
        for (values, wanted) in [
            (&["1", "null", "2"][..], "int64"),
            (&["\"1\""], "utf8"),
            (&["1", "\"1\""], "utf8"),
            (&["1.5", "2"], "float64"),
            (&["true"], "bool"),
            (&["\"2024-02-29T10:00:00Z\""], "timestamp"),
            (&["[1]"], "utf8"),
            (&["null"], "utf8"),
        ] {
            assert_eq!(of_json(values), wanted, "{values:?}");
        }
    }
}
