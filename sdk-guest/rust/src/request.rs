//! Reading a body that the host sent.

use std::marker::PhantomData;
use std::mem::{align_of, size_of};
use std::slice;

use crate::buffer::Plain;

pub(crate) const MAGIC: [u8; 4] = *b"USB1";
pub(crate) const HEADER_BYTES: usize = 16;

/// A body from the host, read column by column in the order of its table.
///
/// Lengths and bounds are checked when a column is opened; what they hold is
/// trusted, as the host has checked it (offsets that ascend, UTF-8).
pub struct Request<'a> {
    bytes: &'a [u8],
    rows: usize,
    groups: usize,
    at: usize,
}

/// Which rows have a value; all of them where the bitmap is left out.
#[derive(Clone, Copy)]
pub struct Validity<'a> {
    bits: Option<&'a [u8]>,
}

impl Validity<'_> {
    /// # Safety
    /// `row` is one of the column's.
    #[inline(always)]
    pub(crate) unsafe fn is_valid(&self, row: usize) -> bool {
        match self.bits {
            None => true,
            // SAFETY: the bitmap has a bit for each row of the column.
            Some(bits) => unsafe { bit(bits.as_ptr(), row) },
        }
    }

    pub(crate) fn has_nulls(&self) -> bool {
        self.bits.is_some()
    }
}

/// # Safety
/// The bitmap at `bits` has more than `row` bits.
#[inline(always)]
pub(crate) unsafe fn bit(bits: *const u8, row: usize) -> bool {
    // SAFETY: as the caller promises.
    unsafe { *bits.add(row / 8) >> (row % 8) & 1 == 1 }
}

/// Offsets of variable-length values: one more than rows.
#[derive(Clone, Copy)]
pub struct Offsets<'a> {
    at: *const i32,
    end: usize,
    body: PhantomData<&'a [i32]>,
}

impl Offsets<'_> {
    /// # Safety
    /// `row` is one of the column's.
    #[inline(always)]
    pub(crate) unsafe fn range(&self, row: usize) -> (usize, usize) {
        // SAFETY: there is one offset more than rows.
        let (from, to) = unsafe { (*self.at.add(row) as usize, *self.at.add(row + 1) as usize) };
        // One comparison for each value keeps even a wrong host from reading
        // outside of the body.
        if from > to || to > self.end {
            malformed("offsets that do not ascend");
        }
        (from, to)
    }
}

impl<'a> Request<'a> {
    /// Begins to read a body, which must be aligned to 16.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut request = Self { bytes, rows: 0, groups: 0, at: 0 };
        if bytes.len() < HEADER_BYTES || bytes[..4] != MAGIC {
            malformed("no `USB1` at its beginning");
        }
        request.at = 4;
        request.rows = request.word();
        request.groups = request.word();
        if request.word() != bytes.len() {
            malformed("another length than it says");
        }
        request
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many groups it has (0 unless it is for `partial`).
    pub fn groups(&self) -> usize {
        self.groups
    }

    #[inline]
    fn word(&mut self) -> usize {
        match self.bytes.get(self.at..self.at + 4) {
            Some(bytes) => {
                self.at += 4;
                u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
            }
            None => malformed("a table that is too short"),
        }
    }

    #[inline]
    fn buffer(&mut self) -> &'a [u8] {
        let offset = self.word();
        let length = self.word();
        match offset.checked_add(length).and_then(|end| self.bytes.get(offset..end)) {
            Some(bytes) => bytes,
            None => malformed("a buffer outside of it"),
        }
    }

    /// The node entry and the validity of a column: its length, and its nulls.
    #[inline]
    pub(crate) fn node(&mut self) -> (usize, Validity<'a>) {
        let length = self.word();
        let nulls = self.word();
        let bits = self.buffer();
        if nulls > length || (nulls > 0 && bits.len() != length.div_ceil(8)) {
            malformed("a validity bitmap of another length than its column");
        }
        (length, Validity { bits: (nulls > 0).then_some(bits) })
    }

    /// The same for a column of `rows`.
    #[inline]
    pub(crate) fn column(&mut self, rows: usize) -> Validity<'a> {
        let (length, validity) = self.node();
        if length != rows {
            malformed("a column of another length than the batch");
        }
        validity
    }

    /// The same for a column without nulls.
    #[inline]
    pub(crate) fn column_without_nulls(&mut self, rows: usize) {
        if self.column(rows).has_nulls() {
            malformed("nulls in a column that has none by its type");
        }
    }

    /// `count` values.
    #[inline]
    pub(crate) fn values<T: Plain>(&mut self, count: usize) -> &'a [T] {
        let bytes = self.buffer();
        if Some(bytes.len()) != count.checked_mul(size_of::<T>()) {
            malformed("a buffer of another length than its column");
        }
        if count == 0 {
            return &[];
        }
        if !bytes.as_ptr().addr().is_multiple_of(align_of::<T>()) {
            malformed("a buffer that is not aligned");
        }
        // SAFETY: length and alignment were compared, and `T` is plain.
        unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), count) }
    }

    /// A bitmap of `count` bits.
    #[inline]
    pub(crate) fn bits(&mut self, count: usize) -> &'a [u8] {
        self.values(count.div_ceil(8))
    }

    /// The offsets of `rows` values, and the greatest of them.
    #[inline]
    fn offsets(&mut self, rows: usize) -> (*const i32, usize) {
        let offsets = self.values::<i32>(rows + 1);
        match usize::try_from(offsets[rows]) {
            Ok(end) => (offsets.as_ptr(), end),
            Err(_) => malformed("a negative offset"),
        }
    }

    /// Offsets, and the bytes that they divide.
    #[inline]
    pub(crate) fn text(&mut self, rows: usize) -> (Offsets<'a>, &'a [u8]) {
        let (at, end) = self.offsets(rows);
        let bytes = self.buffer();
        if end != bytes.len() {
            malformed("offsets that end elsewhere than their text");
        }
        (Offsets { at, end, body: PhantomData }, bytes)
    }

    /// Offsets, and the length of the items that they divide.
    #[inline]
    pub(crate) fn list(&mut self, rows: usize) -> (Offsets<'a>, usize) {
        let (at, end) = self.offsets(rows);
        (Offsets { at, end, body: PhantomData }, end)
    }
}

#[cold]
#[inline(never)]
pub(crate) fn malformed(what: &str) -> ! {
    panic!("the host sent a body that has {what}: is it of another version than this module?")
}
