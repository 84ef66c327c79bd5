//! Calls of guests, each checked down to the last row.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BinaryArray, Int64Array, UInt32Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use unskew_host::{CallError, CompiledModule, Limits, Outcome, RowError};

use crate::guest::Seen;

/// The functions of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// transform 0
    Transform,
    /// `partial` of aggregate 0
    Partial,
    /// `merge` of aggregate 0
    Merge,
    /// `subtract` of aggregate 0
    Subtract,
    /// `finish` of aggregate 0
    Finish,
}

impl Function {
    pub(crate) const ALL: [Self; 5] =
        [Self::Transform, Self::Partial, Self::Merge, Self::Subtract, Self::Finish];
}

/// The value on which guests misbehave; it stands in the row of that number.
const BAD: i64 = 13;

/// One column, `x`.
pub(crate) fn numbers(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("x", column)]).expect("one column is a batch")
}

/// Calls a module with the values from 0 to `rows`. Row 13 may fail; any other
/// must yield what it does in the healthy module.
pub(crate) fn call(module: &CompiledModule, function: Function, rows: i64) -> Result<Seen> {
    let states = BinaryArray::from_iter_values((0..rows).map(i64::to_le_bytes));
    let result = match function {
        Function::Transform => module.transform(0, &numbers(0..rows), None),
        Function::Merge => module.merge(0, &states, &states),
        Function::Subtract => module.subtract(0, &states, &states),
        Function::Finish => module.finish(0, &states),
        Function::Partial => fold(module, rows),
    };
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => return Ok(Seen::Call(error)),
    };
    check_rows(&outcome, |row| match function {
        Function::Transform | Function::Merge => Some(2 * row),
        Function::Subtract => Some(0),
        Function::Finish => Some(row),
        // A row that failed counts for no state, which is then the empty one.
        Function::Partial if outcome.errors.iter().any(|e| e.row as i64 == row) => Some(0),
        Function::Partial => Some(row),
    })
}

/// `partial`, with each row in a group of its own.
fn fold(module: &CompiledModule, rows: i64) -> Result<Outcome, CallError> {
    let groups = UInt32Array::from_iter_values(0..rows as u32);
    let fold = module.partial(0, &numbers(0..rows), &groups, rows as usize)?;
    let mut errors = fold.row_errors;
    errors.extend(fold.group_errors);
    Ok(Outcome { columns: vec![Arc::new(fold.states)], errors, metrics: fold.metrics })
}

fn check_rows(outcome: &Outcome, expected: impl Fn(i64) -> Option<i64>) -> Result<Seen> {
    let limit = Limits::default().message_bytes;
    let longest = outcome.errors.iter().map(|error| error.message.len()).max().unwrap_or(0);
    ensure!(longest <= limit, "a message has {longest} bytes");
    let column = &outcome.columns[0];
    for row in 0..column.len() {
        let failed = outcome.errors.iter().any(|error| error.row == row);
        ensure!(!failed || row as i64 == BAD, "row {row} fails, too: {:?}", outcome.errors);
        let value = match column.as_binary_opt::<i32>() {
            _ if column.is_null(row) => None,
            Some(states) => Some(i64::from_le_bytes(states.value(row).try_into()?)),
            None => Some(column.as_primitive::<Int64Type>().value(row)),
        };
        let right = value == expected(row as i64) || (value.is_none() && failed);
        ensure!(right, "row {row} yields {value:?}");
    }
    match outcome.errors.as_slice() {
        [] => Ok(Seen::Harmless),
        [RowError { status, .. }] => Ok(Seen::Row(*status)),
        more => bail!("{} errors for one row", more.len()),
    }
}

/// [`call`] over 32 rows; then over those before the 13th, with which the same
/// module must be well again.
pub(crate) fn call_twice(module: &CompiledModule, function: Function) -> Result<Seen> {
    let seen = call(module, function, 32)?;
    match call(module, function, BAD)? {
        Seen::Harmless => Ok(seen),
        other => bail!("the same module fails on its next rows: {}", other.line()),
    }
}

/// Calls a module of which all rows fail, all in one way.
pub(crate) fn call_failing(module: &CompiledModule, rows: i64) -> Result<Seen> {
    let outcome = match module.transform(0, &numbers(0..rows), None) {
        Ok(outcome) => outcome,
        Err(error) => return Ok(Seen::Call(error)),
    };
    let Some(RowError { status, .. }) = outcome.errors.first() else { return Ok(Seen::Harmless) };
    let alike = outcome.errors.iter().all(|error| error.status == *status);
    let all = outcome.errors.len() as i64 == rows;
    ensure!(all && alike, "not all rows fail alike: {:?}", outcome.errors);
    ensure!(outcome.columns[0].null_count() as i64 == rows, "a failed row has a value");
    Ok(Seen::Row(*status))
}
