//! Operators over RecordBatches, one per file. Every driver (batch, stream,
//! online) evaluates features by the operators of this room, so that a row
//! yields the same value on every path.
//!
//! This room opens no file and no socket, and has no clock: rows come in as
//! arguments. Which columns feed a transform, how a column's type becomes an
//! argument's without loss, and what becomes of a row that failed is decided
//! here; how the transform is computed is the host's business. The text form
//! of values ([`text`]) is here, too, because all drivers share it.

mod aggregate_kernel;
mod arguments;
mod arrow_name;
mod built_in;
mod conversion;
mod error;
mod kernel;
mod merge_graph;
mod on_error;
pub mod point_in_time;
mod row_order;
mod state_bytes;
pub mod text;
pub mod tiles;
mod trailing_window;
mod transform;
mod watermark;
pub mod window;

pub use aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
pub use arguments::ColumnMapping;
pub use arrow_name::arrow_name;
pub use built_in::{BuiltInAggregate, BuiltInError};
pub use conversion::converts;
pub use error::{ArgumentError, PolicyError, TransformError};
pub use kernel::{ModuleTransform, TransformKernel};
pub use on_error::{ErrorPolicy, OnError, ParseOnErrorError};
pub use row_order::{RowOrder, RowTie};
pub use state_bytes::StateBytesError;
pub use trailing_window::TrailingWindow;
pub use transform::TransformOperator;
pub use watermark::{NO_WATERMARK, Watermark, WatermarkSettings, Watermarks, too_late_rows};
