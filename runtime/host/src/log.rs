use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::{ComponentType, Lift, Linker};
use wasmtime::{StoreContextMut, bail};

use crate::boundary::TextStart;
use crate::instance::GuestState;
use crate::limits::Limits;

/// The one import that the sandbox grants, without its version.
pub(crate) const LOG_INTERFACE: &str = "unskew:module/log";
/// The one function of it.
pub(crate) const LOG_FUNCTION: &str = "write";

/// Fuel that one message takes beside its bytes, so that a module which does
/// nothing but log runs out of fuel as any other.
const FUEL_PER_MESSAGE: u64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "variants are made by lifting, which the compiler does not see")]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "fatal")]
    Fatal,
}

/// Where a module's messages go, whichever of its instances they come from.
pub(crate) struct Journal {
    module: String,
    minute: Mutex<Minute>,
}

/// What was logged in the minute that began at `start`.
struct Minute {
    start: Instant,
    bytes: usize,
}

const MINUTE: Duration = Duration::from_secs(60);
/// What a message takes in the log beside its text.
const BYTES_PER_MESSAGE: usize = 64;

impl Journal {
    pub(crate) fn new(module: &str) -> Self {
        let minute = Mutex::new(Minute { start: Instant::now(), bytes: 0 });
        Self { module: module.to_owned(), minute }
    }

    /// Whether a message may still be written in this minute.
    fn has_room(&self, text_bytes: usize, limit: usize) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.start.elapsed() >= MINUTE {
            *minute = Minute { start: Instant::now(), bytes: 0 };
        }
        let before = minute.bytes;
        minute.bytes = before.saturating_add(text_bytes + BYTES_PER_MESSAGE);
        if before <= limit && minute.bytes > limit {
            tracing::warn!(
                target: "unskew::module",
                module = self.module,
                "further messages of this minute are dropped"
            );
        }
        minute.bytes <= limit
    }
}

/// What one call has logged so far.
#[derive(Default)]
pub(crate) struct CallLog {
    messages: u32,
    bytes: usize,
    /// The last fatal message, and the row that the module named with it.
    pub(crate) fatal: Option<(Option<u32>, String)>,
}

impl CallLog {
    fn take(
        &mut self,
        level: Level,
        row: Option<u32>,
        text: String,
        limits: &Limits,
        journal: &Journal,
    ) {
        if level == Level::Fatal {
            self.fatal = Some((row, cut(text, limits.message_bytes)));
            return;
        }
        if self.messages == limits.log_messages && journal.has_room(0, limits.log_bytes_per_minute)
        {
            tracing::warn!(
                target: "unskew::module",
                module = journal.module,
                "further messages of this call are dropped"
            );
        }
        self.messages = self.messages.saturating_add(1);
        let room = limits.log_bytes.saturating_sub(self.bytes);
        if self.messages > limits.log_messages || room == 0 {
            return;
        }
        let text = cut(text, room);
        self.bytes += text.len();
        if !journal.has_room(text.len(), limits.log_bytes_per_minute) {
            return;
        }
        let of = journal.module.as_str();
        let row = row.map(i64::from);
        match level {
            Level::Debug => {
                tracing::debug!(target: "unskew::module", module = of, row, "{}", text.escape_debug());
            }
            Level::Info => {
                tracing::info!(target: "unskew::module", module = of, row, "{}", text.escape_debug());
            }
            Level::Warn => {
                tracing::warn!(target: "unskew::module", module = of, row, "{}", text.escape_debug());
            }
            Level::Error | Level::Fatal => {
                tracing::error!(target: "unskew::module", module = of, row, "{}", text.escape_debug());
            }
        }
    }
}

/// The first `bytes` bytes of `text`, less what would split a character.
pub(crate) fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

pub(crate) fn add_to(linker: &mut Linker<GuestState>, version: &str) -> wasmtime::Result<()> {
    linker.instance(&format!("{LOG_INTERFACE}@{version}"))?.func_wrap(
        LOG_FUNCTION,
        |mut store: StoreContextMut<'_, GuestState>,
         (level, row, message): (Level, Option<u32>, TextStart)| {
            let cost = FUEL_PER_MESSAGE + message.whole_bytes as u64;
            let left = store.get_fuel()?;
            if left < cost {
                store.set_fuel(0)?;
                return Err(wasmtime::Trap::OutOfFuel.into());
            }
            store.set_fuel(left - cost)?;
            let GuestState { log, limits, journal, .. } = store.data_mut();
            log.take(level, row, message.text, limits, journal);
            if level == Level::Fatal {
                // The call ends here: a trap of the module's own, which would
                // follow, takes a signal.
                bail!("the module gave up");
            }
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aé".to_owned(), 2), "a");
        assert_eq!(cut("aé".to_owned(), 3), "aé");
        assert_eq!(cut("é".to_owned(), 0), "");
    }

    #[test]
    fn a_fatal_message_is_kept_though_the_log_is_full() {
        let limits = Limits { log_messages: 1, ..Limits::default() };
        let mut log = CallLog::default();
        let journal = Journal::new("m");
        for _ in 0..5 {
            log.take(Level::Info, None, "x".repeat(10), &limits, &journal);
        }
        assert_eq!(log.bytes, 10);
        log.take(Level::Fatal, Some(3), "the reason".to_owned(), &limits, &journal);
        assert_eq!(log.fatal, Some((Some(3), "the reason".to_owned())));
    }

    #[test]
    fn a_module_has_so_much_to_say_in_a_minute() {
        let journal = Journal::new("m");
        assert!((0..3).all(|_| journal.has_room(36, 300)));
        assert!(!journal.has_room(36, 300), "a fourth hundred");
        assert!(!journal.has_room(0, 300));
        journal.minute.lock().unwrap().bytes = 0;
        assert!(journal.has_room(36, 300));
    }
}
