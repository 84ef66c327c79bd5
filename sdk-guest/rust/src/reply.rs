//! Writing the body that goes back to the host.

use std::fmt::{self, Write as _};
use std::mem::size_of;

use crate::buffer::{BLOCK, Buffer, Plain, Slots, blocks};
use crate::request::{HEADER_BYTES, MAGIC};

/// What one buffer, or one node, takes in the table.
pub(crate) const ENTRY_BYTES: usize = 8;
const ERROR_ENTRIES: usize = 3;

/// The body of a reply.
///
/// Columns of a fixed width are written in place, where they will be read;
/// text and lists are gathered in buffers of their own and appended at the
/// end. All of the memory is used again by the next call.
#[derive(Default)]
pub struct Reply {
    body: Buffer,
    table_at: usize,
    spare: Vec<Buffer>,
}

/// A place in the body.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) offset: usize,
    pub(crate) bytes: usize,
}

impl Span {
    /// Of a buffer that is left out.
    pub(crate) const NONE: Self = Self { offset: 0, bytes: 0 };
}

impl Reply {
    /// An empty one.
    pub const fn new() -> Self {
        Self { body: Buffer::new(), table_at: 0, spare: Vec::new() }
    }

    /// The bytes, as they go to the host.
    pub fn as_bytes(&self) -> &[u8] {
        self.body.as_bytes()
    }

    /// Takes `bytes` in place of a body.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn replace(&mut self, bytes: &[u8]) {
        self.body.clear();
        self.body.push_bytes(bytes);
    }

    /// Begins a reply whose columns have tables of `table_bytes` together,
    /// and buffers of `fixed_bytes` whose place is known at once.
    pub(crate) fn begin(&mut self, rows: usize, table_bytes: usize, fixed_bytes: usize) {
        let buffers_at = blocks(HEADER_BYTES + table_bytes + ERROR_ENTRIES * ENTRY_BYTES);
        self.body.clear();
        self.body.reserve(buffers_at.saturating_add(fixed_bytes));
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC);
        header[4..8].copy_from_slice(&word(rows));
        self.body.push_bytes(&header);
        self.body.push_zeros(buffers_at - HEADER_BYTES);
        self.table_at = HEADER_BYTES;
    }

    /// Takes a place for `bytes`, of those announced to `begin`.
    #[inline]
    pub(crate) fn place(&mut self, bytes: usize) -> (Span, *mut u8) {
        let span = Span { offset: self.body.len(), bytes };
        let end = span.offset + blocks(bytes);
        // Growing would move the places that were given before.
        assert!(self.body.has_room(blocks(bytes)), "a column takes what it announced");
        // SAFETY: the room is there. The last block is zeroed for the bytes
        // behind the end; those before it are written by the column.
        unsafe {
            let at = self.body.as_mut_ptr().add(span.offset);
            if bytes > 0 {
                at.add(blocks(bytes) - BLOCK).write_bytes(0, BLOCK);
            }
            self.body.set_len(end);
            (span, at)
        }
    }

    /// Takes a place for `rows` values.
    #[inline]
    pub(crate) fn slots<T: Plain>(&mut self, rows: usize) -> (Span, Slots<T>) {
        let (span, at) = self.place(rows.saturating_mul(size_of::<T>()));
        // SAFETY: the place is a multiple of 16, large enough, and given once.
        (span, unsafe { Slots::new(at, rows) })
    }

    /// Appends `bytes` behind everything that has its place.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Span {
        let span = Span { offset: self.body.len(), bytes: bytes.len() };
        self.body.reserve(blocks(bytes.len()));
        self.body.push_bytes(bytes);
        self.body.pad();
        span
    }

    /// An empty buffer, to be given back by [`Self::keep`].
    pub(crate) fn spare(&mut self) -> Buffer {
        self.spare.pop().unwrap_or_default()
    }

    /// Appends what a buffer holds, and keeps its memory.
    pub(crate) fn keep(&mut self, buffer: Buffer) -> Span {
        let span = self.append(buffer.as_bytes());
        self.discard(buffer);
        span
    }

    /// Keeps the memory of a buffer, and nothing of what it holds.
    pub(crate) fn discard(&mut self, mut buffer: Buffer) {
        buffer.clear();
        self.spare.push(buffer);
    }

    fn entry(&mut self, first: usize, second: usize) {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&word(first));
        bytes[4..].copy_from_slice(&word(second));
        let at = self.table_at;
        self.body.as_mut_bytes()[at..at + ENTRY_BYTES].copy_from_slice(&bytes);
        self.table_at += ENTRY_BYTES;
    }

    /// Writes the node entry of the next column.
    pub(crate) fn node(&mut self, length: usize, nulls: usize) {
        self.entry(length, nulls);
    }

    /// Writes the entry of the next buffer.
    pub(crate) fn buffer(&mut self, span: Span) {
        self.entry(span.offset, span.bytes);
    }

    /// Writes the error section and the length: the reply is whole.
    pub(crate) fn end(&mut self, errors: Errors) {
        let Errors { rows, offsets, messages } = errors;
        let rows = self.append(rows.as_bytes());
        self.buffer(rows);
        let offsets = match offsets.as_bytes() {
            [] => self.append(&0_i32.to_le_bytes()),
            offsets => self.append(offsets),
        };
        self.buffer(offsets);
        let messages = self.append(messages.as_bytes());
        self.buffer(messages);
        let length = word(self.body.len());
        self.body.as_mut_bytes()[12..HEADER_BYTES].copy_from_slice(&length);
    }
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a reply is smaller than 4 GiB").to_le_bytes()
}

/// The rows that failed, in order, and why.
#[derive(Default)]
pub struct Errors {
    rows: Buffer,
    offsets: Buffer,
    messages: Buffer,
}

impl Errors {
    /// Adds a row, greater than those before it.
    #[cold]
    #[inline(never)]
    pub(crate) fn push(&mut self, row: usize, message: &dyn fmt::Display) {
        let Self { rows, offsets, messages } = self;
        if rows.len() == 0 {
            offsets.push(0_i32);
        }
        rows.push(row as u32);
        // A `Display` that fails has written what it could.
        let _ = write!(Text(messages), "{message}");
        offsets.push(offset(messages.len()));
    }
}

struct Text<'a>(&'a mut Buffer);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_bytes(text.as_bytes());
        Ok(())
    }
}

/// A number of bytes or items as an offset.
#[inline]
pub(crate) fn offset(length: usize) -> i32 {
    match i32::try_from(length) {
        Ok(offset) => offset,
        Err(_) => too_long(),
    }
}

#[cold]
#[inline(never)]
fn too_long() -> ! {
    panic!("the values of one column are longer than 2 GiB together")
}

/// Bits that are written row by row, in order.
pub struct Bits {
    at: *mut u64,
    span: Span,
    word: u64,
    ones: usize,
}

impl Bits {
    pub(crate) const fn fixed_bytes(rows: usize) -> usize {
        blocks(rows.div_ceil(8))
    }

    pub(crate) fn place(reply: &mut Reply, rows: usize) -> Self {
        let (span, at) = reply.place(rows.div_ceil(8));
        Self { at: at.cast(), span, word: 0, ones: 0 }
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, row: usize, bit: bool) {
        self.word |= u64::from(bit) << (row % 64);
        if row % 64 == 63 {
            self.flush(row);
        }
    }

    #[inline(always)]
    fn flush(&mut self, row: usize) {
        // SAFETY: the place has whole blocks of 16 bytes, so also the whole
        // word of any of its rows.
        unsafe { self.at.add(row / 64).write(self.word.to_le()) };
        self.ones += self.word.count_ones() as usize;
        self.word = 0;
    }

    /// Where the bits are, and how many of them are 1.
    pub(crate) fn end(mut self, rows: usize) -> (Span, usize) {
        if !rows.is_multiple_of(64) {
            self.flush(rows);
        }
        (self.span, self.ones)
    }
}
