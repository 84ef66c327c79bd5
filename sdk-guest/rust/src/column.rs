//! Whole columns, as a batch transform takes them.

use crate::cell::{Argument, Cell};
use crate::request::Request;

/// One input column of a batch, without a copy: `Column<'_, f64>`,
/// `Column<'_, Option<&str>>` and so on, for everything that an argument of a
/// row function can be.
///
/// ```
/// use unskew::Column;
///
/// #[unskew::transform(batch)]
/// fn scaled(x: Column<'_, f64>, by: Column<'_, Option<f64>>) -> Vec<Option<f64>> {
///     x.iter().zip(by.iter()).map(|(x, by)| Some(x * by?)).collect()
/// }
/// # unskew::module!(transforms = [scaled]);
/// # fn main() {}
/// ```
pub struct Column<'a, T: Argument<'a>> {
    view: T::View,
    rows: usize,
}

impl<'a, T: Argument<'a>> Clone for Column<'a, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: Argument<'a>> Copy for Column<'a, T> {}

impl<'a, T: Argument<'a>> Column<'a, T> {
    pub(crate) fn open(request: &mut Request<'a>) -> Self {
        let rows = request.rows();
        Self { view: T::open(request, rows), rows }
    }

    /// How many rows the batch has.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether the batch has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The value of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> T {
        assert!(row < self.rows, "row {row} of a column that has {} rows", self.rows);
        // SAFETY: compared just now.
        unsafe { T::get(&self.view, row) }
    }

    /// The values of all rows.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + 'a
    where
        T: 'a,
        T::View: 'a,
    {
        let Self { view, rows } = *self;
        // SAFETY: all rows are below `rows`.
        (0..rows).map(move |row| unsafe { T::get(&view, row) })
    }
}

impl<'a, T: Cell<'a, View = &'a [T]> + 'a> Column<'a, T> {
    /// All values, as they lie in memory.
    pub fn values(&self) -> &'a [T] {
        self.view
    }
}

impl<'a, T: Cell<'a>> Column<'a, Option<T>> {
    /// Whether any row is null.
    pub fn has_nulls(&self) -> bool {
        self.view.validity.has_nulls()
    }

    /// Whether a row is null.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn is_null(&self, row: usize) -> bool {
        assert!(row < self.rows, "row {row} of a column that has {} rows", self.rows);
        // SAFETY: compared just now.
        unsafe { !self.view.validity.is_valid(row) }
    }
}

impl<'a, T: Cell<'a, View = &'a [T]> + 'a> Column<'a, Option<T>> {
    /// All values, as they lie in memory; zero where a row is null.
    pub fn values(&self) -> &'a [T] {
        self.view.view
    }
}

/// What a batch transform can take: a [`Column`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a batch transform takes",
    label = "not a column",
    note = "the arguments of a batch transform are columns: unskew::Column<'_, f64>, unskew::Column<'_, Option<&str>> and so on"
)]
pub trait BatchArgument<'a>: Sized {
    /// The type of one row.
    type Row: Argument<'a>;

    /// Reads the next column.
    fn open(request: &mut Request<'a>) -> Self;
}

impl<'a, T: Argument<'a>> BatchArgument<'a> for Column<'a, T> {
    type Row = T;

    fn open(request: &mut Request<'a>) -> Self {
        Column::open(request)
    }
}

/// Reads the next column, for a batch function.
pub fn open_batch<'a, T: BatchArgument<'a>>(request: &mut Request<'a>) -> T {
    T::open(request)
}

/// Reads the next column, for a row function.
#[inline(always)]
pub fn open_column<'a, T: Argument<'a>>(request: &mut Request<'a>) -> Opened<'a, T> {
    Opened(Column::open(request))
}

/// One input column of a row function.
pub struct Opened<'a, T: Argument<'a>>(Column<'a, T>);

/// A row of the batch that is worked on.
pub struct Row(usize);

impl Row {
    /// # Safety
    /// It is used for columns of one batch with more than `row` rows.
    #[inline(always)]
    pub(crate) unsafe fn new(row: usize) -> Self {
        Self(row)
    }
}

impl<'a, T: Argument<'a>> Opened<'a, T> {
    /// The value of a row.
    #[inline(always)]
    pub fn get(&self, row: &Row) -> T {
        debug_assert!(row.0 < self.0.rows);
        // SAFETY: the row is of this batch, of which each column has all rows.
        unsafe { T::get(&self.0.view, row.0) }
    }
}
