//! Lists of any length.

use std::fmt;

use crate::buffer::{Plain, Slots, blocks};
use crate::cell::{Argument, Cell, Item, Scalar, Typed};
use crate::output::{BitItems, ColumnWriter, ItemWriter, ScalarValue, Value};
use crate::reply::{ENTRY_BYTES, Reply, Span, offset};
use crate::request::{Offsets, Request};

/// The items of one row's list, read where they lie, without a copy.
///
/// ```
/// use unskew::List;
///
/// /// How many tags there are, and how many of them are missing.
/// #[unskew::transform(outputs = ["tags", "missing"])]
/// fn tags(tags: List<'_, Option<&str>>) -> (u32, u32) {
///     (tags.len() as u32, tags.iter().filter(|tag| tag.is_none()).count() as u32)
/// }
/// # unskew::module!(transforms = [tags]);
/// # fn main() {}
/// ```
pub struct List<'a, T: Argument<'a>> {
    items: T::View,
    from: usize,
    to: usize,
}

impl<'a, T: Argument<'a>> Clone for List<'a, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: Argument<'a>> Copy for List<'a, T> {}

impl<'a, T: Argument<'a>> List<'a, T> {
    /// How many items it has.
    pub fn len(&self) -> usize {
        self.to - self.from
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// The item at `index`; `None` if there are not that many.
    pub fn get(&self, index: usize) -> Option<T> {
        // SAFETY: the range of a list lies among the items.
        (index < self.len()).then(|| unsafe { T::get(&self.items, self.from + index) })
    }

    /// Its items.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + 'a
    where
        T: 'a,
        T::View: 'a,
    {
        let Self { items, from, to } = *self;
        // SAFETY: the range of a list lies among the items.
        (from..to).map(move |item| unsafe { T::get(&items, item) })
    }
}

impl<'a, T: Argument<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for index in 0..self.len() {
            list.entry(&self.get(index));
        }
        list.finish()
    }
}

/// The buffers of a column of lists.
pub struct ListView<'a, T: Argument<'a>> {
    offsets: Offsets<'a>,
    items: T::View,
}

impl<'a, T: Argument<'a>> Clone for ListView<'a, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: Argument<'a>> Copy for ListView<'a, T> {}

fn write_list_type<T: Item>(to: &mut String) {
    to.push_str("list<");
    T::write_item_type(to);
    to.push('>');
}

fn open_list<'a, T: Argument<'a>>(request: &mut Request<'a>, rows: usize) -> ListView<'a, T> {
    let (offsets, items) = request.list(rows);
    ListView { offsets, items: T::open(request, items) }
}

impl<'a, T: Argument<'a> + Item> Typed for List<'a, T> {
    fn write_type(to: &mut String) {
        write_list_type::<T>(to);
    }
}

impl<'a, T: Argument<'a> + Item> Cell<'a> for List<'a, T> {
    type View = ListView<'a, T>;

    fn open(request: &mut Request<'a>, rows: usize) -> ListView<'a, T> {
        open_list(request, rows)
    }

    #[inline(always)]
    unsafe fn get(view: &ListView<'a, T>, row: usize) -> Self {
        // SAFETY: as the caller promises.
        let (from, to) = unsafe { view.offsets.range(row) };
        Self { items: view.items, from, to }
    }
}

/// An [`Item`] of a `Vec`: any but `u8`, since `Vec<u8>` is binary.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an item of a list",
    label = "not the type of an item",
    note = "items are single values: bool, numbers, text, binary, dates, timestamps, decimals, and an Option of these; a list of u8 is an unskew::Uint8List, since Vec<u8> is binary"
)]
pub trait VecItem: Item {}

macro_rules! vec_items {
    ($($type:ty),*) => { $(impl VecItem for $type {})* };
}
vec_items!(bool, i8, i16, i32, i64, u16, u32, u64, f32, f64);
vec_items!(&str, String, &[u8], Vec<u8>);
vec_items!(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, [u8]>);
vec_items!(crate::Date, crate::Timestamp);
impl<const P: u8, const S: u8> VecItem for crate::Decimal<P, S> {}
impl<T: Scalar> VecItem for Option<T> {}

impl<T: VecItem> Typed for Vec<T> {
    fn write_type(to: &mut String) {
        write_list_type::<T>(to);
    }
}

impl<'a, T: Argument<'a> + VecItem> Cell<'a> for Vec<T> {
    type View = ListView<'a, T>;

    fn open(request: &mut Request<'a>, rows: usize) -> ListView<'a, T> {
        open_list(request, rows)
    }

    #[inline(always)]
    unsafe fn get(view: &ListView<'a, T>, row: usize) -> Self {
        // SAFETY: as the caller promises; the range lies among the items.
        unsafe {
            let (from, to) = view.offsets.range(row);
            (from..to).map(|item| T::get(&view.items, item)).collect()
        }
    }
}

/// A [`VecItem`] that lies in memory as it is, so that a list of it is a slice.
#[diagnostic::on_unimplemented(
    message = "a list of `{Self}` is not a slice in memory",
    label = "not an item of a slice",
    note = "slices can be of i8 to i64, u16 to u64, f32, f64, dates, timestamps and decimals; take a Vec<T> or an unskew::List<'_, T> of others"
)]
pub trait SliceItem: Plain + VecItem {}
macro_rules! slice_items {
    ($($type:ty),*) => { $(impl SliceItem for $type {})* };
}
slice_items!(i8, i16, i32, i64, u16, u32, u64, f32, f64, crate::Date, crate::Timestamp);
impl<const P: u8, const S: u8> SliceItem for crate::Decimal<P, S> {}

impl<T: SliceItem> Typed for &[T] {
    fn write_type(to: &mut String) {
        write_list_type::<T>(to);
    }
}

impl<'a, T: SliceItem + Cell<'a, View = &'a [T]>> Cell<'a> for &'a [T] {
    type View = ListView<'a, T>;

    fn open(request: &mut Request<'a>, rows: usize) -> ListView<'a, T> {
        open_list(request, rows)
    }

    #[inline(always)]
    unsafe fn get(view: &ListView<'a, T>, row: usize) -> Self {
        // SAFETY: as the caller promises; the range lies among the items.
        unsafe {
            let (from, to) = view.offsets.range(row);
            view.items.get_unchecked(from..to)
        }
    }
}

/// A list of `u8` as numbers: type `list<uint8>`, where `Vec<u8>` and `&[u8]`
/// are binary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uint8List(pub Vec<u8>);

impl Typed for Uint8List {
    fn write_type(to: &mut String) {
        write_list_type::<u8>(to);
    }
}

impl<'a> Cell<'a> for Uint8List {
    type View = ListView<'a, u8>;

    fn open(request: &mut Request<'a>, rows: usize) -> ListView<'a, u8> {
        open_list(request, rows)
    }

    unsafe fn get(view: &ListView<'a, u8>, row: usize) -> Self {
        // SAFETY: as the caller promises; the range lies among the items.
        unsafe {
            let (from, to) = view.offsets.range(row);
            Self(view.items.get_unchecked(from..to).to_vec())
        }
    }
}

/// What an item of an output list can be: a [`ScalarValue`], or an
/// [`Option`] of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an item of a list",
    label = "not the type of an item",
    note = "items are single values: bool, numbers, text, binary, dates, timestamps, decimals, and an Option of these"
)]
pub trait ItemValue: Item {
    /// The memory that takes it.
    type Writer;
    /// The bytes of its entries in the table.
    const TABLE_BYTES: usize;

    /// Takes memory.
    fn begin(reply: &mut Reply) -> Self::Writer;

    /// How many items there are.
    fn count(writer: &Self::Writer) -> usize;

    /// Adds one.
    fn push(self, writer: &mut Self::Writer);

    /// Writes the entries, and appends the items.
    fn end(writer: Self::Writer, reply: &mut Reply);
}

const NODE_AND_VALIDITY: usize = 2 * ENTRY_BYTES;

impl<T: ScalarValue> ItemValue for T {
    type Writer = T::Items;
    const TABLE_BYTES: usize = NODE_AND_VALIDITY + T::Items::TABLE_BYTES;

    fn begin(reply: &mut Reply) -> T::Items {
        T::Items::begin(reply)
    }

    #[inline(always)]
    fn count(writer: &T::Items) -> usize {
        writer.len()
    }

    #[inline(always)]
    fn push(self, writer: &mut T::Items) {
        <T as ScalarValue>::push(self, writer);
    }

    fn end(writer: T::Items, reply: &mut Reply) {
        reply.node(writer.len(), 0);
        reply.buffer(Span::NONE);
        writer.end(reply);
    }
}

/// Items and their validity.
pub struct NullableItems<W> {
    validity: BitItems,
    items: W,
}

impl<T: ScalarValue> ItemValue for Option<T> {
    type Writer = NullableItems<T::Items>;
    const TABLE_BYTES: usize = NODE_AND_VALIDITY + T::Items::TABLE_BYTES;

    fn begin(reply: &mut Reply) -> Self::Writer {
        NullableItems { validity: BitItems::begin(reply), items: T::Items::begin(reply) }
    }

    #[inline(always)]
    fn count(writer: &Self::Writer) -> usize {
        writer.validity.len()
    }

    #[inline(always)]
    fn push(self, writer: &mut Self::Writer) {
        writer.validity.push(self.is_some());
        match self {
            Some(value) => <T as ScalarValue>::push(value, &mut writer.items),
            None => <T as ScalarValue>::push_nothing(&mut writer.items),
        }
    }

    fn end(writer: Self::Writer, reply: &mut Reply) {
        let NullableItems { validity, items } = writer;
        reply.node(validity.len(), validity.zeros());
        if validity.zeros() == 0 {
            reply.buffer(Span::NONE);
            reply.discard(validity.into_buffer());
        } else {
            validity.end(reply);
        }
        items.end(reply);
    }
}

/// A column of lists.
pub struct ListWriter<T: ItemValue> {
    offsets: Slots<i32>,
    span: Span,
    items: T::Writer,
}

impl<T: ItemValue> ListWriter<T> {
    #[inline(always)]
    fn put(&mut self, row: usize, items: impl IntoIterator<Item = T>) {
        for item in items {
            item.push(&mut self.items);
        }
        self.offsets.set(row + 1, offset(T::count(&self.items)));
    }
}

impl<T: ItemValue> ColumnWriter for ListWriter<T> {
    const TABLE_BYTES: usize = ENTRY_BYTES + T::TABLE_BYTES;

    fn fixed_bytes(rows: usize) -> usize {
        blocks((rows + 1).saturating_mul(size_of::<i32>()))
    }

    fn begin(reply: &mut Reply, rows: usize) -> Self {
        let (span, mut offsets) = reply.slots(rows + 1);
        offsets.set(0, 0);
        Self { offsets, span, items: T::begin(reply) }
    }

    fn end(self, reply: &mut Reply, _: usize) {
        reply.buffer(self.span);
        T::end(self.items, reply);
    }
}

impl<T: ItemValue + VecItem> Value for Vec<T> {
    type Writer = ListWriter<T>;

    fn put(self, writer: &mut ListWriter<T>, row: usize) {
        writer.put(row, self);
    }

    fn put_nothing(writer: &mut ListWriter<T>, row: usize) {
        writer.put(row, []);
    }
}

impl<T: ItemValue + SliceItem> Value for &[T] {
    type Writer = ListWriter<T>;

    fn put(self, writer: &mut ListWriter<T>, row: usize) {
        writer.put(row, self.iter().copied());
    }

    fn put_nothing(writer: &mut ListWriter<T>, row: usize) {
        writer.put(row, []);
    }
}

impl Value for Uint8List {
    type Writer = ListWriter<u8>;

    fn put(self, writer: &mut ListWriter<u8>, row: usize) {
        writer.put(row, self.0);
    }

    fn put_nothing(writer: &mut ListWriter<u8>, row: usize) {
        writer.put(row, []);
    }
}
