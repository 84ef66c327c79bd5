//! CSV as an input. The first line names the columns.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use unskew_definition::DataType;
use unskew_executor::text::ColumnBuilder;

use crate::csv_records::{Found, read_record};
use crate::error::BatchError;
use crate::source::{
    Content, Decode, Decoded, InputSize, Kept, KeptSchema, Opened, PIECE_BYTES, PIECE_ROWS, Piece,
    Quoting, Source, Span, TextPiece, line_ends,
};
use crate::text_input::{RECORD_BYTES, TextInput};

/// A CSV file whose header was read.
pub(crate) struct CsvFile {
    input: TextInput,
    pub(crate) header: Vec<String>,
    /// The line behind the header.
    line: u64,
}

/// One column that is wanted of a CSV file.
#[derive(Clone, Debug)]
pub(crate) struct CsvColumn {
    /// Its place in the header.
    pub(crate) at: usize,
    /// Its type; without one it is text.
    pub(crate) data_type: Option<DataType>,
}

impl CsvFile {
    pub(crate) fn open(mut input: TextInput) -> Result<Self, BatchError> {
        let mut spans = Vec::new();
        let end = loop {
            if input.buffer.is_empty() && input.at_end {
                return Err(BatchError::WrongFile {
                    path: input.path().to_owned(),
                    reason: "the file is empty; the first line of a CSV file names its columns"
                        .to_owned(),
                });
            }
            match read_record(&input.buffer, 0, input.at_end, &mut spans) {
                Found::Record { end } => break end,
                Found::Unfinished if input.buffer.len() > RECORD_BYTES => {
                    return Err(too_long(&input, 1));
                }
                Found::Unfinished => input.read_more()?,
                Found::Wrong { at, reason } => {
                    return Err(wrong(&input, &input.buffer, 1, at, reason));
                }
            }
        };
        let bytes = input.take(end);
        let path = input.path().to_owned();
        let header = header(&path, &bytes, &spans)?;
        Ok(Self { input, header, line: 1 + line_ends(&bytes) })
    }

    /// Reads the wanted columns.
    ///
    /// `fed` are those that feed the transform; `kept` are those that the
    /// output keeps, each with the type in which it does.
    pub(crate) fn read(self, fed: Vec<CsvColumn>, kept: Vec<CsvColumn>) -> Opened {
        let Self { input, header, line } = self;
        let path = input.path().to_owned();
        let size = InputSize { rows: None, bytes: input.bytes };
        let schema = schema_of(&header, &fed);
        let kept_schema = schema_of(&header, &kept);
        let columns = header.len();
        let decoder = CsvDecoder {
            path,
            header,
            schema: Arc::clone(&schema),
            fed,
            kept_schema: Arc::clone(&kept_schema),
            kept,
        };
        Opened {
            source: Box::new(CsvSource { input, columns, line, rows_read: 0 }),
            decoder: Box::new(decoder),
            schema,
            kept: KeptSchema::Columns(kept_schema),
            size,
        }
    }
}

fn schema_of(header: &[String], columns: &[CsvColumn]) -> SchemaRef {
    let fields = columns.iter().map(|CsvColumn { at, data_type }| {
        let data_type = data_type.as_ref().map_or(ArrowType::Utf8, DataType::to_arrow);
        Field::new(&header[*at], data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn header(path: &Path, bytes: &[u8], spans: &[Span]) -> Result<Vec<String>, BatchError> {
    let line = |column, reason| BatchError::Line { path: path.to_owned(), line: 1, column, reason };
    let mut names: Vec<String> = Vec::with_capacity(spans.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, span) in spans.iter().enumerate() {
        let text = std::str::from_utf8(&bytes[span.range()]).map_err(|_| {
            line(None, format!("the name of column {} is no UTF-8 text; convert the file", at + 1))
        })?;
        let name = unquoted(text, span.quoting).into_owned();
        if let Some(first) = places.insert(name.clone(), at) {
            let (first, at) = (first + 1, at + 1);
            let reason = format!("columns {first} and {at} are both named {name:?}; rename one");
            return Err(line(None, reason));
        }
        names.push(name);
    }
    if names.iter().all(String::is_empty) {
        let reason = "the first line is blank; it must name the columns".to_owned();
        return Err(line(None, reason));
    }
    Ok(names)
}

fn unquoted(text: &str, quoting: Quoting) -> Cow<'_, str> {
    match quoting {
        Quoting::Bare | Quoting::Quoted => Cow::Borrowed(text),
        Quoting::Doubled => Cow::Owned(text.replace("\"\"", "\"")),
    }
}

fn too_long(input: &TextInput, line: u64) -> BatchError {
    let megabytes = RECORD_BYTES >> 20;
    BatchError::Line {
        path: input.path().to_owned(),
        line,
        column: None,
        reason: format!(
            "the record that begins here has more than {megabytes} MiB; is a quote not closed?"
        ),
    }
}

fn wrong(input: &TextInput, bytes: &[u8], line: u64, at: usize, reason: &str) -> BatchError {
    BatchError::Line {
        path: input.path().to_owned(),
        line: line + line_ends(&bytes[..at]),
        column: None,
        reason: reason.to_owned(),
    }
}

struct CsvSource {
    input: TextInput,
    columns: usize,
    /// The line on which the buffer begins.
    line: u64,
    rows_read: u64,
}

impl Source for CsvSource {
    fn next(&mut self) -> Result<Option<Piece>, BatchError> {
        let mut spans = Vec::new();
        let mut rows = 0;
        let mut end = 0;
        while rows < PIECE_ROWS && end < PIECE_BYTES {
            if end == self.input.buffer.len() {
                if self.input.at_end {
                    break;
                }
                self.input.read_more()?;
                continue;
            }
            let first = spans.len();
            match read_record(&self.input.buffer, end, self.input.at_end, &mut spans) {
                Found::Record { end: behind } => {
                    let fields = spans.len() - first;
                    if fields == 1 && self.columns > 1 && is_blank(spans[first]) {
                        spans.truncate(first);
                    } else if fields == self.columns {
                        rows += 1;
                    } else {
                        return Err(self.ragged(end, fields));
                    }
                    end = behind;
                }
                Found::Unfinished if self.input.buffer.len() - end > RECORD_BYTES => {
                    let line = self.line + line_ends(&self.input.buffer[..end]);
                    return Err(too_long(&self.input, line));
                }
                Found::Unfinished => self.input.read_more()?,
                Found::Wrong { at, reason } => {
                    return Err(wrong(&self.input, &self.input.buffer, self.line, at, reason));
                }
            }
        }
        if rows == 0 && end == self.input.buffer.len() && self.input.at_end {
            return Ok(None);
        }
        let bytes = self.input.take(end);
        let first_line = self.line;
        self.line += line_ends(&bytes);
        let first_row = self.rows_read;
        self.rows_read += rows as u64;
        let content = Content::Text(TextPiece { bytes, first_line, spans });
        Ok(Some(Piece { first_row, rows, content, bytes_read: self.input.bytes_read() }))
    }
}

fn is_blank(span: Span) -> bool {
    span.start == span.end && span.quoting == Quoting::Bare
}

impl CsvSource {
    fn ragged(&self, at: usize, fields: usize) -> BatchError {
        BatchError::Line {
            path: self.input.path().to_owned(),
            line: self.line + line_ends(&self.input.buffer[..at]),
            column: None,
            reason: format!(
                "it has {fields} fields, the header names {}; mend the line (a text with a comma stands in quotes)",
                self.columns
            ),
        }
    }
}

struct CsvDecoder {
    path: PathBuf,
    header: Vec<String>,
    schema: SchemaRef,
    fed: Vec<CsvColumn>,
    kept_schema: SchemaRef,
    kept: Vec<CsvColumn>,
}

impl Decode for CsvDecoder {
    fn decode(&self, piece: Content) -> Result<Decoded, BatchError> {
        let Content::Text(piece) = piece else { unreachable!("a CSV source gives text") };
        let text = std::str::from_utf8(&piece.bytes)
            .map_err(|error| self.not_text(&piece, error.valid_up_to()))?;
        let rows = piece.spans.len() / self.header.len();
        let columns = self.batch(&piece, text, rows, &self.fed, &self.schema)?;
        let kept = self.batch(&piece, text, rows, &self.kept, &self.kept_schema)?;
        Ok(Decoded { columns, kept: Kept::Columns(kept) })
    }
}

impl CsvDecoder {
    fn batch(
        &self,
        piece: &TextPiece,
        text: &str,
        rows: usize,
        columns: &[CsvColumn],
        schema: &SchemaRef,
    ) -> Result<RecordBatch, BatchError> {
        let arrays = columns.iter().map(|column| match &column.data_type {
            None => Ok(self.texts(piece, text, rows, column.at)),
            Some(data_type) => self.values(piece, text, rows, column.at, data_type),
        });
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options).map_err(|error| {
            BatchError::Internal { path: self.path.clone(), reason: error.to_string() }
        })
    }

    fn fields<'a>(&self, piece: &'a TextPiece, at: usize) -> impl Iterator<Item = Span> + 'a {
        piece.spans.iter().skip(at).step_by(self.header.len()).copied()
    }

    fn texts(&self, piece: &TextPiece, text: &str, rows: usize, at: usize) -> ArrayRef {
        let bytes = self.fields(piece, at).map(|span| (span.end - span.start) as usize).sum();
        let mut texts = StringBuilder::with_capacity(rows, bytes);
        for span in self.fields(piece, at) {
            if is_blank(span) {
                texts.append_null();
            } else {
                texts.append_value(unquoted(&text[span.range()], span.quoting));
            }
        }
        Arc::new(texts.finish())
    }

    fn values(
        &self,
        piece: &TextPiece,
        text: &str,
        rows: usize,
        at: usize,
        data_type: &DataType,
    ) -> Result<ArrayRef, BatchError> {
        let mut values = ColumnBuilder::new(data_type, rows);
        for span in self.fields(piece, at) {
            if is_blank(span) {
                values.push_null();
                continue;
            }
            values.push_text(&unquoted(&text[span.range()], span.quoting)).map_err(|error| {
                let advice = if span.start == span.end {
                    " (a field without quotes is null where it is empty)"
                } else {
                    ""
                };
                BatchError::Line {
                    path: self.path.clone(),
                    line: piece.line_of(span.start as usize),
                    column: Some(self.header[at].clone()),
                    reason: format!("{error}{advice}"),
                }
            })?;
        }
        Ok(values.finish())
    }

    fn not_text(&self, piece: &TextPiece, at: usize) -> BatchError {
        let field = piece.spans.iter().position(|span| span.range().end > at);
        BatchError::Line {
            path: self.path.clone(),
            line: piece.line_of(at),
            column: field.map(|field| self.header[field % self.header.len()].clone()),
            reason: "it is no UTF-8 text; convert the file to UTF-8".to_owned(),
        }
    }
}
