//! Messages to the host, the only thing that a module can ask of it.

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever writes the module.
    Debug,
    /// Worth knowing.
    Info,
    /// Something looks wrong.
    Warn,
    /// Something is wrong.
    Error,
    /// The module gives up: the host ends the call. Sent by a panic; not for other use.
    Fatal,
}

/// Hands a message to the host, which may shorten or drop it: there are
/// limits for each call. In a native test it goes to standard error.
pub fn log(level: Level, message: &str) {
    write(level, None, message);
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn write(level: Level, _: Option<u32>, message: &str) {
    eprintln!("{level:?}: {message}");
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn write(level: Level, row: Option<u32>, message: &str) {
    #[link(wasm_import_module = "unskew:module/log@1.0.0")]
    unsafe extern "C" {
        #[link_name = "write"]
        fn host_write(level: i32, has_row: i32, row: i32, at: *const u8, length: usize);
    }
    let (has_row, row) = match row {
        Some(row) => (1, row as i32),
        None => (0, 0),
    };
    // SAFETY: the flat form of `write`'s parameters by the canonical ABI; the
    // message lives through the call.
    unsafe { host_write(level as i32, has_row, row, message.as_ptr(), message.len()) };
}
