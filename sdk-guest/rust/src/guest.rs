//! What runs only in the sandbox: the memory that calls share, the entry of
//! the host, and the way out of a panic.

#[cfg(target_arch = "wasm32")]
pub use wasm::{Returned, evaluate, manifest, realloc};

/// Says which row is worked on, for the message of a panic.
#[inline(always)]
pub(crate) fn set_row(row: usize) {
    #[cfg(target_arch = "wasm32")]
    wasm::set_row(row);
    #[cfg(not(target_arch = "wasm32"))]
    let _ = row;
}

/// Says that no row is worked on any more.
#[inline(always)]
pub(crate) fn leave_row() {
    #[cfg(target_arch = "wasm32")]
    wasm::leave_row();
}

#[cfg(target_arch = "wasm32")]
mod wasm {
    use std::alloc::{self, Layout};
    use std::panic;
    use std::ptr::{self, addr_of_mut};

    use crate::buffer::BLOCK;
    use crate::log::{self, Level};
    use crate::reply::Reply;
    use crate::request::Request;

    /// A pointer and a length, where the host reads them.
    #[repr(C)]
    pub struct Returned {
        at: *const u8,
        length: usize,
    }

    // There is one thread and no re-entry: the component model traps a call
    // into an instance that is in a call. So plain statics are enough, and
    // each is touched through raw pointers by one function at a time.
    static mut REPLY: Reply = Reply::new();
    static mut RETURNED: Returned = Returned { at: ptr::null(), length: 0 };
    static mut ROW: u32 = NO_ROW;
    static mut HOOKED: bool = false;
    /// The body of the last request: the next one takes its memory again.
    static mut KEPT: Kept = Kept { at: ptr::null_mut(), bytes: 0, free: true };

    const NO_ROW: u32 = u32::MAX;

    struct Kept {
        at: *mut u8,
        bytes: usize,
        free: bool,
    }

    #[inline(always)]
    pub(crate) fn set_row(row: usize) {
        // SAFETY: one thread, and no reference to it is ever taken.
        unsafe { ROW = row as u32 };
    }

    #[inline(always)]
    pub(crate) fn leave_row() {
        // SAFETY: as above.
        unsafe { ROW = NO_ROW };
    }

    /// Memory for the host to write to, always aligned to 16.
    ///
    /// # Safety
    /// As the canonical ABI has it for `cabi_realloc`.
    pub unsafe fn realloc(old: *mut u8, old_bytes: usize, align: usize, bytes: usize) -> *mut u8 {
        let align = align.max(BLOCK);
        if bytes == 0 {
            return ptr::without_provenance_mut(align);
        }
        // SAFETY: `old` came from here, with this size and alignment, or the
        // kept memory, which is at least as large, is nobody else's.
        unsafe {
            let kept = addr_of_mut!(KEPT);
            if old_bytes == 0 && align == BLOCK && (*kept).free && (*kept).bytes >= bytes {
                (*kept).free = false;
                return (*kept).at;
            }
            let new = alloc::alloc(layout(bytes, align));
            if new.is_null() {
                alloc::handle_alloc_error(layout(bytes, align));
            }
            if old_bytes > 0 {
                ptr::copy_nonoverlapping(old, new, old_bytes.min(bytes));
                free(old, old_bytes, align);
            }
            new
        }
    }

    fn layout(bytes: usize, align: usize) -> Layout {
        Layout::from_size_align(bytes, align).expect("the host asks for memory that can exist")
    }

    /// # Safety
    /// `at` came from `realloc` with this size and alignment.
    unsafe fn free(at: *mut u8, bytes: usize, align: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            let kept = addr_of_mut!(KEPT);
            if bytes == 0 {
                return;
            }
            if at == (*kept).at {
                (*kept).free = true;
            } else if align == BLOCK && bytes > (*kept).bytes && (*kept).free {
                let old = ptr::replace(kept, Kept { at, bytes, free: true });
                if old.bytes > 0 {
                    alloc::dealloc(old.at, layout(old.bytes, BLOCK));
                }
            } else {
                alloc::dealloc(at, layout(bytes, align));
            }
        }
    }

    /// Runs one export: reads the request, lets `function` write the reply,
    /// and says where it lies.
    ///
    /// # Safety
    /// `at` and `bytes` are a body that the host has written to memory of
    /// [`realloc`], and is not used afterwards.
    pub unsafe fn evaluate(
        at: *mut u8,
        bytes: usize,
        function: impl FnOnce(&mut Request<'_>, &mut Reply),
    ) -> *const Returned {
        hook();
        // SAFETY: the statics are nobody else's during this call, and the
        // reply stays untouched until the next one.
        unsafe {
            let reply = &mut *addr_of_mut!(REPLY);
            function(&mut Request::new(std::slice::from_raw_parts(at, bytes)), reply);
            free(at, bytes, BLOCK);
            returned(reply.as_bytes())
        }
    }

    /// Gives the manifest to the host.
    pub fn manifest(json: impl FnOnce() -> String) -> *const Returned {
        hook();
        let json = json();
        // SAFETY: as in `evaluate`.
        let reply = unsafe { &mut *addr_of_mut!(REPLY) };
        reply.replace(json.as_bytes());
        returned(reply.as_bytes())
    }

    fn returned(bytes: &[u8]) -> *const Returned {
        let returned = Returned { at: bytes.as_ptr(), length: bytes.len() };
        // SAFETY: one thread; the host reads it before it calls again.
        unsafe {
            addr_of_mut!(RETURNED).write(returned);
            addr_of_mut!(RETURNED)
        }
    }

    /// Sends the message of a panic to the host; then the panic traps.
    fn hook() {
        // SAFETY: one thread.
        unsafe {
            if HOOKED {
                return;
            }
            HOOKED = true;
        }
        panic::set_hook(Box::new(|info| {
            // SAFETY: one thread.
            let row = unsafe { ROW };
            log::write(Level::Fatal, (row != NO_ROW).then_some(row), &info.to_string());
        }));
    }
}
