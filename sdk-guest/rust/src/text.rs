//! Text and binary columns.

use std::borrow::Cow;

use crate::buffer::{Buffer, Slots, blocks};
use crate::cell::{Cell, Scalar, Typed};
use crate::output::{ColumnWriter, ItemWriter, ScalarValue, Value};
use crate::reply::{ENTRY_BYTES, Reply, Span, offset};
use crate::request::{Offsets, Request};

/// The buffers of a column of text or binary.
#[derive(Clone, Copy)]
pub struct BytesView<'a> {
    offsets: Offsets<'a>,
    bytes: &'a [u8],
}

impl<'a> BytesView<'a> {
    #[inline(always)]
    fn open(request: &mut Request<'a>, rows: usize) -> Self {
        let (offsets, bytes) = request.text(rows);
        Self { offsets, bytes }
    }

    /// # Safety
    /// `row` is one of the column's.
    #[inline(always)]
    unsafe fn get(&self, row: usize) -> &'a [u8] {
        // SAFETY: as the caller promises; `range` ends at most where `bytes` do.
        unsafe {
            let (from, to) = self.offsets.range(row);
            self.bytes.get_unchecked(from..to)
        }
    }
}

/// Bytes whose lengths differ, row by row.
pub struct BytesWriter {
    offsets: Slots<i32>,
    span: Span,
    bytes: Buffer,
}

impl BytesWriter {
    #[inline(always)]
    pub(crate) fn put(&mut self, row: usize, bytes: &[u8]) {
        self.bytes.push_bytes(bytes);
        self.end_row(row);
    }

    /// Ends a row whose bytes were written to [`Self::bytes`].
    #[inline(always)]
    pub(crate) fn end_row(&mut self, row: usize) {
        self.offsets.set(row + 1, offset(self.bytes.len()));
    }

    pub(crate) fn bytes(&mut self) -> &mut Buffer {
        &mut self.bytes
    }
}

impl ColumnWriter for BytesWriter {
    const TABLE_BYTES: usize = 2 * ENTRY_BYTES;

    fn fixed_bytes(rows: usize) -> usize {
        blocks((rows + 1).saturating_mul(size_of::<i32>()))
    }

    fn begin(reply: &mut Reply, rows: usize) -> Self {
        let (span, mut offsets) = reply.slots(rows + 1);
        offsets.set(0, 0);
        Self { offsets, span, bytes: reply.spare() }
    }

    fn end(self, reply: &mut Reply, _: usize) {
        reply.buffer(self.span);
        let bytes = reply.keep(self.bytes);
        reply.buffer(bytes);
    }
}

/// Bytes whose lengths differ, as the items of lists.
pub struct BytesItems {
    offsets: Buffer,
    bytes: Buffer,
}

impl BytesItems {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.push_bytes(bytes);
        self.offsets.push(offset(self.bytes.len()));
    }
}

impl ItemWriter for BytesItems {
    const TABLE_BYTES: usize = 2 * ENTRY_BYTES;

    fn begin(reply: &mut Reply) -> Self {
        let mut offsets = reply.spare();
        offsets.push(0_i32);
        Self { offsets, bytes: reply.spare() }
    }

    fn len(&self) -> usize {
        self.offsets.len() / size_of::<i32>() - 1
    }

    fn end(self, reply: &mut Reply) {
        let offsets = reply.keep(self.offsets);
        reply.buffer(offsets);
        let bytes = reply.keep(self.bytes);
        reply.buffer(bytes);
    }
}

macro_rules! readable {
    ($($type:ty, $from:expr;)*) => { $(
        impl<'a> Cell<'a> for $type {
            type View = BytesView<'a>;

            #[inline(always)]
            fn open(request: &mut Request<'a>, rows: usize) -> BytesView<'a> {
                BytesView::open(request, rows)
            }

            #[inline(always)]
            unsafe fn get(view: &BytesView<'a>, row: usize) -> Self {
                // SAFETY: as the caller promises.
                $from(unsafe { view.get(row) })
            }
        }
    )* };
}

/// The text in a column of type utf8.
#[inline(always)]
fn text(bytes: &[u8]) -> &str {
    // SAFETY: the host sends a utf8 column only when each of its values is
    // valid UTF-8: `wit/README.md`.
    unsafe { str::from_utf8_unchecked(bytes) }
}

readable! {
    &'a str, text;
    String, |bytes| text(bytes).to_owned();
    Cow<'a, str>, |bytes| Cow::Borrowed(text(bytes));
    &'a [u8], |bytes| bytes;
    Vec<u8>, |bytes: &[u8]| bytes.to_vec();
    Cow<'a, [u8]>, Cow::Borrowed;
}

macro_rules! writable {
    ($($type:ty, $name:literal, $value:ident => $bytes:expr;)*) => { $(
        impl Typed for $type {
            fn write_type(to: &mut String) {
                to.push_str($name);
            }
        }

        impl Scalar for $type {}

        impl Value for $type {
            type Writer = BytesWriter;

            #[inline(always)]
            fn put(self, writer: &mut BytesWriter, row: usize) {
                let $value = &self;
                writer.put(row, $bytes);
            }

            #[inline(always)]
            fn put_nothing(writer: &mut BytesWriter, row: usize) {
                writer.end_row(row);
            }
        }

        impl ScalarValue for $type {
            type Items = BytesItems;

            fn push(self, items: &mut BytesItems) {
                let $value = &self;
                items.push($bytes);
            }

            fn push_nothing(items: &mut BytesItems) {
                items.push(&[]);
            }
        }
    )* };
}

writable! {
    &str, "utf8", text => text.as_bytes();
    String, "utf8", text => text.as_bytes();
    Cow<'_, str>, "utf8", text => text.as_bytes();
    &[u8], "binary", bytes => bytes;
    Vec<u8>, "binary", bytes => bytes;
    Cow<'_, [u8]>, "binary", bytes => bytes;
}
