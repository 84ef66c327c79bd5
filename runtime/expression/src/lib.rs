//! SQL expressions: text over the columns of a view in, a typed expression
//! out, which is evaluated on batches of rows with an error for each row that
//! fails.
//!
//! A text is parsed, typed and lowered **once**, by [`SqlExpression::analyze`],
//! and never passed through an optimizer. Each of its operations is one
//! DataFusion physical expression over the values of its operands; what stands
//! between them is ours, because it must say what becomes of a single row:
//! which rows a side of AND, a branch of CASE or an argument of COALESCE is
//! evaluated for, and which rows have failed. So a row yields what it yields
//! alone, whatever it is batched with.
//!
//! `docs/sql.md` says what is accepted and what it means. This room is the only
//! one that names DataFusion's expressions; it has no clock, no files and no
//! randomness, and neither have the functions that it accepts.
//!
//! ```
//! use unskew_definition::{DataType, Field, Name};
//! use unskew_expression::{NoFunctions, SqlExpression};
//!
//! let name = |text| Name::new(text).unwrap();
//! let columns = [
//!     Field { name: name("amount"), data_type: DataType::Float64, nullable: true },
//!     Field { name: name("quantity"), data_type: DataType::Int64, nullable: false },
//! ];
//! let worth = SqlExpression::analyze("amount * quantity", &columns, &NoFunctions).unwrap();
//! assert_eq!(worth.columns(), [0, 1]);
//! assert_eq!(worth.data_type(), &DataType::Float64);
//! assert!(worth.nullable());
//! ```

mod allowed;
mod canonical;
mod catalog;
mod error;
mod evaluate;
mod expression;
mod lower;
mod native;
mod operation;
mod parse;
mod reference;
mod representation;
mod rows;
mod tree;

/// The version of DataFusion, whose functions expressions call: a part of what
/// decides values.
pub const DATAFUSION_VERSION: &str = "55.2.0";

pub use allowed::built_in_functions;
pub use catalog::{
    Callable, FunctionCatalog, FunctionRef, KernelCatalog, NoFunctions, NoReferences,
    ReferenceResolver,
};
pub use error::{BindError, ExpressionError};
pub use expression::{BoundExpression, FieldPath, SqlExpression};
