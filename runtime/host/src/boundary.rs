//! How bodies cross: straight from Arrow buffers into the module's memory, and
//! from its memory into one aligned buffer of ours, one copy each way.
//!
//! wasmtime's own `list<u8>` takes a slice that would first have to be put
//! together, which is a copy more. Its traits for other types are public but
//! undocumented, so this file is bound to the version in Cargo.toml; nothing
//! outside it knows.

use std::mem::MaybeUninit;
use std::time::Instant;

use arrow::buffer::MutableBuffer;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower};
use wasmtime::{Result, ValRaw, bail};

use crate::encode::{ALIGNMENT, Request};

/// A reply as it came: copied out of the module's memory, checked for nothing
/// but its bounds.
pub(crate) struct ReplyBytes {
    pub(crate) bytes: MutableBuffer,
    /// When the module had done its work.
    pub(crate) returned: Instant,
    /// The memory that it came from.
    pub(crate) memory: MemoryPlace,
}

/// Where an instance's memory lies in ours, for as long as the instance lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryPlace {
    pub(crate) at: usize,
    pub(crate) bytes: usize,
}

/// A [`ReplyBytes`] that does not look at the clock.
pub(crate) struct UntimedReply(pub(crate) MutableBuffer);

/// The first bytes of a text that a module hands to the host.
pub(crate) struct TextStart {
    pub(crate) text: String,
    pub(crate) whole_bytes: usize,
}

/// What is read of a [`TextStart`].
const TEXT_START_BYTES: usize = 4096;

/// A text whose length the store's hostcall fuel bounds.
pub(crate) struct Text(pub(crate) String);

/// The parameters of every export but `manifest`: a [`Request`], or the bytes of one.
pub(crate) type Parameters<R> = (u32, R);

const _: () = assert!(size_of::<usize>() == 8, "32-bit lengths of a module must fit a usize");

// The component's own `list<u8>` and `string` are pairs of pointer and length,
// and the type checks of wasmtime's implementations hold for ours.

// SAFETY: `Lower` and `ABI` are those of `[u8]`, and so is the type check.
unsafe impl ComponentType for Request<'_> {
    type Lower = <[u8] as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <[u8] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <[u8] as ComponentType>::typecheck(ty, types)
    }
}

impl Request<'_> {
    fn place<T>(&self, cx: &mut LowerContext<'_, T>) -> Result<(usize, usize)> {
        let length = self.len();
        let at = cx.realloc(0, 0, 1, length)?;
        // `realloc` has checked that the range lies in memory.
        self.write(&mut cx.as_slice_mut()[at..at + length]);
        self.note_written();
        Ok((at, length))
    }
}

// SAFETY: both functions initialise all of `dst`, or the eight bytes at
// `offset`, with a pointer and a length that `realloc` has checked.
unsafe impl Lower for Request<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let (at, length) = self.place(cx)?;
        dst.write([ValRaw::i64(at as i64), ValRaw::i64(length as i64)]);
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let (at, length) = self.place(cx)?;
        *cx.get(offset) = u32::try_from(at)?.to_le_bytes();
        *cx.get(offset + 4) = u32::try_from(length)?.to_le_bytes();
        Ok(())
    }
}

fn pair_of_flat(src: &[ValRaw; 2]) -> (usize, usize) {
    (src[0].get_u32() as usize, src[1].get_u32() as usize)
}

fn pair_of_memory(bytes: &[u8]) -> (usize, usize) {
    let word = |at: usize| {
        let word: [u8; 4] = bytes[at..at + 4].try_into().expect("four bytes are four bytes");
        u32::from_le_bytes(word) as usize
    };
    (word(0), word(4))
}

fn slice<'a>(cx: &LiftContext<'a>, (at, length): (usize, usize)) -> Result<&'a [u8]> {
    match at.checked_add(length).and_then(|end| cx.memory().get(at..end)) {
        Some(bytes) => Ok(bytes),
        None => bail!("a reply of {length} bytes at {at} lies outside of memory"),
    }
}

fn copied(cx: &mut LiftContext<'_>, pair: (usize, usize)) -> Result<MutableBuffer> {
    let bytes = slice(cx, pair)?;
    cx.consume_fuel(bytes.len())?;
    // Aligned as the buffers in it are, which allocators give for nothing;
    // arrow's own buffers ask for more.
    let blocks = Vec::<i128>::with_capacity(bytes.len().div_ceil(size_of::<i128>()));
    let mut buffer = MutableBuffer::from(blocks);
    buffer.extend_from_slice(bytes);
    Ok(buffer)
}

const _: () = assert!(align_of::<i128>() == ALIGNMENT, "buffers are aligned for every value");

macro_rules! lift_pair {
    ($type:ty, like $like:ty, $read:expr) => {
        // SAFETY: as for `Request`, the type is laid out and checked as wasmtime's own.
        unsafe impl ComponentType for $type {
            type Lower = [ValRaw; 2];
            const ABI: CanonicalAbiInfo = <$like as ComponentType>::ABI;

            fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
                <$like as ComponentType>::typecheck(ty, types)
            }
        }

        // SAFETY: memory is read through bounds-checked slices alone.
        unsafe impl Lift for $type {
            fn linear_lift_from_flat(
                cx: &mut LiftContext<'_>,
                _: InterfaceType,
                src: &Self::Lower,
            ) -> Result<Self> {
                $read(cx, pair_of_flat(src))
            }

            fn linear_lift_from_memory(
                cx: &mut LiftContext<'_>,
                _: InterfaceType,
                bytes: &[u8],
            ) -> Result<Self> {
                $read(cx, pair_of_memory(bytes))
            }
        }
    };
}

lift_pair!(ReplyBytes, like[u8], |cx: &mut LiftContext<'_>, pair| {
    let returned = Instant::now();
    let memory = MemoryPlace { at: cx.memory().as_ptr() as usize, bytes: cx.memory().len() };
    Ok(Self { bytes: copied(cx, pair)?, returned, memory })
});

lift_pair!(UntimedReply, like[u8], |cx: &mut LiftContext<'_>, pair| copied(cx, pair).map(Self));

lift_pair!(Text, like str, |cx: &mut LiftContext<'_>, pair| {
    let bytes = slice(cx, pair)?;
    cx.consume_fuel(bytes.len())?;
    Ok(Self(std::str::from_utf8(bytes)?.to_owned()))
});

lift_pair!(TextStart, like str, |cx: &mut LiftContext<'_>, pair| {
    let bytes = slice(cx, pair)?;
    let start = &bytes[..bytes.len().min(TEXT_START_BYTES)];
    Ok(Self { text: String::from_utf8_lossy(start).into_owned(), whole_bytes: bytes.len() })
});

/// Proves at compile time that the parameters are what `TypedFunc` takes.
const _: fn() = || {
    fn named<T: ComponentNamedList + Lower>() {}
    named::<Parameters<Request<'_>>>();
};
