//! Write Unskew transforms and aggregates in Rust.

mod aggregate;
mod buffer;
mod calendar;
mod cell;
mod column;
mod decimal;
mod embedding;
mod guest;
mod list;
mod log;
mod manifest;
mod output;
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
pub use state::{State, StateError, StateReader, StateWriter, decode_state, encode_state};
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
