//! What a transform or an aggregate can return.

use std::fmt::Display;
use std::marker::PhantomData;

use crate::buffer::{Buffer, Plain, Slots, blocks};
use crate::cell::{Scalar, Typed};
use crate::reply::{Bits, ENTRY_BYTES, Reply, Span};

/// The memory of one output column, without its validity. Rows are written
/// in order, each once.
pub trait ColumnWriter: Sized {
    /// The bytes of its entries in the table, without node and validity.
    const TABLE_BYTES: usize;

    /// The bytes of its buffers whose place is known at once.
    fn fixed_bytes(rows: usize) -> usize;

    /// Takes its places.
    fn begin(reply: &mut Reply, rows: usize) -> Self;

    /// Writes its entries, and appends the rest.
    fn end(self, reply: &mut Reply, rows: usize);
}

/// A value that is not null, as it is written to a column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of an output column",
    label = "not the type of an output column",
    note = "outputs can be bool, i8 to i64, u8 to u64, f32, f64, &str, String, &[u8] and Vec<u8> (binary), unskew::Date, unskew::Timestamp, unskew::Decimal<P, S>,\nlists of these (Vec<T>, Vec<Option<T>>), [f32; N], and structs with #[derive(unskew::Struct)]; an Option of any of them can be null"
)]
pub trait Value: Typed + Sized {
    /// The column that takes it.
    type Writer: ColumnWriter;

    /// Writes the value of the next row.
    fn put(self, column: &mut Self::Writer, row: usize);

    /// Writes what stands under a null.
    fn put_nothing(column: &mut Self::Writer, row: usize);
}

/// One output column: a [`Value`], or an [`Option`] of one, which can be null.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of an output column",
    label = "not the type of an output column",
    note = "outputs can be bool, i8 to i64, u8 to u64, f32, f64, &str, String, &[u8] and Vec<u8> (binary), unskew::Date, unskew::Timestamp, unskew::Decimal<P, S>,\nlists of these (Vec<T>, Vec<Option<T>>), [f32; N], and structs with #[derive(unskew::Struct)]; an Option of any of them can be null"
)]
pub trait Output: Sized {
    /// Whether it can be null.
    const NULLABLE: bool;
    /// The bytes of its entries in the table.
    const TABLE_BYTES: usize;
    /// The column that takes it.
    type Writer;

    /// Appends the name of the type as the manifest writes it.
    fn write_type(to: &mut String);

    /// The bytes of its buffers whose place is known at once.
    fn fixed_bytes(rows: usize) -> usize;

    /// Takes its places.
    fn begin(reply: &mut Reply, rows: usize) -> Self::Writer;

    /// Writes the value of the next row.
    fn put(self, writer: &mut Self::Writer, row: usize);

    /// Writes what stands in a row that failed, or under a null.
    fn put_nothing(writer: &mut Self::Writer, row: usize);

    /// Writes its entries, and appends the rest.
    fn end(writer: Self::Writer, reply: &mut Reply, rows: usize);
}

/// A [`Value`] that is a single one: what lists and structs are made of.
pub trait ScalarValue: Value + Scalar {
    /// The memory that takes it as an item of lists.
    type Items: ItemWriter;

    /// Adds it to the items.
    fn push(self, items: &mut Self::Items);

    /// Adds what stands under a null.
    fn push_nothing(items: &mut Self::Items);
}

/// The items of all lists of a column, whose number is not known before.
pub trait ItemWriter: Sized {
    /// The bytes of their entries in the table, without node and validity.
    const TABLE_BYTES: usize;

    /// Takes memory.
    fn begin(reply: &mut Reply) -> Self;

    /// How many there are.
    fn len(&self) -> usize;

    /// Writes their entries, and appends them.
    fn end(self, reply: &mut Reply);
}

const NODE_AND_VALIDITY: usize = 2 * ENTRY_BYTES;

impl<T: Value> Output for T {
    const NULLABLE: bool = false;
    const TABLE_BYTES: usize = NODE_AND_VALIDITY + T::Writer::TABLE_BYTES;
    type Writer = T::Writer;

    fn write_type(to: &mut String) {
        <T as Typed>::write_type(to);
    }

    #[inline(always)]
    fn fixed_bytes(rows: usize) -> usize {
        T::Writer::fixed_bytes(rows)
    }

    #[inline(always)]
    fn begin(reply: &mut Reply, rows: usize) -> T::Writer {
        T::Writer::begin(reply, rows)
    }

    #[inline(always)]
    fn put(self, column: &mut T::Writer, row: usize) {
        <T as Value>::put(self, column, row);
    }

    #[inline(always)]
    fn put_nothing(column: &mut T::Writer, row: usize) {
        <T as Value>::put_nothing(column, row);
    }

    #[inline(always)]
    fn end(column: T::Writer, reply: &mut Reply, rows: usize) {
        reply.node(rows, 0);
        reply.buffer(Span::NONE);
        column.end(reply, rows);
    }
}

/// A column and its validity.
pub struct NullableWriter<C> {
    validity: Bits,
    column: C,
}

impl<T: Value> Output for Option<T> {
    const NULLABLE: bool = true;
    const TABLE_BYTES: usize = NODE_AND_VALIDITY + T::Writer::TABLE_BYTES;
    type Writer = NullableWriter<T::Writer>;

    fn write_type(to: &mut String) {
        <T as Typed>::write_type(to);
    }

    #[inline(always)]
    fn fixed_bytes(rows: usize) -> usize {
        Bits::fixed_bytes(rows).saturating_add(T::Writer::fixed_bytes(rows))
    }

    #[inline(always)]
    fn begin(reply: &mut Reply, rows: usize) -> Self::Writer {
        let column = T::Writer::begin(reply, rows);
        NullableWriter { validity: Bits::place(reply, rows), column }
    }

    #[inline(always)]
    fn put(self, writer: &mut Self::Writer, row: usize) {
        writer.validity.set(row, self.is_some());
        match self {
            Some(value) => value.put(&mut writer.column, row),
            None => <T as Value>::put_nothing(&mut writer.column, row),
        }
    }

    #[inline(always)]
    fn put_nothing(writer: &mut Self::Writer, row: usize) {
        writer.validity.set(row, false);
        <T as Value>::put_nothing(&mut writer.column, row);
    }

    #[inline(always)]
    fn end(writer: Self::Writer, reply: &mut Reply, rows: usize) {
        let NullableWriter { validity, column } = writer;
        let (span, ones) = validity.end(rows);
        reply.node(rows, rows - ones);
        reply.buffer(if ones == rows { Span::NONE } else { span });
        column.end(reply, rows);
    }
}

/// A column of values that lie in memory as they are.
pub struct PlainWriter<T> {
    span: Span,
    slots: Slots<T>,
}

impl<T: Plain> PlainWriter<T> {
    #[inline(always)]
    pub(crate) fn set(&mut self, row: usize, value: T) {
        self.slots.set(row, value);
    }
}

impl<T: Plain> ColumnWriter for PlainWriter<T> {
    const TABLE_BYTES: usize = ENTRY_BYTES;

    fn fixed_bytes(rows: usize) -> usize {
        blocks(rows.saturating_mul(size_of::<T>()))
    }

    #[inline(always)]
    fn begin(reply: &mut Reply, rows: usize) -> Self {
        let (span, slots) = reply.slots(rows);
        Self { span, slots }
    }

    fn end(self, reply: &mut Reply, _: usize) {
        reply.buffer(self.span);
    }
}

/// Items that lie in memory as they are.
pub struct PlainItems<T> {
    values: Buffer,
    item: PhantomData<T>,
}

impl<T: Plain> PlainItems<T> {
    #[inline(always)]
    pub(crate) fn push(&mut self, value: T) {
        self.values.push(value);
    }
}

impl<T: Plain> ItemWriter for PlainItems<T> {
    const TABLE_BYTES: usize = ENTRY_BYTES;

    fn begin(reply: &mut Reply) -> Self {
        Self { values: reply.spare(), item: PhantomData }
    }

    fn len(&self) -> usize {
        self.values.len() / size_of::<T>()
    }

    fn end(self, reply: &mut Reply) {
        let span = reply.keep(self.values);
        reply.buffer(span);
    }
}

macro_rules! plain_values {
    ($($type:ty),*) => { $(
        impl $crate::output::Value for $type {
            type Writer = $crate::output::PlainWriter<$type>;

            #[inline(always)]
            fn put(self, column: &mut Self::Writer, row: usize) {
                column.set(row, self);
            }

            #[inline(always)]
            fn put_nothing(column: &mut Self::Writer, row: usize) {
                column.set(row, Default::default());
            }
        }

        impl $crate::output::ScalarValue for $type {
            type Items = $crate::output::PlainItems<$type>;

            #[inline(always)]
            fn push(self, items: &mut Self::Items) {
                items.push(self);
            }

            #[inline(always)]
            fn push_nothing(items: &mut Self::Items) {
                items.push(Default::default());
            }
        }
    )* };
}
pub(crate) use plain_values;
plain_values!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

/// A column of bits.
pub struct BoolWriter(Bits);

impl ColumnWriter for BoolWriter {
    const TABLE_BYTES: usize = ENTRY_BYTES;

    fn fixed_bytes(rows: usize) -> usize {
        Bits::fixed_bytes(rows)
    }

    fn begin(reply: &mut Reply, rows: usize) -> Self {
        Self(Bits::place(reply, rows))
    }

    fn end(self, reply: &mut Reply, rows: usize) {
        let (span, _) = self.0.end(rows);
        reply.buffer(span);
    }
}

impl Value for bool {
    type Writer = BoolWriter;

    #[inline(always)]
    fn put(self, column: &mut BoolWriter, row: usize) {
        column.0.set(row, self);
    }

    #[inline(always)]
    fn put_nothing(column: &mut BoolWriter, row: usize) {
        column.0.set(row, false);
    }
}

/// Items that are bits, also the validity of items.
pub struct BitItems {
    bits: Buffer,
    count: usize,
    ones: usize,
}

impl BitItems {
    #[inline(always)]
    pub(crate) fn push(&mut self, bit: bool) {
        if self.count.is_multiple_of(8) {
            self.bits.push(0_u8);
        }
        let last = self.bits.as_mut_bytes().last_mut().expect("a byte was pushed");
        *last |= u8::from(bit) << (self.count % 8);
        self.count += 1;
        self.ones += usize::from(bit);
    }

    pub(crate) fn into_buffer(self) -> Buffer {
        self.bits
    }

    /// How many are 0.
    pub(crate) fn zeros(&self) -> usize {
        self.count - self.ones
    }
}

impl ItemWriter for BitItems {
    const TABLE_BYTES: usize = ENTRY_BYTES;

    fn begin(reply: &mut Reply) -> Self {
        Self { bits: reply.spare(), count: 0, ones: 0 }
    }

    fn len(&self) -> usize {
        self.count
    }

    fn end(self, reply: &mut Reply) {
        let span = reply.keep(self.bits);
        reply.buffer(span);
    }
}

impl ScalarValue for bool {
    type Items = BitItems;

    fn push(self, items: &mut BitItems) {
        items.push(self);
    }

    fn push_nothing(items: &mut BitItems) {
        items.push(false);
    }
}

/// The output columns of a transform: one [`Output`], a tuple of them, or a
/// struct with `#[derive(unskew::Outputs)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a transform can return",
    label = "not what a transform can return",
    note = "a transform returns bool, i8 to i64, u8 to u64, f32, f64, &str, String, &[u8] and Vec<u8> (binary), unskew::Date, unskew::Timestamp, unskew::Decimal<P, S>,\nlists of these (Vec<T>, Vec<Option<T>>), [f32; N], a struct with #[derive(unskew::Struct)], or an Option of any of them;\nseveral outputs as a tuple or a struct with #[derive(unskew::Outputs)]; and a Result of any of this for rows that can fail"
)]
pub trait Outputs: Sized {
    /// How many columns.
    const COUNT: usize;
    /// Whether it brings their names.
    const NAMED: bool = false;
    /// The bytes of their entries in the table.
    const TABLE_BYTES: usize;
    /// The columns.
    type Writers;

    /// Describes the columns: calls `field` with name, type and whether it
    /// can be null. `names` are used where the type brings none.
    fn describe(names: &[&str], field: &mut dyn FnMut(&str, &str, bool));

    /// The bytes of their buffers whose place is known at once.
    fn fixed_bytes(rows: usize) -> usize;

    /// Takes their places.
    fn begin(reply: &mut Reply, rows: usize) -> Self::Writers;

    /// Writes the next row.
    fn put(self, writers: &mut Self::Writers, row: usize);

    /// Writes what stands in a row that failed.
    fn put_nothing(writers: &mut Self::Writers, row: usize);

    /// Writes their entries, and appends the rest.
    fn end(writers: Self::Writers, reply: &mut Reply, rows: usize);
}

/// Calls `field` for one output.
pub fn describe_output<T: Output>(name: &str, field: &mut dyn FnMut(&str, &str, bool)) {
    let mut written = String::new();
    T::write_type(&mut written);
    field(name, &written, T::NULLABLE);
}

impl<T: Output> Outputs for T {
    const COUNT: usize = 1;
    const TABLE_BYTES: usize = T::TABLE_BYTES;
    type Writers = T::Writer;

    fn describe(names: &[&str], field: &mut dyn FnMut(&str, &str, bool)) {
        describe_output::<T>(names[0], field);
    }

    #[inline(always)]
    fn fixed_bytes(rows: usize) -> usize {
        T::fixed_bytes(rows)
    }

    #[inline(always)]
    fn begin(reply: &mut Reply, rows: usize) -> T::Writer {
        T::begin(reply, rows)
    }

    #[inline(always)]
    fn put(self, writer: &mut T::Writer, row: usize) {
        T::put(self, writer, row);
    }

    #[inline(always)]
    fn put_nothing(writer: &mut T::Writer, row: usize) {
        T::put_nothing(writer, row);
    }

    #[inline(always)]
    fn end(writer: T::Writer, reply: &mut Reply, rows: usize) {
        T::end(writer, reply, rows);
    }
}

macro_rules! tuple_outputs {
    ($count:literal; $($type:ident $at:tt),*) => {
        impl<$($type: Output),*> Outputs for ($($type,)*) {
            const COUNT: usize = $count;
            const TABLE_BYTES: usize = 0 $(+ $type::TABLE_BYTES)*;
            type Writers = ($($type::Writer,)*);

            fn describe(names: &[&str], field: &mut dyn FnMut(&str, &str, bool)) {
                $(describe_output::<$type>(names[$at], field);)*
            }

            #[inline(always)]
            fn fixed_bytes(rows: usize) -> usize {
                0_usize$(.saturating_add($type::fixed_bytes(rows)))*
            }

            #[inline(always)]
            fn begin(reply: &mut Reply, rows: usize) -> Self::Writers {
                ($($type::begin(reply, rows),)*)
            }

            #[inline(always)]
            fn put(self, writers: &mut Self::Writers, row: usize) {
                $(self.$at.put(&mut writers.$at, row);)*
            }

            #[inline(always)]
            fn put_nothing(writers: &mut Self::Writers, row: usize) {
                $($type::put_nothing(&mut writers.$at, row);)*
            }

            #[inline(always)]
            fn end(writers: Self::Writers, reply: &mut Reply, rows: usize) {
                $($type::end(writers.$at, reply, rows);)*
            }
        }
    };
}
tuple_outputs!(1; A 0);
tuple_outputs!(2; A 0, B 1);
tuple_outputs!(3; A 0, B 1, C 2);
tuple_outputs!(4; A 0, B 1, C 2, D 3);
tuple_outputs!(5; A 0, B 1, C 2, D 3, E 4);
tuple_outputs!(6; A 0, B 1, C 2, D 3, E 4, F 5);
tuple_outputs!(7; A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_outputs!(8; A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// What a row function returns: [`Outputs`], or a [`Result`] of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a transform can return",
    label = "not what a transform can return",
    note = "a transform returns a column's type, an Option of one, several as a tuple or a struct with #[derive(unskew::Outputs)], and a Result<_, E: Display> of any of this for rows that can fail"
)]
pub trait Returned: Sized {
    /// The columns.
    type Columns: Outputs;
    /// Why a row failed.
    type Error: Display;

    /// The row, or why it failed.
    fn into_row(self) -> Result<Self::Columns, Self::Error>;
}

impl<T: Outputs> Returned for T {
    type Columns = T;
    type Error = std::convert::Infallible;

    #[inline(always)]
    fn into_row(self) -> Result<T, Self::Error> {
        Ok(self)
    }
}

impl<T: Outputs, E: Display> Returned for Result<T, E> {
    type Columns = T;
    type Error = E;

    #[inline(always)]
    fn into_row(self) -> Self {
        self
    }
}
