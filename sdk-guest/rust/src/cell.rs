//! What an argument of a row function can be.

use crate::request::{Request, Validity, bit};

/// A type that a column can hold, as `wit/README.md` of Unskew lists them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that a column of a transform or aggregate can have",
    label = "not a column's type",
    note = "columns can be bool, i8 to i64, u8 to u64, f32, f64, &str, String, &[u8] and Vec<u8> (binary), unskew::Date, unskew::Timestamp, unskew::Decimal<P, S>,\nlists of these (Vec<T>, Vec<Option<T>>, &[T] of numbers, unskew::List<T>), [f32; N], and structs with #[derive(unskew::Struct)]; an Option of any of them can be null"
)]
pub trait Typed {
    /// Appends the name of the type as the manifest writes it.
    fn write_type(to: &mut String);
}

/// A value that is not null, as it is read from a column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of an input column",
    label = "not the type of an input column",
    note = "inputs can be bool, i8 to i64, u8 to u64, f32, f64, &str, String, &[u8] and Vec<u8> (binary), unskew::Date, unskew::Timestamp, unskew::Decimal<P, S>,\nlists of these (Vec<T>, Vec<Option<T>>, &[T] of numbers, unskew::List<T>), [f32; N], &[f32; N], and structs with #[derive(unskew::Struct)]; an Option of any of them is passed its nulls"
)]
pub trait Cell<'a>: Typed + Sized {
    /// The buffers of a column of it.
    type View: Copy;

    /// Reads the entries behind node and validity, which its caller has read.
    fn open(request: &mut Request<'a>, rows: usize) -> Self::View;

    /// The value of a row.
    ///
    /// # Safety
    /// `row` is one of those that the view was opened with.
    unsafe fn get(view: &Self::View, row: usize) -> Self;
}

/// A [`Cell`] that is a single value: what lists and structs are made of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an item of a list, or a field of a struct",
    note = "items and fields are single values: bool, numbers, text, binary, dates, timestamps, decimals, and an Option of these"
)]
pub trait Scalar: Typed {}

/// What lists and structs are made of: a [`Scalar`], or an [`Option`] of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an item of a list, or a field of a struct",
    label = "not a single value",
    note = "items and fields are single values: bool, numbers, text, binary, dates, timestamps, decimals, and an Option of these"
)]
pub trait Item {
    /// Whether it can be null.
    const CAN_BE_NULL: bool;

    /// Appends the name of the type as the manifest writes it.
    fn write_item_type(to: &mut String);
}

impl<T: Scalar> Item for T {
    const CAN_BE_NULL: bool = false;

    fn write_item_type(to: &mut String) {
        <T as Typed>::write_type(to);
    }
}

impl<T: Scalar> Item for Option<T> {
    const CAN_BE_NULL: bool = true;

    fn write_item_type(to: &mut String) {
        <T as Typed>::write_type(to);
        to.push('?');
    }
}

/// What a row function can take: a [`Cell`], or an [`Option`] of one, which
/// is passed its nulls.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of an input column",
    label = "not the type of an input column",
    note = "inputs can be bool, i8 to i64, u8 to u64, f32, f64, &str, String, &[u8] and Vec<u8> (binary), unskew::Date, unskew::Timestamp, unskew::Decimal<P, S>,\nlists of these (Vec<T>, Vec<Option<T>>, &[T] of numbers, unskew::List<T>), [f32; N], &[f32; N], and structs with #[derive(unskew::Struct)]; an Option of any of them is passed its nulls"
)]
pub trait Argument<'a>: Sized {
    /// Whether nulls are passed.
    const NULLABLE: bool;
    /// The buffers of a column of it.
    type View: Copy;

    /// Appends the name of the type as the manifest writes it.
    fn write_type(to: &mut String);

    /// Reads the entries of a column of `rows`.
    fn open(request: &mut Request<'a>, rows: usize) -> Self::View;

    /// The value of a row.
    ///
    /// # Safety
    /// `row` is one of those that the view was opened with.
    unsafe fn get(view: &Self::View, row: usize) -> Self;
}

impl<'a, T: Cell<'a>> Argument<'a> for T {
    const NULLABLE: bool = false;
    type View = T::View;

    fn write_type(to: &mut String) {
        <T as Typed>::write_type(to);
    }

    #[inline(always)]
    fn open(request: &mut Request<'a>, rows: usize) -> T::View {
        request.column_without_nulls(rows);
        <T as Cell<'a>>::open(request, rows)
    }

    #[inline(always)]
    unsafe fn get(view: &T::View, row: usize) -> T {
        // SAFETY: as the caller promises.
        unsafe { <T as Cell<'a>>::get(view, row) }
    }
}

/// The buffers of a column that can have nulls.
pub struct Nullable<'a, T: Cell<'a>> {
    pub(crate) validity: Validity<'a>,
    pub(crate) view: T::View,
}

impl<'a, T: Cell<'a>> Clone for Nullable<'a, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: Cell<'a>> Copy for Nullable<'a, T> {}

impl<'a, T: Cell<'a>> Argument<'a> for Option<T> {
    const NULLABLE: bool = true;
    type View = Nullable<'a, T>;

    fn write_type(to: &mut String) {
        <T as Typed>::write_type(to);
    }

    #[inline(always)]
    fn open(request: &mut Request<'a>, rows: usize) -> Nullable<'a, T> {
        let validity = request.column(rows);
        Nullable { validity, view: <T as Cell<'a>>::open(request, rows) }
    }

    #[inline(always)]
    unsafe fn get(view: &Nullable<'a, T>, row: usize) -> Self {
        // SAFETY: as the caller promises.
        unsafe { view.validity.is_valid(row).then(|| <T as Cell<'a>>::get(&view.view, row)) }
    }
}

/// Numbers, dates and times: values that lie in memory as they are.
macro_rules! plain_cells {
    ($($type:ty, $name:literal;)*) => { $(
        impl $crate::cell::Typed for $type {
            fn write_type(to: &mut String) {
                to.push_str($name);
            }
        }

        impl<'a> $crate::cell::Cell<'a> for $type {
            type View = &'a [$type];

            #[inline(always)]
            fn open(
                request: &mut $crate::request::Request<'a>,
                rows: usize,
            ) -> &'a [$type] {
                request.values(rows)
            }

            #[inline(always)]
            unsafe fn get(view: &&'a [$type], row: usize) -> Self {
                // SAFETY: as the caller promises.
                unsafe { *view.get_unchecked(row) }
            }
        }

        impl $crate::cell::Scalar for $type {}
    )* };
}
pub(crate) use plain_cells;

plain_cells! {
    i8, "int8";
    i16, "int16";
    i32, "int32";
    i64, "int64";
    u8, "uint8";
    u16, "uint16";
    u32, "uint32";
    u64, "uint64";
    f32, "float32";
    f64, "float64";
}

impl Typed for bool {
    fn write_type(to: &mut String) {
        to.push_str("bool");
    }
}

impl<'a> Cell<'a> for bool {
    type View = &'a [u8];

    #[inline(always)]
    fn open(request: &mut Request<'a>, rows: usize) -> &'a [u8] {
        request.bits(rows)
    }

    #[inline(always)]
    unsafe fn get(view: &&'a [u8], row: usize) -> bool {
        // SAFETY: as the caller promises.
        unsafe { bit(view.as_ptr(), row) }
    }
}

impl Scalar for bool {}
