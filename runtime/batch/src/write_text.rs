//! CSV and JSON lines as outputs.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{FieldRef, Schema};
use flate2::GzBuilder;
use flate2::write::GzEncoder;
use unskew_executor::text::{ColumnPrinter, TextForm};

use crate::error::BatchError;
use crate::format::Packing;
use crate::output_file::{OutputFile, WriteFailure};
use crate::sink::{Encode, Encoded, Finished, Sink};
use crate::source::Kept;

/// Refuses columns that a text format cannot hold.
pub(crate) fn check_printable<'a>(
    path: &Path,
    fields: impl IntoIterator<Item = &'a FieldRef>,
    form: TextForm,
) -> Result<(), BatchError> {
    for field in fields {
        ColumnPrinter::check(field.data_type(), form).map_err(|source| {
            BatchError::Unprintable { path: path.to_owned(), column: field.name().clone(), source }
        })?;
    }
    Ok(())
}

fn printers(
    path: &Path,
    columns: impl Iterator<Item = ArrayRef>,
) -> Result<Vec<ColumnPrinter>, BatchError> {
    columns
        .map(|column| ColumnPrinter::new(&column))
        .collect::<Result<_, _>>()
        .map_err(|error| BatchError::Internal { path: path.to_owned(), reason: error.to_string() })
}

/// Makes lines of CSV: kept columns, then outputs.
///
/// A null is an empty field, an empty text is `""`. Fields with a comma, a
/// quote or a line end stand in quotes, and no others.
pub(crate) struct CsvEncoder {
    path: PathBuf,
}

impl CsvEncoder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Encode for CsvEncoder {
    fn encode(&self, kept: Kept, outputs: Vec<ArrayRef>) -> Result<Encoded, BatchError> {
        let Kept::Columns(kept) = kept else { unreachable!("a CSV output keeps columns") };
        let rows = outputs.first().map_or(kept.num_rows(), |output| output.len());
        let columns = printers(&self.path, kept.columns().iter().cloned().chain(outputs))?;
        let mut out = Vec::with_capacity(rows * columns.len() * 8);
        for row in 0..rows {
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                if !column.is_null(row) {
                    let start = out.len();
                    column.print_bare(row, &mut out);
                    quote_from(start, &mut out);
                }
            }
            out.push(b'\n');
        }
        Ok(Encoded::Bytes(out))
    }
}

/// Puts what `out` has from `start` on into quotes if it needs them.
fn quote_from(start: usize, out: &mut Vec<u8>) {
    let field = &out[start..];
    let special = memchr::memchr3(b',', b'"', b'\n', field).is_some()
        || memchr::memchr(b'\r', field).is_some();
    if field.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else if special {
        let field = out.split_off(start);
        out.push(b'"');
        for byte in field {
            if byte == b'"' {
                out.push(b'"');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
}

/// The line that names the columns.
pub(crate) fn csv_header(schema: &Schema) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let start = out.len();
        out.extend_from_slice(field.name().as_bytes());
        // Unquoted it would be taken for the mark of the file's encoding.
        if at == 0 && field.name().starts_with('\u{feff}') {
            out.splice(start..start, *b"\"");
            out.push(b'"');
        } else {
            quote_from(start, &mut out);
        }
    }
    out.push(b'\n');
    out
}

/// Makes JSON lines: an object of the kept columns or members, then the outputs.
pub(crate) struct JsonEncoder {
    path: PathBuf,
    kept_names: Vec<Vec<u8>>,
    output_names: Vec<Vec<u8>>,
}

impl JsonEncoder {
    pub(crate) fn new(path: &Path, kept: &[FieldRef], outputs: &[FieldRef]) -> Self {
        let names = |name: &str| {
            let mut out = serde_json::to_vec(name).expect("a text is written into memory");
            out.push(b':');
            out
        };
        Self {
            path: path.to_owned(),
            kept_names: kept.iter().map(|field| names(field.name())).collect(),
            output_names: outputs.iter().map(|field| names(field.name())).collect(),
        }
    }
}

impl Encode for JsonEncoder {
    fn encode(&self, kept: Kept, outputs: Vec<ArrayRef>) -> Result<Encoded, BatchError> {
        let outputs_len = outputs.first().map(|output| output.len());
        let outputs = printers(&self.path, outputs.into_iter())?;
        let mut out = Vec::new();
        match kept {
            Kept::Columns(kept) => {
                let rows = outputs_len.unwrap_or(kept.num_rows());
                let columns = printers(&self.path, kept.columns().iter().cloned())?;
                for row in 0..rows {
                    out.push(b'{');
                    print_members(&self.kept_names, &columns, row, &mut out);
                    self.finish_object(&outputs, row, &mut out);
                }
            }
            Kept::Objects { bytes, bodies } => {
                out.reserve(bytes.len() + bodies.len() * 32);
                for (row, body) in bodies.into_iter().enumerate() {
                    out.extend_from_slice(&bytes[body]);
                    self.finish_object(&outputs, row, &mut out);
                }
            }
        }
        Ok(Encoded::Bytes(out))
    }
}

impl JsonEncoder {
    fn finish_object(&self, outputs: &[ColumnPrinter], row: usize, out: &mut Vec<u8>) {
        if !outputs.is_empty() && out.last() != Some(&b'{') {
            out.push(b',');
        }
        print_members(&self.output_names, outputs, row, out);
        out.extend_from_slice(b"}\n");
    }
}

fn print_members(names: &[Vec<u8>], columns: &[ColumnPrinter], row: usize, out: &mut Vec<u8>) {
    for (at, (name, column)) in names.iter().zip(columns).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        column.print_json(row, out);
    }
}

/// Writes text, packed or not.
pub(crate) struct TextSink {
    writer: Packer,
    failure: WriteFailure,
}

enum Packer {
    Plain(BufWriter<OutputFile>),
    Gzip(GzEncoder<BufWriter<OutputFile>>),
    Zstd(zstd::Encoder<'static, BufWriter<OutputFile>>),
}

impl TextSink {
    /// Creates the file and writes `head` into it.
    pub(crate) fn create(path: &Path, packing: Packing, head: &[u8]) -> Result<Self, BatchError> {
        let file = OutputFile::create(path)?;
        let failure = file.failure();
        let file = BufWriter::with_capacity(256 << 10, file);
        let writer = match packing {
            Packing::Plain => Packer::Plain(file),
            // Without a name and a time, so that equal runs give equal bytes.
            Packing::Gzip => {
                Packer::Gzip(GzBuilder::new().write(file, flate2::Compression::new(6)))
            }
            Packing::Zstd => {
                Packer::Zstd(zstd::Encoder::new(file, 3).map_err(|error| failure.error(error))?)
            }
        };
        let mut sink = Self { writer, failure };
        sink.write_bytes(head)?;
        Ok(sink)
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), BatchError> {
        let written = match &mut self.writer {
            Packer::Plain(writer) => writer.write_all(bytes),
            Packer::Gzip(writer) => writer.write_all(bytes),
            Packer::Zstd(writer) => writer.write_all(bytes),
        };
        written.map_err(|error| self.failure.error(error))
    }
}

impl Sink for TextSink {
    fn write(&mut self, encoded: Encoded) -> Result<(), BatchError> {
        let Encoded::Bytes(bytes) = encoded else { unreachable!("text is written as bytes") };
        self.write_bytes(&bytes)
    }

    fn finish(self: Box<Self>) -> Result<Finished, BatchError> {
        let Self { writer, failure } = *self;
        let unpacked = match writer {
            Packer::Plain(writer) => Ok(writer),
            Packer::Gzip(writer) => writer.finish(),
            Packer::Zstd(writer) => writer.finish(),
        };
        let writer = unpacked.map_err(|error| failure.error(error))?;
        let mut file = writer.into_inner().map_err(|error| failure.error(error.error()))?;
        file.sync()?;
        Ok(Finished(file))
    }
}
