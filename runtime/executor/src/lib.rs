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
mod built_in;
mod error;
mod evaluation_error;
mod evaluator;
mod feature_status;
mod fold_failures;
mod kernel;
mod merge_graph;
mod module_aggregate;
mod on_error;
pub mod point_in_time;
mod row_order;
pub mod rows;
pub mod service;
mod state_bytes;
mod steps;
pub mod stored;
pub mod tiles;
mod trailing_window;
mod transform;
mod watermark;
pub mod window;

pub use aggregate_kernel::{AggregateKernel, GroupStates, KernelError};
pub use arguments::{ColumnMapping, fitting_type};
pub use built_in::{BuiltInAggregate, BuiltInError};
pub use error::{ArgumentError, PolicyError, TransformError};
pub use evaluation_error::EvaluationError;
pub use evaluator::Evaluator;
pub use feature_status::FeatureStatus;
pub use fold_failures::FoldFailures;
pub use kernel::ModuleTransform;
pub use module_aggregate::ModuleAggregate;
pub use on_error::ErrorPolicy;
pub use row_order::{RowOrder, RowTie};
pub use state_bytes::StateBytesError;
pub use steps::{ModuleCatalog, NoModules, StepFailures, SteppedRows, StepsOperator};
pub use trailing_window::TrailingWindow;
pub use transform::TransformOperator;
pub use unskew_column::{arrow_name, converts, text};
pub use unskew_definition::{OnError, ParseOnErrorError};
pub use unskew_host::TransformKernel;
pub use watermark::{NO_WATERMARK, Watermark, WatermarkSettings, Watermarks, too_late_rows};
