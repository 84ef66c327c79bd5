//! Operators over RecordBatches, one per file. Every driver (batch, stream,
//! online) evaluates features by the operators of this room, so that a row
//! yields the same value on every path.
//!
//! This room opens no file and no socket, and has no clock: rows come in as
//! arguments. Which columns feed a transform and what becomes of a row that
//! failed is decided here; how the transform is computed is the host's business.
//! The text form of values ([`text`]) is that of `unskew-column`.

mod aggregate_kernel;
mod arguments;
mod error;
mod kernel;
mod on_error;
mod row_order;
mod transform;

pub use aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
pub use arguments::ColumnMapping;
pub use error::{ArgumentError, PolicyError, TransformError};
pub use kernel::ModuleTransform;
pub use on_error::ErrorPolicy;
pub use row_order::{RowOrder, RowTie};
pub use transform::TransformOperator;
pub use unskew_column::{arrow_name, converts, text};
pub use unskew_definition::{OnError, ParseOnErrorError};
pub use unskew_host::TransformKernel;
