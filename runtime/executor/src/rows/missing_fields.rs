use std::collections::BTreeMap;

use arrow::datatypes::Schema;
use unskew_plan::SourcePlan;

use crate::rows::error::RowsError;
use crate::rows::source_reader::{SourceReader, missing_column};

/// The fields for which files of a source have no column.
///
/// Schemas of files drift: a column that came later is null in the files
/// before it. A column that none of the files has is a mistake, mostly in its
/// name.
#[derive(Debug, Default)]
pub struct MissingFields {
    files: usize,
    /// By field, how many files lack it, and the first of them with its columns.
    lacking: BTreeMap<usize, Lacking>,
}

#[derive(Debug)]
struct Lacking {
    files: usize,
    first: String,
    columns: Vec<String>,
}

impl MissingFields {
    /// Adds a file, of these columns, that `reader` reads.
    pub fn add(&mut self, file: &str, schema: &Schema, reader: &SourceReader) {
        self.files += 1;
        for field in reader.missing() {
            let lacking = self.lacking.entry(*field).or_insert_with(|| Lacking {
                files: 0,
                first: file.to_owned(),
                columns: schema.fields().iter().map(|column| column.name().clone()).collect(),
            });
            lacking.files += 1;
        }
    }

    /// A note for each field that some of the files lack; an error if all do,
    /// with the first of them.
    pub fn finish(self, source: &SourcePlan) -> Result<Vec<String>, (String, RowsError)> {
        let mut notes = Vec::new();
        for (at, Lacking { files, first, columns }) in self.lacking {
            let field = &source.fields[at];
            if files == self.files {
                let names = columns.iter().map(String::as_str);
                return Err((first, missing_column(source, field, names)));
            }
            notes.push(format!(
                "source {}: {files} of {} files have no column {:?} for the field {}, which is null there; the first is {first}",
                source.name, self.files, field.column, field.name
            ));
        }
        Ok(notes)
    }
}
