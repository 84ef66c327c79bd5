//! A file of any format as a table: what training sets are built from.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unskew_definition::DataType;

use crate::error::BatchError;
use crate::format::{FileFormat, Packing};
use crate::open_file::OpenFile;
use crate::read_csv::{CsvColumn, CsvFile};
use crate::read_jsonl::{JsonColumn, KeptMembers, read_jsonl, scan_names};
use crate::read_parquet::ParquetFile;
use crate::source::{Decode, Decoded, InputSize, Opened, Piece, Source};
use crate::text_input::TextInput;

/// Reads the columns of a Parquet, CSV or JSON lines file in pieces of bounded
/// size. Columns of text files are text, whatever they spell; null where a CSV
/// field is empty and bare, or a member of JSON is missing or null.
pub struct TableReader {
    path: PathBuf,
    source: Box<dyn Source>,
    decoder: Box<dyn Decode>,
    schema: SchemaRef,
    size: InputSize,
}

impl TableReader {
    /// Opens `path`, whose format is `format`, or what its name says. Of
    /// `wanted` columns, those that are there are read; without it all are.
    pub fn open(
        path: &Path,
        format: Option<FileFormat>,
        wanted: Option<&[String]>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, BatchError> {
        let format = format_of(path, format)?;
        let columns = match (wanted, format) {
            (Some(wanted), FileFormat::JsonLines(packing)) => {
                let names = scan_names(open_json(path, packing)?, Some(wanted), cancelled)?;
                // Where there is no object, none lacks a member.
                match names.is_empty() {
                    true => Some(wanted.to_vec()),
                    false => Some(names.into_iter().filter(|name| wanted.contains(name)).collect()),
                }
            }
            (None, FileFormat::JsonLines(packing)) => {
                Some(scan_names(open_json(path, packing)?, None, cancelled)?)
            }
            (wanted, _) => wanted.map(<[String]>::to_vec),
        };
        Self::open_columns(path, format, columns.as_deref(), &[])
    }

    /// Opens `path` for these columns, or for all that a Parquet or CSV file
    /// has. Columns of text files are of the types that `types` names; a
    /// column that no object of JSON lines has is null, one that a Parquet or
    /// CSV file lacks is left out.
    pub(crate) fn open_columns(
        path: &Path,
        format: FileFormat,
        columns: Option<&[String]>,
        types: &[(String, DataType)],
    ) -> Result<Self, BatchError> {
        let is_wanted =
            |name: &str| columns.is_none_or(|wanted| wanted.iter().any(|column| column == name));
        let type_of = |name: &str| {
            types.iter().find(|(column, _)| column == name).map(|(_, data_type)| data_type.clone())
        };
        let Opened { source, decoder, schema, kept: _, size } = match format {
            FileFormat::Parquet => {
                let needs = "a Parquet file is read from its end";
                let file = ParquetFile::open(path, OpenFile::open_regular(path, needs)?)?;
                let fields = file.schema.fields().iter().enumerate();
                let columns: Vec<usize> =
                    fields.filter(|(_, field)| is_wanted(field.name())).map(|(at, _)| at).collect();
                file.read(&columns, &[])?
            }
            FileFormat::Csv(packing) => {
                let file = CsvFile::open(TextInput::open(path, OpenFile::open(path)?, packing)?)?;
                let columns = file.header.iter().enumerate().filter(|(_, name)| is_wanted(name));
                let columns =
                    columns.map(|(at, name)| CsvColumn { at, data_type: type_of(name) }).collect();
                file.read(columns, Vec::new())
            }
            FileFormat::JsonLines(packing) => {
                let columns = columns.unwrap_or_default().iter();
                let columns = columns
                    .map(|name| JsonColumn { name: name.clone(), data_type: type_of(name) })
                    .collect();
                let input = open_json(path, packing)?;
                read_jsonl(input, columns, KeptMembers::Columns(Vec::new()), Vec::new())
            }
        };
        Ok(Self { path: path.to_owned(), source, decoder, schema, size })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The columns that are read.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many bytes the file has, where that is known.
    pub fn bytes(&self) -> Option<u64> {
        self.size.bytes
    }

    /// The next rows, with the number of the first of them in the file,
    /// counted from 0; `None` behind the last.
    pub fn next_batch(&mut self) -> Result<Option<(u64, RecordBatch)>, BatchError> {
        let Some(Piece { first_row, content, .. }) = self.source.next()? else { return Ok(None) };
        let Decoded { columns, kept: _ } = self.decoder.decode(content)?;
        Ok(Some((first_row, columns)))
    }
}

/// The format of a file: the one given, or what its name says.
pub(crate) fn format_of(path: &Path, given: Option<FileFormat>) -> Result<FileFormat, BatchError> {
    given.or_else(|| FileFormat::of(path)).ok_or_else(|| {
        let path = path.to_owned();
        BatchError::UnknownFormat { path, option: "it a name with one of them" }
    })
}

/// JSON lines, which are read twice where their members are not known.
pub(crate) fn open_json(path: &Path, packing: Packing) -> Result<TextInput, BatchError> {
    let needs = "its members must be known before it is read";
    TextInput::open(path, OpenFile::open_regular(path, needs)?, packing)
}
