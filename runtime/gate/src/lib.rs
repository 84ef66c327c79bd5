//! Holds a module to what the design promises of it, before anybody relies on
//! it: a transform is *pure* when a row yields what it yields alone in a fresh
//! instance, however it is batched, ordered and repeated.
//!
//! An aggregate is *lawful* when its states are a function of the multiset of
//! rows alone, however they are ordered, split and merged.
//!
//! The gates generate rows with edge values and evaluates them in several ways
//! that must agree bit for bit; where they do not, it gives the row that shows
//! it. They can refute, never prove. The same comparison decides whether a module
//! looks at the bits of NaNs and so needs [`unskew_host::NanPolicy::Strict`].
//!
//! This room evaluates through the host alone and has no clock and no files:
//! the same module and seed give the same verdict.

mod laws;
mod purity;
mod rows;
mod states;
mod unlawful;

pub use laws::{LawGate, Tried};
pub use purity::{Counterexample, GateError, Impurity, PurityGate, Ways};
pub use rows::{RowGenerator, Taste};
pub use unlawful::{Law, Side, Unlawful};
