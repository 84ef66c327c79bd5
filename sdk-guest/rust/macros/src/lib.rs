//! The attributes and derives of the `unskew` crate, which documents them.
//!
//! Each takes the user's item and gives it back as it was, beside the code
//! that connects it to the host. Mistakes are reported where they stand.

mod attribute;
mod function;
mod module;
mod name;
mod transform;

use proc_macro::TokenStream;

/// Makes a function a transform. See the `unskew` crate.
#[proc_macro_attribute]
pub fn transform(attribute: TokenStream, item: TokenStream) -> TokenStream {
    transform::expand(attribute.into(), item.into()).into()
}

/// Lists what a module has. See the `unskew` crate.
#[proc_macro]
pub fn module(input: TokenStream) -> TokenStream {
    module::expand(input.into()).into()
}
