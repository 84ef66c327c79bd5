use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The exit code after Ctrl-C.
pub(crate) const EXIT_CODE: u8 = 130;

/// Whether the user asked to stop, by Ctrl-C or a request to terminate.
///
/// As long as something is deferred the signal only raises a flag, and who
/// deferred it cleans up; else, or at a second signal, the process ends.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    raised: AtomicBool,
    deferrals: AtomicUsize,
}

/// Defers interrupts until it is dropped.
pub(crate) struct Deferral(Arc<State>);

/// The user asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

impl Interrupt {
    /// Takes over the signals of this process; to be called once.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let state = Arc::clone(&interrupt.0);
        ctrlc::set_handler(move || {
            let again = state.raised.swap(true, Ordering::SeqCst);
            if again || state.deferrals.load(Ordering::SeqCst) == 0 {
                process::exit(EXIT_CODE.into());
            }
        })?;
        Ok(interrupt)
    }

    /// Whether a signal came.
    pub(crate) fn raised(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// Forgets a signal that was acted upon, for who goes on after it.
    pub(crate) fn clear(&self) {
        self.0.raised.store(false, Ordering::SeqCst);
    }

    /// An error once a signal came, for use with `?` between two steps.
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        if self.raised() { Err(Interrupted) } else { Ok(()) }
    }

    /// From now on the caller ends by itself when a signal comes.
    pub(crate) fn defer(&self) -> Deferral {
        self.0.deferrals.fetch_add(1, Ordering::SeqCst);
        Deferral(Arc::clone(&self.0))
    }
}

impl Drop for Deferral {
    fn drop(&mut self) {
        self.0.deferrals.fetch_sub(1, Ordering::SeqCst);
    }
}
