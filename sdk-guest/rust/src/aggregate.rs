//! Folds of rows into one value, in pieces that can be merged.

use crate::manifest::Signature;
use crate::reply::Reply;
use crate::request::Request;

/// A type with `#[unskew::aggregate]` on one of its `impl` blocks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "not an aggregate",
    note = "give the `impl` block with its `update`, `merge` and `finish` the attribute #[unskew::aggregate]"
)]
pub trait Aggregate {
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
