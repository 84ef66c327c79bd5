//! Modules that try to hurt their host, and the proof that they cannot.
//!
//! Each [`Guest`] is one way to misbehave: what it tries, and the error
//! variant that must come of it. The [`Ward`] lets guest after guest loose on
//! one host, and after each shows that a healthy module there still yields the
//! same values for the same fuel, and that no memory, thread or file is left
//! behind. `guests/` holds their code as WAT, written by hand: no SDK would
//! make such modules.

mod attack;
mod binary;
mod call;
mod guest;
mod guests;
mod journal;
mod module;
mod process;
mod slow;
mod ward;

pub use guest::{Attack, Expected, Guest, Seen};
pub use guests::all_guests;
pub use process::Stopwatch;
pub use slow::{Slow, slow_functions};
pub use ward::{Report, Ward};
