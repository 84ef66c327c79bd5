//! Columns of values: their form as text ([`text`]), and how a column of one
//! type becomes one of another without loss ([`Conversion`]).
//!
//! Every room that takes a value from outside or hands one on does it by these
//! rules, so that a value means the same everywhere. This room knows types and
//! values, not views or transforms. Stores keep rows as bytes ([`row`]).

mod arrow_name;
mod conversion;
pub mod row;
pub mod text;

pub use arrow_name::arrow_name;
pub use conversion::{Conversion, Converted, InputFault, converts, with_nulls};
