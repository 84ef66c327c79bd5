//! JSON lines as an input: one object on each line.
//!
//! A member that a line has not is null. Blank lines are skipped. A file
//! without a line is one of no rows.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use serde_json::value::RawValue;
use unskew_definition::DataType;
use unskew_executor::text::{ColumnBuilder, json_text};

use crate::error::BatchError;
use crate::json_object::{Layout, Members, read_members};
use crate::source::{
    Content, Decode, Decoded, InputSize, Kept, KeptSchema, Opened, PIECE_BYTES, PIECE_ROWS, Piece,
    Quoting, Source, Span, TextPiece,
};
use crate::text_input::{RECORD_BYTES, TextInput};

/// One member that is wanted of every object.
#[derive(Clone, Debug)]
pub(crate) struct JsonColumn {
    pub(crate) name: String,
    /// Its type; without one it is text: a string is taken out of its quotes,
    /// anything else is its JSON.
    pub(crate) data_type: Option<DataType>,
}

/// What the output keeps of each object.
#[derive(Clone, Debug)]
pub(crate) enum KeptMembers {
    /// All of it, as it is spelled.
    All,
    /// These members, as they are spelled and in the object's order.
    Some(Vec<String>),
    /// These members as columns.
    Columns(Vec<JsonColumn>),
}

/// Opens JSON lines: `fed` is what feeds the transform, `taken` are the names
/// that no object may have where all of it is kept.
pub(crate) fn read_jsonl(
    input: TextInput,
    fed: Vec<JsonColumn>,
    kept: KeptMembers,
    taken: Vec<String>,
) -> Opened {
    let path = input.path().to_owned();
    let size = InputSize { rows: None, bytes: input.bytes };
    let schema = schema_of(&fed);
    let kept_schema = match &kept {
        KeptMembers::Columns(columns) => KeptSchema::Columns(schema_of(columns)),
        KeptMembers::All | KeptMembers::Some(_) => KeptSchema::Objects,
    };
    let wanted = match &kept {
        KeptMembers::Columns(columns) => columns.iter().map(|column| column.name.clone()).collect(),
        KeptMembers::Some(names) => names.clone(),
        KeptMembers::All => taken,
    };
    let decoder = JsonDecoder {
        path,
        fed_names: fed.iter().map(|column| column.name.clone()).collect(),
        fed,
        schema: Arc::clone(&schema),
        kept,
        kept_names: wanted,
    };
    let kept = kept_schema;
    let source = JsonSource { input, line: 1, rows_read: 0 };
    Opened { source: Box::new(source), decoder: Box::new(decoder), schema, kept, size }
}

fn schema_of(columns: &[JsonColumn]) -> SchemaRef {
    let fields = columns.iter().map(|JsonColumn { name, data_type }| {
        let data_type = data_type.as_ref().map_or(ArrowType::Utf8, DataType::to_arrow);
        Field::new(name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The names of all members of all objects, in the order in which they first
/// occur. Stops as soon as all of `enough` were seen.
pub(crate) fn scan_names(
    input: TextInput,
    enough: Option<&[String]>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<String>, BatchError> {
    let path = input.path().to_owned();
    let mut source = JsonSource { input, line: 1, rows_read: 0 };
    let mut names: Vec<String> = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    let mut layout = Layout::default();
    while let Some(Piece { content: Content::Text(piece), .. }) = source.next()? {
        if cancelled() {
            return Err(BatchError::Cancelled);
        }
        let text = utf8(&path, &piece)?;
        let mut members = Members::new();
        for span in &piece.spans {
            let wrong = |reason| line_error(&path, &piece, *span, None, reason);
            read_members(&text[span.range()], &mut members).map_err(wrong)?;
            if layout.fits(&members) {
                continue;
            }
            layout = Layout::of(&members, &[]).map_err(wrong)?;
            for (name, _) in &members {
                if !known.contains(name.as_ref()) {
                    known.insert(name.clone().into_owned());
                    names.push(name.clone().into_owned());
                }
            }
            if enough.is_some_and(|enough| enough.iter().all(|name| known.contains(name))) {
                return Ok(names);
            }
        }
    }
    Ok(names)
}

/// Shows every member of every object to `see`: its name and its value.
pub(crate) fn scan_members(
    input: TextInput,
    cancelled: &dyn Fn() -> bool,
    see: &mut dyn FnMut(&str, &RawValue),
) -> Result<(), BatchError> {
    let path = input.path().to_owned();
    let mut source = JsonSource { input, line: 1, rows_read: 0 };
    while let Some(Piece { content: Content::Text(piece), .. }) = source.next()? {
        if cancelled() {
            return Err(BatchError::Cancelled);
        }
        let text = utf8(&path, &piece)?;
        let mut members = Members::new();
        for span in &piece.spans {
            let wrong = |reason| line_error(&path, &piece, *span, None, reason);
            read_members(&text[span.range()], &mut members).map_err(wrong)?;
            for (name, value) in &members {
                see(name, value);
            }
        }
    }
    Ok(())
}

struct JsonSource {
    input: TextInput,
    /// The line on which the buffer begins.
    line: u64,
    rows_read: u64,
}

impl Source for JsonSource {
    fn next(&mut self) -> Result<Option<Piece>, BatchError> {
        let mut spans = Vec::new();
        let mut end = 0;
        let mut lines = 0;
        while spans.len() < PIECE_ROWS && end < PIECE_BYTES {
            let rest = &self.input.buffer[end..];
            let line_end = match memchr::memchr(b'\n', rest) {
                Some(length) => end + length,
                None if !self.input.at_end => {
                    if rest.len() > RECORD_BYTES {
                        return Err(self.too_long(lines));
                    }
                    self.input.read_more()?;
                    continue;
                }
                None if rest.is_empty() => break,
                None => self.input.buffer.len(),
            };
            let line = &self.input.buffer[end..line_end];
            if !line.trim_ascii().is_empty() {
                let (start, end) = (end as u32, line_end as u32);
                spans.push(Span { start, end, quoting: Quoting::Bare });
            }
            lines += 1;
            end = (line_end + 1).min(self.input.buffer.len());
        }
        if end == 0 {
            return Ok(None);
        }
        let rows = spans.len();
        let piece = TextPiece { bytes: self.input.take(end), first_line: self.line, spans };
        self.line += lines;
        let first_row = self.rows_read;
        self.rows_read += rows as u64;
        let bytes_read = self.input.bytes_read();
        Ok(Some(Piece { first_row, rows, content: Content::Text(piece), bytes_read }))
    }
}

impl JsonSource {
    fn too_long(&self, lines: u64) -> BatchError {
        let megabytes = RECORD_BYTES >> 20;
        BatchError::Line {
            path: self.input.path().to_owned(),
            line: self.line + lines,
            column: None,
            reason: format!(
                "the line has more than {megabytes} MiB; a file of JSON lines has one object on each line"
            ),
        }
    }
}

fn utf8<'a>(path: &Path, piece: &'a TextPiece) -> Result<&'a str, BatchError> {
    std::str::from_utf8(&piece.bytes).map_err(|error| BatchError::Line {
        path: path.to_owned(),
        line: newlines_before(piece, error.valid_up_to()),
        column: None,
        reason: "it is no UTF-8 text; convert the file to UTF-8".to_owned(),
    })
}

/// Lines of JSON end in `\n` alone; a `\r` is a blank.
fn newlines_before(piece: &TextPiece, position: usize) -> u64 {
    piece.first_line + memchr::memchr_iter(b'\n', &piece.bytes[..position]).count() as u64
}

fn line_error(
    path: &Path,
    piece: &TextPiece,
    span: Span,
    column: Option<&str>,
    reason: String,
) -> BatchError {
    BatchError::Line {
        path: path.to_owned(),
        line: newlines_before(piece, span.start as usize),
        column: column.map(str::to_owned),
        reason,
    }
}

struct JsonDecoder {
    path: PathBuf,
    fed: Vec<JsonColumn>,
    fed_names: Vec<String>,
    schema: SchemaRef,
    kept: KeptMembers,
    /// Names that [`KeptMembers`] is about; for all of an object those that it
    /// may not have.
    kept_names: Vec<String>,
}

/// A column that is being built.
enum Building {
    Values(ColumnBuilder),
    Texts(StringBuilder),
}

impl Decode for JsonDecoder {
    fn decode(&self, piece: Content) -> Result<Decoded, BatchError> {
        let Content::Text(piece) = piece else { unreachable!("a JSON source gives text") };
        let text = utf8(&self.path, &piece)?;
        let rows = piece.spans.len();
        let mut fed: Vec<_> = self.fed.iter().map(|column| Building::new(column, rows)).collect();
        let mut kept = KeptRows::new(&self.kept, rows);
        let mut members = Members::new();
        let mut layouts: Option<(Layout, Layout)> = None;
        for span in &piece.spans {
            let line = &text[span.range()];
            let wrong = |column, reason| line_error(&self.path, &piece, *span, column, reason);
            read_members(line, &mut members).map_err(|reason| wrong(None, reason))?;
            let (fed_layout, kept_layout) = match &layouts {
                Some((fed, kept)) if fed.fits(&members) => (fed, kept),
                _ => {
                    let found = self.layouts(&members).map_err(|reason| wrong(None, reason))?;
                    let (fed, kept) = layouts.insert(found);
                    (&*fed, &*kept)
                }
            };
            let columns = fed.iter_mut().zip(&self.fed_names).zip(&fed_layout.places);
            for ((building, name), place) in columns {
                let value = place.map(|place| members[place].1);
                building.push(value).map_err(|reason| wrong(Some(name), reason))?;
            }
            kept.push(line, span.start, &members, kept_layout).map_err(|(at, reason)| {
                wrong(self.kept_names.get(at).map(String::as_str), reason)
            })?;
        }
        let columns = self.batch(fed, &self.schema, rows)?;
        let kept = match kept {
            KeptRows::All(bodies) => Kept::Objects { bytes: piece.bytes, bodies },
            KeptRows::Some { bytes, bodies } => Kept::Objects { bytes, bodies },
            KeptRows::Columns(building) => {
                let KeptMembers::Columns(wanted) = &self.kept else {
                    unreachable!("columns are built where columns are kept")
                };
                Kept::Columns(self.batch(building, &schema_of(wanted), rows)?)
            }
        };
        Ok(Decoded { columns, kept })
    }
}

impl JsonDecoder {
    fn batch(
        &self,
        columns: Vec<Building>,
        schema: &SchemaRef,
        rows: usize,
    ) -> Result<RecordBatch, BatchError> {
        let columns = columns.into_iter().map(Building::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|error| {
            BatchError::Internal { path: self.path.clone(), reason: error.to_string() }
        })
    }

    /// Where what feeds the transform and what is kept stand in such objects.
    fn layouts(&self, members: &Members<'_>) -> Result<(Layout, Layout), String> {
        let fed = Layout::of(members, &self.fed_names)?;
        let kept = Layout::of(members, &self.kept_names)?;
        self.check_clash(&kept)?;
        Ok((fed, kept))
    }

    /// Refuses an object that has a member of an output's name.
    fn check_clash(&self, layout: &Layout) -> Result<(), String> {
        let KeptMembers::All = self.kept else { return Ok(()) };
        match layout.places.iter().position(Option::is_some) {
            None => Ok(()),
            Some(at) => Err(format!(
                "it has a member {0:?} already, which is an output's name; rename the output (--output-column {0}=NAME), or keep other members only (--select)",
                self.kept_names[at]
            )),
        }
    }
}

impl Building {
    fn new(column: &JsonColumn, rows: usize) -> Self {
        match &column.data_type {
            Some(data_type) => Self::Values(ColumnBuilder::new(data_type, rows)),
            None => Self::Texts(StringBuilder::with_capacity(rows, rows * 8)),
        }
    }

    fn push(&mut self, value: Option<&RawValue>) -> Result<(), String> {
        match (self, value.filter(|value| value.get() != "null")) {
            (Self::Values(values), None) => values.push_null(),
            (Self::Values(values), Some(value)) => {
                values.push_json(value).map_err(|error| error.to_string())?;
            }
            (Self::Texts(texts), None) => texts.append_null(),
            (Self::Texts(texts), Some(value)) => {
                texts.append_value(json_text(value).map_err(|error| error.to_string())?);
            }
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Values(values) => values.finish(),
            Self::Texts(mut texts) => Arc::new(texts.finish()),
        }
    }
}

/// What is kept of the rows read so far.
enum KeptRows {
    All(Vec<std::ops::Range<usize>>),
    Some { bytes: Vec<u8>, bodies: Vec<std::ops::Range<usize>> },
    Columns(Vec<Building>),
}

impl KeptRows {
    fn new(kept: &KeptMembers, rows: usize) -> Self {
        match kept {
            KeptMembers::All => Self::All(Vec::with_capacity(rows)),
            KeptMembers::Some(_) => {
                Self::Some { bytes: Vec::new(), bodies: Vec::with_capacity(rows) }
            }
            KeptMembers::Columns(columns) => {
                Self::Columns(columns.iter().map(|column| Building::new(column, rows)).collect())
            }
        }
    }

    /// Adds a row. The error names the wanted member by its number.
    fn push(
        &mut self,
        line: &str,
        start: u32,
        members: &Members<'_>,
        layout: &Layout,
    ) -> Result<(), (usize, String)> {
        match self {
            Self::All(bodies) => {
                let begin = start as usize + (line.len() - line.trim_ascii_start().len());
                let body = line.trim_ascii();
                let body = body.strip_suffix('}').unwrap_or(body).trim_ascii_end();
                bodies.push(begin..begin + body.len());
            }
            Self::Some { bytes, bodies } => {
                let begin = bytes.len();
                bytes.push(b'{');
                let mut wanted: Vec<usize> = layout.places.iter().copied().flatten().collect();
                wanted.sort_unstable();
                for (i, place) in wanted.into_iter().enumerate() {
                    if i > 0 {
                        bytes.push(b',');
                    }
                    let (name, value) = &members[place];
                    serde_json::to_writer(&mut *bytes, name.as_ref())
                        .expect("a text is written into memory");
                    bytes.push(b':');
                    bytes.extend_from_slice(value.get().as_bytes());
                }
                bodies.push(begin..bytes.len());
            }
            Self::Columns(columns) => {
                for (at, (building, place)) in columns.iter_mut().zip(&layout.places).enumerate() {
                    let value = place.map(|place| members[place].1);
                    building.push(value).map_err(|reason| (at, reason))?;
                }
            }
        }
        Ok(())
    }
}
