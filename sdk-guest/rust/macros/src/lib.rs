//! The attributes and derives of the `unskew` crate, which documents them.
//!
//! Each takes the user's item and gives it back as it was, beside the code
//! that connects it to the host. Mistakes are reported where they stand.

mod aggregate;
mod attribute;
mod column_type;
mod derive;
mod function;
mod module;
mod name;
#[cfg(test)]
mod tests;
mod transform;

use proc_macro::TokenStream;

/// Makes a function a transform.
#[proc_macro_attribute]
pub fn transform(attribute: TokenStream, item: TokenStream) -> TokenStream {
    transform::expand(attribute.into(), item.into()).into()
}

/// Makes a struct an aggregate; stands on its `impl` block.
#[proc_macro_attribute]
pub fn aggregate(attribute: TokenStream, item: TokenStream) -> TokenStream {
    aggregate::expand(attribute.into(), item.into()).into()
}

/// Lists what a module has.
#[proc_macro]
pub fn module(input: TokenStream) -> TokenStream {
    module::expand(input.into()).into()
}

/// Makes a struct the value of one column.
#[proc_macro_derive(Struct, attributes(unskew))]
pub fn derive_struct(input: TokenStream) -> TokenStream {
    derive::expand_struct(input.into()).into()
}

/// Makes a struct the outputs of a transform, a column for each field.
#[proc_macro_derive(Outputs, attributes(unskew))]
pub fn derive_outputs(input: TokenStream) -> TokenStream {
    derive::expand_outputs(input.into()).into()
}

/// Makes a struct a state of an aggregate, or a part of one.
#[proc_macro_derive(State)]
pub fn derive_state(input: TokenStream) -> TokenStream {
    derive::expand_state(input.into()).into()
}
