//! From a request to a reply: the loop around a row function.

use crate::column::Row;
use crate::guest;
use crate::manifest::Signature;
use crate::output::{Outputs, Returned};
use crate::reply::{Errors, Reply};
use crate::request::Request;

/// A function with `#[unskew::transform]`. The attribute implements it on a
/// type of the function's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transform",
    label = "not a transform",
    note = "give the function the attribute #[unskew::transform]"
)]
pub trait Transform {
    /// Its name in the manifest.
    const NAME: &'static str;
    /// What it computes.
    const DESCRIPTION: &'static str;

    /// Adds its inputs and outputs.
    fn describe(signature: &mut Signature<'_>);

    /// Computes a batch.
    fn call(request: &mut Request<'_>, reply: &mut Reply);
}

/// Calls a row function for every row, and writes what it returns.
#[inline(always)]
pub fn for_each_row<R: Returned>(
    request: &Request<'_>,
    reply: &mut Reply,
    mut function: impl FnMut(&Row) -> R,
) {
    write_rows(request.rows(), reply, |row| {
        guest::set_row(row);
        // SAFETY: rows end before `request.rows()`.
        function(&unsafe { Row::new(row) })
    });
    guest::leave_row();
}

#[inline(always)]
pub(crate) fn write_rows<R: Returned>(
    rows: usize,
    reply: &mut Reply,
    mut function: impl FnMut(usize) -> R,
) {
    reply.begin(rows, R::Columns::TABLE_BYTES, R::Columns::fixed_bytes(rows));
    let mut writers = R::Columns::begin(reply, rows);
    let mut errors = Errors::default();
    for row in 0..rows {
        match function(row).into_row() {
            Ok(outputs) => outputs.put(&mut writers, row),
            Err(error) => {
                errors.push(row, &error);
                R::Columns::put_nothing(&mut writers, row);
            }
        }
    }
    R::Columns::end(writers, reply, rows);
    reply.end(errors);
}

/// What a batch transform returns: a `Vec` of what a row function returns,
/// or a tuple of `Vec`s, one for each output.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a batch transform can return",
    label = "not what a batch transform can return",
    note = "a batch transform returns a Vec with an item for each row, each item being what a row function returns, or a tuple of such Vecs"
)]
pub trait BatchReturned {
    /// The columns.
    type Columns: Outputs;

    /// Writes all rows.
    fn write(self, name: &str, rows: usize, reply: &mut Reply);
}

impl<R: Returned> BatchReturned for Vec<R> {
    type Columns = R::Columns;

    fn write(self, name: &str, rows: usize, reply: &mut Reply) {
        check_length(name, self.len(), rows);
        let mut values = self.into_iter();
        write_rows(rows, reply, |_| values.next().expect("the length was compared"));
    }
}

macro_rules! tuple_of_columns {
    ($($type:ident $at:tt),*) => {
        impl<$($type),*> BatchReturned for ($(Vec<$type>,)*)
        where
            ($($type,)*): Outputs,
        {
            type Columns = ($($type,)*);

            fn write(self, name: &str, rows: usize, reply: &mut Reply) {
                $(check_length(name, self.$at.len(), rows);)*
                let mut columns = ($(self.$at.into_iter(),)*);
                write_rows(rows, reply, |_| {
                    ($(columns.$at.next().expect("the length was compared"),)*)
                });
            }
        }
    };
}
tuple_of_columns!(A 0);
tuple_of_columns!(A 0, B 1);
tuple_of_columns!(A 0, B 1, C 2);
tuple_of_columns!(A 0, B 1, C 2, D 3);
tuple_of_columns!(A 0, B 1, C 2, D 3, E 4);
tuple_of_columns!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_of_columns!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_of_columns!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// Writes what a batch transform has returned.
pub fn write_batch<R: BatchReturned>(
    name: &str,
    request: &Request<'_>,
    reply: &mut Reply,
    returned: R,
) {
    returned.write(name, request.rows(), reply);
}

fn check_length(name: &str, found: usize, rows: usize) {
    assert!(
        found == rows,
        "the batch transform `{name}` returned {found} values for {rows} rows; return one for each"
    );
}

/// Refuses names that do not fit the outputs, when the module is compiled.
pub const fn check_output_names<T: Outputs>(names: usize) {
    assert!(
        T::NAMED || T::COUNT == names,
        "the number of names differs from the number of outputs: write #[unskew::transform(outputs = [\"...\", ...])] with one for each"
    );
}

/// Refuses two equal names in one module, when it is compiled.
pub const fn check_names(names: &[&str]) {
    let mut i = 0;
    while i < names.len() {
        let mut k = 0;
        while k < i {
            assert!(
                !equal(names[i].as_bytes(), names[k].as_bytes()),
                "two transforms or aggregates of this module have the same name: give one another with #[unskew::transform(name = \"...\")]"
            );
            k += 1;
        }
        i += 1;
    }
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// The host asked for what the manifest does not have.
#[cold]
pub fn no_such_function(export: &str, index: u32) -> ! {
    panic!("the host called `{export}` with index {index}, which the manifest does not have")
}
