//! Memory that begins at a multiple of 16, as bodies and their columns do.

use std::marker::PhantomData;
use std::mem::{MaybeUninit, size_of};
use std::slice;

/// The unit of [`Buffer`]: what its memory is aligned to.
#[repr(C, align(16))]
struct Block([u8; BLOCK]);

pub(crate) const BLOCK: usize = 16;

/// `bytes`, rounded up to whole blocks.
///
/// Sizes saturate on the way here, so that too many rows fail to find memory,
/// and never find too little.
pub(crate) const fn blocks(bytes: usize) -> usize {
    bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// A type whose values are their bytes: without padding, and without a bit
/// pattern that is not a value.
///
/// # Safety
/// All of that must hold, and the alignment be at most 16.
pub unsafe trait Plain: Copy + 'static {}

macro_rules! plain {
    ($($type:ty),*) => { $(
        // SAFETY: a number without padding, of which every bit pattern is a value.
        unsafe impl Plain for $type {}
    )* };
}
plain!(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, f32, f64);

// SAFETY: an array has no padding between its items.
unsafe impl<const N: usize> Plain for [f32; N] {}

/// A growable run of bytes in aligned memory.
#[derive(Default)]
pub struct Buffer {
    blocks: Vec<MaybeUninit<Block>>,
    length: usize,
}

impl Buffer {
    pub(crate) const fn new() -> Self {
        Self { blocks: Vec::new(), length: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.blocks.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        // SAFETY: `length` bytes at the beginning are written.
        unsafe { slice::from_raw_parts(self.blocks.as_ptr().cast(), self.length) }
    }

    pub(crate) fn as_mut_bytes(&mut self) -> &mut [u8] {
        // SAFETY: `length` bytes at the beginning are written.
        unsafe { slice::from_raw_parts_mut(self.blocks.as_mut_ptr().cast(), self.length) }
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.blocks.as_mut_ptr().cast()
    }

    /// Whether `more` bytes fit without growing.
    #[inline]
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.blocks.capacity() * BLOCK - self.length >= more
    }

    /// Makes room for `more` bytes behind those that are there.
    #[inline]
    pub(crate) fn reserve(&mut self, more: usize) {
        if !self.has_room(more) {
            self.grow(more);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        let wanted = self.length.checked_add(more).expect("a column fits into memory");
        let used = self.length.div_ceil(BLOCK);
        // SAFETY: these may be uninitialised; they must count as there so that
        // growing takes them along.
        unsafe { self.blocks.set_len(used) };
        self.blocks.reserve(wanted.div_ceil(BLOCK) - used);
    }

    /// # Safety
    /// `length` bytes are reserved and written.
    pub(crate) unsafe fn set_len(&mut self, length: usize) {
        self.length = length;
    }

    #[inline]
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: the room was made just now, and no one else has it.
        unsafe {
            let end = self.as_mut_ptr().add(self.length);
            end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.length += bytes.len();
    }

    /// Appends the first `length` of these bytes. All are copied, since so many
    /// as are known beforehand are copied without a call.
    #[inline]
    pub(crate) fn push_first<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        assert!(length <= N, "so many bytes are there");
        self.reserve(N);
        // SAFETY: the room was made just now, and no one else has it.
        unsafe {
            let end = self.as_mut_ptr().add(self.length);
            end.copy_from_nonoverlapping(bytes.as_ptr(), N);
        }
        self.length += length;
    }

    #[inline]
    pub(crate) fn push<T: Plain>(&mut self, value: T) {
        self.reserve(size_of::<T>());
        // SAFETY: the room was made just now; a `T` may be written unaligned.
        unsafe { self.as_mut_ptr().add(self.length).cast::<T>().write_unaligned(value) };
        self.length += size_of::<T>();
    }

    pub(crate) fn push_zeros(&mut self, count: usize) {
        self.reserve(count);
        // SAFETY: the room was made just now, and no one else has it.
        unsafe { self.as_mut_ptr().add(self.length).write_bytes(0, count) };
        self.length += count;
    }

    /// Zeros up to the next whole block.
    #[inline]
    pub(crate) fn pad(&mut self) {
        self.push_zeros(blocks(self.length) - self.length);
    }
}

/// `rows` values at a fixed place, each written once, in order.
pub struct Slots<T> {
    at: *mut T,
    rows: usize,
    values: PhantomData<T>,
}

impl<T: Plain> Slots<T> {
    /// # Safety
    /// `at` is aligned for `T` and has room for `rows` of them, which nothing
    /// else touches as long as this lives.
    pub(crate) unsafe fn new(at: *mut u8, rows: usize) -> Self {
        Self { at: at.cast(), rows, values: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, row: usize, value: T) {
        debug_assert!(row < self.rows);
        // SAFETY: loops over rows end before `rows`, and `new` promised the room.
        unsafe { self.at.add(row).write(value) };
    }
}
