//! Folds of rows into one value, in pieces that can be merged.

use std::convert::Infallible;
use std::fmt::Display;

use crate::cell::Cell;
use crate::column::Row;
use crate::guest;
use crate::manifest::Signature;
use crate::output::{ColumnWriter, Output, Returned};
use crate::reply::{ENTRY_BYTES, Errors, Reply, Span};
use crate::request::Request;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::text::BytesWriter;
use crate::transform::write_rows;

/// A type with `#[unskew::aggregate]` on one of its `impl` blocks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "not an aggregate",
    note = "give the `impl` block with its `update`, `merge` and `finish` the attribute #[unskew::aggregate]"
)]
pub trait Aggregate: State + Default {
    /// Its name in the manifest.
    const NAME: &'static str;
    /// What it computes.
    const DESCRIPTION: &'static str;
    /// Whether `subtract` undoes `merge`.
    const SUBTRACTS: bool;

    /// Adds its inputs and its output.
    fn describe(signature: &mut Signature<'_>);

    /// Folds rows into one state for each group.
    fn call_partial(request: &mut Request<'_>, reply: &mut Reply);

    /// Merges states in pairs.
    fn call_merge(request: &mut Request<'_>, reply: &mut Reply);

    /// Takes the right states out of the left ones.
    fn call_subtract(request: &mut Request<'_>, reply: &mut Reply);

    /// Turns states into values.
    fn call_finish(request: &mut Request<'_>, reply: &mut Reply);
}

/// What `update`, `merge` and `subtract` return: nothing, or a [`Result`]
/// where they can fail.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what `update`, `merge` or `subtract` can return",
    label = "neither nothing nor a Result",
    note = "they change `self` and return nothing, or a Result<(), E: Display> where they can fail"
)]
pub trait Done {
    /// Why it failed.
    type Error: Display;
    /// Whether it can.
    const CAN_FAIL: bool;

    /// Nothing, or why it failed.
    fn into_result(self) -> Result<(), Self::Error>;
}

impl Done for () {
    type Error = Infallible;
    const CAN_FAIL: bool = false;

    fn into_result(self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl<E: Display> Done for Result<(), E> {
    type Error = E;
    const CAN_FAIL: bool = true;

    fn into_result(self) -> Self {
        self
    }
}

/// What `finish` returns: one [`Output`], or a [`Result`] of one.
pub trait Finished: Returned<Columns: Output> {}
impl<T: Returned<Columns: Output>> Finished for T {}

/// Folds every row into the state of its group, the last column of the
/// request. A row that fails leaves its state as it was.
#[inline(always)]
pub fn fold_rows<S: Aggregate, R: Done>(
    request: &mut Request<'_>,
    reply: &mut Reply,
    mut update: impl FnMut(&mut S, &Row) -> R,
) {
    let rows = request.rows();
    request.column_without_nulls(rows);
    let groups: &[u32] = request.values(rows);
    let mut states: Vec<S> = (0..request.groups()).map(|_| S::default()).collect();
    let mut errors = Errors::default();
    let mut taken = Taken::new(R::CAN_FAIL, rows, states.len());
    for (row, &group) in groups.iter().enumerate() {
        guest::set_row(row);
        let Some(state) = states.get_mut(group as usize) else { no_such_group(group) };
        // SAFETY: the row is below `rows`.
        match update(state, &unsafe { Row::new(row) }).into_result() {
            Ok(()) => taken.add(row, group),
            Err(error) => {
                errors.push(row, &error);
                *state = S::default();
                for row in taken.of(group) {
                    // SAFETY: as above. It has succeeded from this state before.
                    let again = update(state, &unsafe { Row::new(row) }).into_result();
                    assert!(again.is_ok(), "update is not a function of its row and state");
                }
            }
        }
    }
    guest::leave_row();
    write_states(reply, states.len(), errors, |i, writer| {
        states[i].encode(writer);
        Ok::<_, Infallible>(())
    });
}

/// The rows that each group has taken so far. A failed `update` may have
/// changed its state already; these rows, taken again, give it back. Nothing
/// is kept where `update` cannot fail.
struct Taken {
    is_kept: bool,
    /// For each row the one that its group took before.
    before: Vec<u32>,
    /// For each group the last row that it took.
    last: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

impl Taken {
    fn new(is_kept: bool, rows: usize, groups: usize) -> Self {
        let (rows, groups) = if is_kept { (rows, groups) } else { (0, 0) };
        Self { is_kept, before: vec![NO_ROW; rows], last: vec![NO_ROW; groups] }
    }

    #[inline(always)]
    fn add(&mut self, row: usize, group: u32) {
        if self.is_kept {
            self.before[row] = self.last[group as usize];
            self.last[group as usize] = row as u32;
        }
    }

    fn of(&self, group: u32) -> impl Iterator<Item = usize> + use<> {
        let mut rows = Vec::new();
        let mut row = self.last[group as usize];
        while row != NO_ROW {
            rows.push(row as usize);
            row = self.before[row as usize];
        }
        rows.into_iter().rev()
    }
}

#[cold]
#[inline(never)]
fn no_such_group(group: u32) -> ! {
    panic!("the host sent a row for group {group}, which is not below the number of groups")
}

/// Merges or subtracts states in pairs, the two columns of the request.
#[inline(always)]
pub fn combine_states<S: Aggregate, R: Done>(
    request: &mut Request<'_>,
    reply: &mut Reply,
    mut combine: impl FnMut(&mut S, S) -> R,
) {
    let rows = request.rows();
    let left = open_states(request, rows);
    let right = open_states(request, rows);
    write_states(reply, rows, Errors::default(), |row, writer| {
        guest::set_row(row);
        let decoded = left(row).and_then(|left| Ok((left, right(row)?)));
        let (mut left, right): (S, S) = decoded.map_err(Failure::State)?;
        combine(&mut left, right).into_result().map_err(Failure::User)?;
        left.encode(writer);
        Ok::<_, Failure<R::Error>>(())
    });
    guest::leave_row();
}

/// Turns states, the column of the request, into values.
#[inline(always)]
pub fn finish_states<S: Aggregate, R: Finished>(
    request: &mut Request<'_>,
    reply: &mut Reply,
    mut finish: impl FnMut(S) -> R,
) {
    let rows = request.rows();
    let states = open_states(request, rows);
    write_rows(rows, reply, |row| {
        guest::set_row(row);
        let state = states(row).map_err(Failure::State)?;
        finish(state).into_row().map_err(Failure::User)
    });
    guest::leave_row();
}

enum Failure<E> {
    State(StateError),
    User(E),
}

impl<E: Display> Display for Failure<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::State(error) => error.fmt(f),
            Self::User(error) => error.fmt(f),
        }
    }
}

/// Reads states of the next column.
fn open_states<'a, S: State>(
    request: &mut Request<'a>,
    rows: usize,
) -> impl Fn(usize) -> Result<S, StateError> + use<'a, S> {
    request.column_without_nulls(rows);
    let view = <&[u8] as Cell<'a>>::open(request, rows);
    move |row| {
        debug_assert!(row < rows);
        // SAFETY: callers stay below the number of rows.
        StateReader::read(unsafe { <&[u8] as Cell<'a>>::get(&view, row) })
    }
}

const STATES_TABLE_BYTES: usize = 2 * ENTRY_BYTES + BytesWriter::TABLE_BYTES;

/// Writes a column of states, and the rows that failed: of the batch, where
/// they are given, or of the states, where `encode` fails.
fn write_states<E: Display>(
    reply: &mut Reply,
    count: usize,
    mut errors: Errors,
    mut encode: impl FnMut(usize, &mut StateWriter<'_>) -> Result<(), E>,
) {
    reply.begin(count, STATES_TABLE_BYTES, BytesWriter::fixed_bytes(count));
    let mut column = BytesWriter::begin(reply, count);
    for i in 0..count {
        if let Err(error) = encode(i, &mut StateWriter::new(column.bytes())) {
            errors.push(i, &error);
        }
        column.end_row(i);
    }
    reply.node(count, 0);
    reply.buffer(Span::NONE);
    column.end(reply, count);
    reply.end(errors);
}
