//! Exact, order-independent, mergeable aggregate states.
//!
//! A state is a function of the multiset of rows that it has seen: any order,
//! any partitioning, any tree of merges and any fast path gives the same
//! canonical bytes, which begin with the aggregate's id and a version. What
//! rounds, rounds once, when a value is asked for. `DESIGN.md`, section 6, says
//! what each aggregate means.
//!
//! This room takes values and gives states, bytes and values. It may not do
//! I/O, know of Arrow, of time or of windows, and has no dependencies: it is
//! also compiled to wasm32, where the Rust SDK offers [`ExactSum`] to users'
//! own aggregates.
//!
//! ```
//! use unskew_aggregate::{Aggregate, AggregateFunction, OrderKey, Value, ValueKind, ValueRef};
//!
//! let sum = Aggregate::new(AggregateFunction::Sum, Some(ValueKind::Float64)).unwrap();
//! let key = OrderKey { event_timestamp: 0, tie: &[] };
//! let (mut a, mut b) = (sum.empty(), sum.empty());
//! for x in [1e100, 1.0] {
//!     sum.update(&mut a, Some(ValueRef::Float(x)), key);
//! }
//! sum.update(&mut b, Some(ValueRef::Float(-1e100)), key);
//! sum.merge(&mut a, &b);
//! assert_eq!(sum.finish(&a), Ok(Some(Value::Float(1.0))));
//! ```

mod aggregate;
mod approx_distinct;
mod bytes;
mod column;
mod count_distinct;
mod exact_float;
mod exact_squares;
mod first_last;
mod function;
mod groups;
mod hash;
mod last_n;
mod min_max;
mod moments;
mod most_frequent;
mod order_key;
mod percentile;
mod quantile;
mod round;
mod runs;
mod state;
mod sum;
mod sum_bytes;
mod top_k;
mod value;
mod value_kind;
mod wide;

pub use aggregate::{Aggregate, AggregateError, OutputKind, STATE_VERSION};
pub use bytes::StateError;
pub use column::{Bitmap, Column, ColumnValues, RowKeys, Spans};
pub use exact_float::ExactSum;
pub use function::{AggregateFunction, ListSize, MAX_LIST_ITEMS};
pub use groups::GroupStates;
pub use hash::pinned_hash;
pub use order_key::OrderKey;
pub use quantile::{Quantile, QuantileError};
pub use round::nearest_float;
pub use runs::{RunTotal, extreme_of_run, percentile_of_run};
pub use state::State;
pub use sum::Overflow;
pub use value::{Value, ValueRef};
pub use value_kind::ValueKind;
