//! Write Unskew transforms and aggregates in Rust.

mod aggregate;
mod buffer;
mod cell;
mod column;
mod guest;
mod log;
mod manifest;
mod output;
mod reply;
mod request;
mod transform;

pub use column::Column;
pub use log::{Level, log};
pub use unskew_macros::{module, transform};

/// What the macros' code uses. Not for other use, and without any promise.
#[doc(hidden)]
pub mod __private {
    pub use crate::aggregate::Aggregate;
    pub use crate::cell::{Argument, Cell, Scalar, Typed};
    pub use crate::column::{BatchArgument, Opened};
    #[cfg(target_arch = "wasm32")]
    pub use crate::guest::{
        Returned as ReturnedToHost, evaluate, manifest as return_manifest, realloc,
    };
    pub use crate::manifest::{Manifest, Signature};
    pub use crate::output::{Output, Outputs, Returned, Value};
    pub use crate::reply::Reply;
    pub use crate::request::Request;
    pub use crate::transform::{
        BatchReturned, Transform, check_names, check_output_names, for_each_row, no_such_function,
        write_batch,
    };
}
