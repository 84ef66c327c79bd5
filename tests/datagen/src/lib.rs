//! E-commerce events for the demo, the tests and the benchmarks: views, clicks
//! and purchases of users who are drawn by Zipf's law, in order of time.
//!
//! The same [`Spec`] gives the same values on every machine. Therefore all
//! draws come from ChaCha8 with a fixed seed, all arithmetic on floats is that
//! of the `libm` crate, and nothing asks for the time. Rows are made in
//! batches, so memory does not grow with their number.

mod digest;
mod error;
mod events;
mod numbers;
mod random;
mod spec;
mod text;
mod times;
mod write;

pub use digest::DataDigest;
pub use error::DatagenError;
pub use events::{Events, schema};
pub use numbers::EventNumbers;
pub use random::Zipf;
pub use spec::{EVENT_TYPES, START_MICROS, Spec};
pub use write::{Compression, Format, write};
