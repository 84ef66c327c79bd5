//! Embeddings: lists of a fixed number of float32.

use std::fmt::Write as _;

use crate::cell::{Cell, Typed};
use crate::output::{ColumnWriter, PlainWriter, Value};
use crate::reply::{ENTRY_BYTES, Reply, Span};
use crate::request::Request;

/// The buffer of a column of embeddings.
#[derive(Clone, Copy)]
pub struct EmbeddingView<'a, const N: usize> {
    rows: &'a [[f32; N]],
}

impl<'a, const N: usize> EmbeddingView<'a, N> {
    fn open(request: &mut Request<'a>, rows: usize) -> Self {
        const { check_length(N) };
        request.column_without_nulls(rows.saturating_mul(N));
        Self { rows: request.values(rows) }
    }

    /// # Safety
    /// `row` is one of the column's.
    #[inline(always)]
    unsafe fn get(&self, row: usize) -> &'a [f32; N] {
        // SAFETY: as the caller promises.
        unsafe { self.rows.get_unchecked(row) }
    }
}

const fn check_length(length: usize) {
    assert!(length >= 1 && length <= 65_536, "an embedding has 1 to 65,536 numbers");
}

fn write_embedding_type(length: usize, to: &mut String) {
    let _ = write!(to, "fixed_size_list<float32,{length}>");
}

/// A column of embeddings.
pub struct EmbeddingWriter<const N: usize>(PlainWriter<[f32; N]>);

impl<const N: usize> EmbeddingWriter<N> {
    #[inline(always)]
    fn put(&mut self, row: usize, value: &[f32; N]) {
        self.0.set(row, *value);
    }

    fn put_nothing(&mut self, row: usize) {
        self.0.set(row, [0.0; N]);
    }
}

impl<const N: usize> ColumnWriter for EmbeddingWriter<N> {
    const TABLE_BYTES: usize = 3 * ENTRY_BYTES;

    fn fixed_bytes(rows: usize) -> usize {
        const { check_length(N) };
        PlainWriter::<[f32; N]>::fixed_bytes(rows)
    }

    fn begin(reply: &mut Reply, rows: usize) -> Self {
        Self(PlainWriter::begin(reply, rows))
    }

    fn end(self, reply: &mut Reply, rows: usize) {
        reply.node(rows.saturating_mul(N), 0);
        reply.buffer(Span::NONE);
        self.0.end(reply, rows);
    }
}

macro_rules! embedding {
    ($lifetime:lifetime, $type:ty, $from:expr) => {
        impl<$lifetime, const N: usize> Cell<$lifetime> for $type {
            type View = EmbeddingView<$lifetime, N>;

            fn open(request: &mut Request<$lifetime>, rows: usize) -> Self::View {
                EmbeddingView::open(request, rows)
            }

            #[inline(always)]
            unsafe fn get(view: &Self::View, row: usize) -> Self {
                // SAFETY: as the caller promises.
                $from(unsafe { view.get(row) })
            }
        }
    };
}

embedding!('a, [f32; N], |row: &[f32; N]| *row);
embedding!('a, &'a [f32; N], |row| row);
embedding!('a, Box<[f32; N]>, |row: &[f32; N]| Box::new(*row));

macro_rules! embedding_value {
    ($type:ty, $reference:expr) => {
        impl<const N: usize> Typed for $type {
            fn write_type(to: &mut String) {
                write_embedding_type(N, to);
            }
        }

        impl<const N: usize> Value for $type {
            type Writer = EmbeddingWriter<N>;

            #[inline(always)]
            fn put(self, writer: &mut EmbeddingWriter<N>, row: usize) {
                let reference: fn(&Self) -> &[f32; N] = $reference;
                writer.put(row, reference(&self));
            }

            fn put_nothing(writer: &mut EmbeddingWriter<N>, row: usize) {
                writer.put_nothing(row);
            }
        }
    };
}

embedding_value!([f32; N], |value| value);
embedding_value!(&[f32; N], |value| value);
embedding_value!(Box<[f32; N]>, |value| value);
