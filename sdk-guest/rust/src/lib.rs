//! Write Unskew transforms and aggregates in Rust.
//!
//! A *transform* is a plain function of one row; the attribute makes it one of
//! a module that Unskew runs, sandboxed, in batch, streaming and online jobs.
//! It stays the function that it was, so `cargo test` tests it as such.
//!
//! ```
//! /// Purchases for each view.
//! #[unskew::transform]
//! fn rate(purchases: i64, views: Option<i64>) -> Option<f64> {
//!     let views = views.filter(|views| *views > 0)?;
//!     Some(purchases as f64 / views as f64)
//! }
//!
//! unskew::module!(name = "shop", transforms = [rate]);
//!
//! # fn main() {
//! assert_eq!(rate(1, Some(4)), Some(0.25));
//! # }
//! ```
//!
//! [`module!`] stands once in a crate and lists what is in the module; a
//! transform or aggregate that it leaves out is a compiler error. `unskew
//! build` makes the module.
//!
//! # Rows
//! * The arguments are the input columns, by name. An `Option` is passed its
//!   nulls; for any other argument a null makes the outputs null, without a call.
//! * The value is the output column, named like the function. An `Option` can
//!   be null. Several outputs are a tuple with names in the attribute,
//!   `#[unskew::transform(outputs = ["a", "b"])]`, or a struct with
//!   [`Outputs`](derive@Outputs).
//! * An `Err` of a `Result` is an error of that row alone, and so is a panic,
//!   which takes more time. Integer overflow panics, as it does in tests.
//! * Columns get other names by `#[unskew(name = "...")]` before an argument or
//!   field, outputs by `#[unskew::transform(output = "...")]`. Doc comments
//!   become descriptions.
//! * A row must depend on its arguments alone: there is no clock, no
//!   randomness and no I/O, and state that outlives a call is refused when the
//!   module is checked.
//!
//! # Types
//! | Rust | column |
//! |---|---|
//! | `bool`, `i8` to `i64`, `u8` to `u64`, `f32`, `f64` | `bool`, `int8` to `int64`, `uint8` to `uint64`, `float32`, `float64` |
//! | `&str`, `String`, `Cow<str>` | `utf8` |
//! | `&[u8]`, `Vec<u8>`, `Cow<[u8]>` | `binary` |
//! | [`Date`], [`Timestamp`], [`Decimal<P, S>`](Decimal) | `date32`, `timestamp`, `decimal128(P,S)` |
//! | `Vec<T>`, `Vec<Option<T>>`, `&[T]` of numbers, [`List<T>`](List) | `list<T>`, `list<T?>` |
//! | [`Uint8List`], `List<u8>` | `list<uint8>` |
//! | `[f32; N]`, `&[f32; N]`, `Box<[f32; N]>` | `fixed_size_list<float32,N>` |
//! | a struct with [`Struct`](derive@Struct) | `struct<...>` |
//!
//! # Batches
//! `#[unskew::transform(batch)]` is for a function that takes whole columns,
//! as [`Column`]s, which are views without a copy, and returns a `Vec` with an
//! item for each row (a tuple of `Vec`s for several outputs). Rows must not
//! depend on each other there either.
//!
//! # Aggregates
//! An *aggregate* is a struct, its state, with `update`, `merge`, `finish` and,
//! where merging can be undone, `subtract`:
//!
//! ```
//! /// Cents for each piece: wide integers, since a sum that overflows depends
//! /// on the order.
//! #[derive(Default, unskew::State)]
//! struct MeanPrice {
//!     cents: i128,
//!     pieces: i128,
//! }
//!
//! /// Mean price of a piece, in cents.
//! #[unskew::aggregate]
//! impl MeanPrice {
//!     fn update(&mut self, cents: i64, pieces: Option<i64>) {
//!         self.cents += i128::from(cents);
//!         self.pieces += i128::from(pieces.unwrap_or(1));
//!     }
//!
//!     fn merge(&mut self, other: &Self) {
//!         self.cents += other.cents;
//!         self.pieces += other.pieces;
//!     }
//!
//!     fn finish(&self) -> Option<f64> {
//!         (self.pieces > 0).then(|| self.cents as f64 / self.pieces as f64)
//!     }
//! }
//!
//! unskew::module!(name = "shop", aggregates = [MeanPrice]);
//! # fn main() {}
//! ```
//!
//! Its name is that of the struct in snake case (`mean_price`), its inputs
//! are the arguments of `update`. `Default` is the state of no rows. A state
//! must be a function of which rows it has taken, not of their order or
//! grouping. Sums of floats are not, so sum integers, decimals, or floats in
//! an [`ExactSum`], which rounds once, when it is asked for its value:
//!
//! ```
//! use unskew::ExactSum;
//!
//! #[derive(Default, unskew::State)]
//! struct WeightedMean {
//!     total: ExactSum,
//!     weights: ExactSum,
//! }
//!
//! /// Mean of `x`, weighted.
//! #[unskew::aggregate]
//! impl WeightedMean {
//!     fn update(&mut self, x: f64, weight: f64) {
//!         self.total.add(x * weight);
//!         self.weights.add(weight);
//!     }
//!
//!     fn merge(&mut self, other: &Self) {
//!         self.total.merge(&other.total);
//!         self.weights.merge(&other.weights);
//!     }
//!
//!     fn subtract(&mut self, other: &Self) {
//!         self.total.subtract(&other.total);
//!         self.weights.subtract(&other.weights);
//!     }
//!
//!     fn finish(&self) -> Option<f64> {
//!         let weight = self.weights.value();
//!         (weight != 0.0).then(|| self.total.value() / weight)
//!     }
//! }
//!
//! unskew::module!(name = "shop", aggregates = [WeightedMean]);
//! # fn main() {}
//! ```
//!
//! Maps and sets must be ordered ones (`BTreeMap`, `BTreeSet`), or [`PinnedMap`]
//! and [`PinnedSet`], which hash with [`pinned_hash`] and are quicker where
//! there are many keys.
//!
//! # Definitions
//! What is served of them, for whom and over which windows is defined beside
//! them: see [`definition`].
//!
//! `update`, `merge` and `subtract` may return a `Result<(), E>`, and `finish`
//! one of its value. A row whose `update` fails counts for nothing.

mod aggregate;
mod buffer;
mod calendar;
mod cell;
mod column;
mod decimal;
pub mod definition;
mod embedding;
mod guest;
mod list;
mod log;
mod manifest;
mod output;
mod pinned;
mod record;
mod reply;
mod request;
mod state;
mod text;
mod transform;

pub use calendar::{Date, Timestamp};
pub use column::Column;
pub use decimal::Decimal;
pub use list::{List, Uint8List};
pub use log::{Level, log};
pub use pinned::{PinnedHasher, PinnedMap, PinnedSet};
pub use state::{State, StateError, StateReader, StateWriter, decode_state, encode_state};
pub use unskew_aggregate::{ExactSum, pinned_hash};
pub use unskew_macros::{Outputs, State, Struct, aggregate, module, transform};

/// What the macros' code uses. Not for other use, and without any promise.
#[doc(hidden)]
pub mod __private {
    pub use crate::aggregate::{
        Aggregate, Done, Finished, combine_states, finish_states, fold_rows,
    };
    pub use crate::cell::{Argument, Cell, Item, Scalar, Typed};
    pub use crate::column::{BatchArgument, open_batch, open_column};
    #[cfg(target_arch = "wasm32")]
    pub use crate::guest::{
        Returned as ReturnedToHost, evaluate, manifest as return_manifest, realloc,
    };
    pub use crate::manifest::{Manifest, Signature};
    pub use crate::output::{Output, Outputs, Returned, Value, describe_output};
    pub use crate::record::{Record, RecordWriter, write_field_type};
    pub use crate::reply::Reply;
    pub use crate::request::Request;
    pub use crate::transform::{
        BatchReturned, Transform, check_names, check_output_names, for_each_row, no_such_function,
        write_batch,
    };
}
