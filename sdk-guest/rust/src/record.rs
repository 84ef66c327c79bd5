//! Structs of single values.

use crate::cell::{Item, Typed};
use crate::output::ColumnWriter;
use crate::reply::Reply;

/// A struct with `#[derive(unskew::Struct)]`.
pub trait Record: Typed {
    /// The columns of its fields.
    type Writers;
    /// The bytes of their entries in the table.
    const TABLE_BYTES: usize;

    /// The bytes of their buffers whose place is known at once.
    fn fixed_bytes(rows: usize) -> usize;

    /// Takes their places.
    fn begin(reply: &mut Reply, rows: usize) -> Self::Writers;

    /// Writes their entries, and appends the rest.
    fn end(writers: Self::Writers, reply: &mut Reply, rows: usize);
}

/// A column of structs.
pub struct RecordWriter<R: Record>(R::Writers);

impl<R: Record> RecordWriter<R> {
    /// The columns of the fields.
    #[inline(always)]
    pub fn fields(&mut self) -> &mut R::Writers {
        &mut self.0
    }
}

impl<R: Record> ColumnWriter for RecordWriter<R> {
    const TABLE_BYTES: usize = R::TABLE_BYTES;

    fn fixed_bytes(rows: usize) -> usize {
        R::fixed_bytes(rows)
    }

    fn begin(reply: &mut Reply, rows: usize) -> Self {
        Self(R::begin(reply, rows))
    }

    fn end(self, reply: &mut Reply, rows: usize) {
        R::end(self.0, reply, rows);
    }
}

/// Appends one field of a struct's type.
pub fn write_field_type<T: Item>(name: &str, to: &mut String) {
    if !to.ends_with('<') {
        to.push(',');
    }
    to.push_str(name);
    to.push(':');
    T::write_item_type(to);
}
