//! What every input format gives: pieces of the file in order, and a decoder
//! that makes columns of a piece, on any thread.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::BatchError;

/// Rows of a piece of the input, at most. Where pieces begin depends on the
/// file alone, never on threads or time.
pub(crate) const PIECE_ROWS: usize = 8_192;
/// Bytes of a piece of a text file, from which on it ends.
pub(crate) const PIECE_BYTES: usize = 4 << 20;

/// An input that is open, its columns known.
pub(crate) struct Opened {
    pub(crate) source: Box<dyn Source>,
    pub(crate) decoder: Box<dyn Decode>,
    /// The columns that [`Decoded::columns`] has.
    pub(crate) schema: SchemaRef,
    /// The columns of the input that the output keeps.
    pub(crate) kept: KeptSchema,
    pub(crate) size: InputSize,
}

/// How large the input is, as far as that is known beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InputSize {
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: Option<u64>,
}

/// Reads the input in order.
pub(crate) trait Source: Send {
    /// The next piece, or `None` at the end of the file.
    fn next(&mut self) -> Result<Option<Piece>, BatchError>;
}

/// Some rows of the input as they were read.
pub(crate) struct Piece {
    /// Its first row in the file, counted from 0.
    pub(crate) first_row: u64,
    pub(crate) rows: usize,
    pub(crate) content: Content,
    /// How far into the file it reaches.
    pub(crate) bytes_read: u64,
}

pub(crate) enum Content {
    Batch(RecordBatch),
    Text(TextPiece),
}

/// Some rows of a text file.
pub(crate) struct TextPiece {
    pub(crate) bytes: Vec<u8>,
    /// The line of the file on which it begins, counted from 1.
    pub(crate) first_line: u64,
    /// CSV: the fields of all rows, row by row. JSON lines: one span for each row.
    pub(crate) spans: Vec<Span>,
}

/// A place in [`TextPiece::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) quoting: Quoting,
}

/// How a CSV field was quoted. The quotes around it are outside of its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoting {
    Bare,
    Quoted,
    /// With doubled quotes inside.
    Doubled,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl TextPiece {
    /// The line of the file on which the byte at `position` stands.
    pub(crate) fn line_of(&self, position: usize) -> u64 {
        self.first_line + line_ends(&self.bytes[..position])
    }
}

/// How many lines end in `bytes`: by `\n`, `\r\n`, or a lone `\r`.
pub(crate) fn line_ends(bytes: &[u8]) -> u64 {
    let lone_returns =
        memchr::memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n'));
    (memchr::memchr_iter(b'\n', bytes).count() + lone_returns.count()) as u64
}

/// Makes columns of pieces.
pub(crate) trait Decode: Send + Sync {
    fn decode(&self, piece: Content) -> Result<Decoded, BatchError>;
}

/// A piece as columns.
pub(crate) struct Decoded {
    /// What feeds the transform.
    pub(crate) columns: RecordBatch,
    /// What the output keeps of the input.
    pub(crate) kept: Kept,
}

pub(crate) enum Kept {
    Columns(RecordBatch),
    /// JSON objects, each without its closing brace.
    Objects {
        bytes: Vec<u8>,
        bodies: Vec<Range<usize>>,
    },
}

/// What the output keeps of the input, known beforehand.
#[derive(Clone, Debug)]
pub(crate) enum KeptSchema {
    Columns(SchemaRef),
    /// Whatever members each object has.
    Objects,
}
