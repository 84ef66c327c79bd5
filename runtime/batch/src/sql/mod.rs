//! SQL queries over files, in which functions of modules are called by name.
//!
//! A [`SqlSession`] is a DataFusion session with our functions in it: the
//! transforms of modules as scalar functions, their aggregates and the built-in
//! ones as aggregate functions, the functions of SQL expressions where
//! DataFusion lacks them. Each is an adaptor over the very object by which
//! views are evaluated, so a query gives the bits that `unskew run` and
//! `unskew train` give. What hangs on the time or on chance is taken out.
//!
//! SQL has no place for the error of a single row: such a row yields null (or a
//! default), and is counted in [`RowFailures`]; or the query ends at it.

mod aggregate_function;
mod argument;
mod built_in_aggregate;
mod error;
mod expression_function;
mod file_table;
mod group_states;
mod infer_types;
mod kernel_accumulator;
mod parquet_table;
mod query;
mod row_failures;
mod session;
mod source_table;
mod statement;
mod table_files;
mod transform_function;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use unskew_executor::{ErrorPolicy, TransformKernel};

pub use error::SqlError;
pub use query::{QueryColumn, QueryRows};
pub use row_failures::{FailuresOfFunction, FunctionDefault, RowFailures};
pub use session::{FunctionName, SqlOptions, SqlSession, Statement};

/// A transform as a function of any DataFusion session, called `name`: a row
/// that fails yields null and is counted in `failures`.
pub fn scalar_function(
    name: &str,
    kernel: Arc<dyn TransformKernel>,
    failures: &RowFailures,
) -> Result<ScalarUDF, SqlError> {
    let policy = ErrorPolicy::default();
    let (name, label) = (name.to_owned(), name.to_owned());
    let function =
        transform_function::TransformFunction::new(name, label, kernel, policy, failures.clone());
    function.map(ScalarUDF::new_from_impl).map_err(SqlError::of)
}
