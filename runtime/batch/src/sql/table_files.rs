//! The files of a table, and the columns that they have together.
//!
//! Files of one table may differ: a column that some lack is null there, and a
//! narrower type is converted to the widest without loss. A column whose types
//! have no such common one is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use unskew_column::{arrow_name, converts};
use unskew_definition::DataType;
use unskew_executor::fitting_type;

use crate::error::BatchError;
use crate::format::FileFormat;
use crate::source_files::matching_files;
use crate::sql::infer_types::InferredTypes;
use crate::table_reader::{TableReader, format_of};

/// The files of a table, in order, and its columns.
#[derive(Debug)]
pub(crate) struct TableFiles {
    pub(crate) files: Vec<TableFile>,
    /// All columns that any of the files has; each may be null.
    pub(crate) schema: SchemaRef,
    /// The types of columns of text files; the others are utf8.
    pub(crate) types: Vec<(String, DataType)>,
    pub(crate) notes: Vec<TableNote>,
}

#[derive(Debug)]
pub(crate) struct TableFile {
    pub(crate) path: PathBuf,
    pub(crate) format: FileFormat,
    /// Of a Parquet file, its columns; of a text file, their names and types.
    pub(crate) schema: SchemaRef,
}

/// What is worth knowing of a table: a column that a file lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableNote {
    /// The file.
    pub(crate) path: PathBuf,
    /// What is missing.
    pub(crate) column: String,
}

impl std::fmt::Display for TableNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has no column {:?}, which is null there", self.path.display(), self.column)
    }
}

impl TableFiles {
    /// Opens what `pattern` names, seen from `folder`: a file, a folder, a glob
    /// or a URL. Columns of text files that `declared` names have that type.
    pub(crate) fn open(
        table: &str,
        folder: &Path,
        pattern: &str,
        declared: &[(String, DataType)],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, BatchError> {
        let wrong = |reason| BatchError::WrongTable { table: table.to_owned(), reason };
        let paths = matching_files(folder, &[pattern.to_owned()], &wrong)?;
        let mut inferred = InferredTypes::default();
        let mut names: Vec<Vec<String>> = Vec::with_capacity(paths.len());
        let mut files: Vec<TableFile> = Vec::with_capacity(paths.len());
        for path in paths {
            if cancelled() {
                return Err(BatchError::Cancelled);
            }
            let format = format_of(&path, None)?;
            let (schema, of_text) = match format {
                FileFormat::Parquet => {
                    let file = TableReader::open_columns(&path, format, None, &[])?;
                    (Arc::clone(file.schema()), Vec::new())
                }
                _ => (Arc::new(Schema::empty()), inferred.add_file(&path, format, cancelled)?),
            };
            names.push(of_text);
            files.push(TableFile { path, format, schema });
        }
        let types = text_types(&files, inferred, declared);
        for (file, names) in files.iter_mut().zip(&names) {
            if file.format == FileFormat::Parquet {
                continue;
            }
            let fields = names.iter().map(|name| {
                let found = types.iter().find(|(column, _)| column == name);
                let data_type = found.map_or(ArrowType::Utf8, |(_, found)| found.to_arrow());
                Field::new(name, data_type, true)
            });
            file.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        }
        let schema = Arc::new(common_schema(table, &files)?);
        let any_text = files.iter().any(|file| file.format != FileFormat::Parquet);
        if let Some((unknown, _)) =
            declared.iter().find(|(name, _)| schema.column_with_name(name).is_none() || !any_text)
        {
            let reason = match schema.column_with_name(unknown) {
                Some(_) => format!(
                    "--type names its column {unknown:?}, whose type its Parquet files say; write a CAST"
                ),
                None => format!(
                    "it has no column {unknown:?}, which --type names; its columns: {}",
                    unskew_definition::listed(schema.fields().iter().map(|f| f.name().as_str()))
                ),
            };
            return Err(wrong(reason));
        }
        let notes = missing_columns(&files, &schema);
        Ok(Self { files, schema, types, notes })
    }

    /// Whether all files are Parquet files of the very same columns.
    pub(crate) fn is_uniform_parquet(&self) -> bool {
        self.files.iter().all(|file| {
            file.format == FileFormat::Parquet
                && file.schema.fields().len() == self.schema.fields().len()
                && file.schema.fields().iter().zip(self.schema.fields()).all(|(own, common)| {
                    own.name() == common.name() && own.data_type() == common.data_type()
                })
        })
    }
}

/// The types of text columns: those declared, those of Parquet files of the
/// same table, else those that their values tell.
fn text_types(
    files: &[TableFile],
    inferred: InferredTypes,
    declared: &[(String, DataType)],
) -> Vec<(String, DataType)> {
    let of_parquet = |name: &str| {
        let columns = files.iter().filter_map(|file| file.schema.field_with_name(name).ok());
        columns.map(|field| fitting_type(field.data_type())).next_back().flatten()
    };
    let inferred = inferred.finish().into_iter().filter_map(|(name, inferred)| {
        let known = declared.iter().find(|(column, _)| *column == name);
        let known = known.map(|(_, data_type)| data_type.clone());
        let data_type = known.or_else(|| of_parquet(&name)).or(inferred)?;
        Some((name, data_type))
    });
    inferred.collect()
}

fn common_schema(table: &str, files: &[TableFile]) -> Result<Schema, BatchError> {
    // Each with the file that it was first seen in.
    let mut fields: Vec<(Field, &Path)> = Vec::new();
    for file in files {
        for (at, field) in file.schema.fields().iter().enumerate() {
            if file.schema.fields()[..at].iter().any(|earlier| earlier.name() == field.name()) {
                return Err(BatchError::WrongFile {
                    path: file.path.clone(),
                    reason: format!("two of its columns are named {:?}; rename one", field.name()),
                });
            }
            let known = fields.iter_mut().find(|(known, _)| known.name() == field.name());
            let Some((known, first)) = known else {
                fields.push((field.as_ref().clone().with_nullable(true), &file.path));
                continue;
            };
            match common_type(known.data_type(), field.data_type()) {
                Some(common) => known.set_data_type(common),
                None => {
                    return Err(BatchError::WrongTable {
                        table: table.to_owned(),
                        reason: format!(
                            "column {:?} is {} in {} and {} in {}, and neither holds the other's values; convert one of the files, or query them as two tables",
                            field.name(),
                            arrow_name(known.data_type()),
                            first.display(),
                            arrow_name(field.data_type()),
                            file.path.display()
                        ),
                    });
                }
            }
        }
    }
    Ok(Schema::new(fields.into_iter().map(|(field, _)| field).collect::<Vec<_>>()))
}

/// The type that holds the values of both.
fn common_type(a: &ArrowType, b: &ArrowType) -> Option<ArrowType> {
    if a == b {
        return Some(a.clone());
    }
    let holds = |wide: &ArrowType, narrow: &ArrowType| {
        let wide = fitting_type(wide)?;
        converts(narrow, &wide).then(|| wide.to_arrow())
    };
    holds(a, b).or_else(|| holds(b, a))
}

fn missing_columns(files: &[TableFile], schema: &Schema) -> Vec<TableNote> {
    let mut notes = Vec::new();
    for file in files {
        for field in schema.fields() {
            if file.schema.column_with_name(field.name()).is_none() {
                notes.push(TableNote { path: file.path.clone(), column: field.name().clone() });
            }
        }
    }
    notes
}
