//! The signature of a user's function: its arguments as input columns.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Error, FnArg, GenericParam, Lifetime, LifetimeParam, Pat, PatType, Result,
    ReturnType, Signature, Type, TypeBareFn, TypeImplTrait, TypeReference, TypeTraitObject,
    parse_quote, visit,
};

use crate::attribute::take_rename;
use crate::column_type;
use crate::name::{Name, check_distinct};

/// One argument, and so one input column.
pub(crate) struct Input {
    pub(crate) name: Name,
    /// Its type, whose named lifetimes are left to inference.
    pub(crate) ty: Type,
}

impl Input {
    /// Reads the column of an argument of a row function.
    pub(crate) fn open(&self) -> TokenStream {
        let ty = &self.ty;
        quote_spanned! { ty.span() => ::unskew::__private::open_column::<#ty>(request) }
    }

    /// Reads the column that is an argument of a batch function.
    pub(crate) fn open_batch(&self) -> TokenStream {
        let ty = &self.ty;
        quote_spanned! { ty.span() => ::unskew::__private::open_batch::<#ty>(request) }
    }
}

/// Whether a function takes one row, or whole columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Row,
    Batch,
}

/// Refuses what cannot be called with one row.
pub(crate) fn check_plain(signature: &Signature, what: &str) -> Result<()> {
    if let Some(token) = &signature.asyncness {
        return Err(Error::new_spanned(
            token,
            format!("{what} cannot be async: a row is computed at once, without waiting"),
        ));
    }
    if let Some(token) = &signature.unsafety {
        return Err(Error::new_spanned(token, format!("{what} cannot be unsafe")));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new_spanned(abi, format!("{what} cannot be extern")));
    }
    if let Some(variadic) = &signature.variadic {
        return Err(Error::new_spanned(variadic, format!("{what} cannot be variadic")));
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            return Err(Error::new_spanned(
                parameter,
                format!("{what} cannot be generic: its columns have fixed types"),
            ));
        }
    }
    Ok(())
}

/// Reads the arguments but `self`, and takes their `#[unskew(...)]`
/// attributes away. `attributes` are the function's own.
pub(crate) fn inputs(
    attributes: &mut Vec<Attribute>,
    signature: &mut Signature,
    form: Form,
) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for argument in &mut signature.inputs {
        let FnArg::Typed(argument) = argument else { continue };
        let PatType { attrs, pat, ty, .. } = argument;
        let rename = take_rename(attrs)?;
        let name = match (rename, &**pat) {
            (Some(name), _) => name,
            (None, Pat::Ident(ident)) => Name::of_ident(&ident.ident)?,
            (None, pattern) => {
                return Err(Error::new_spanned(
                    pattern,
                    "this argument has no name for its column: write `name: type`, or #[unskew(name = \"...\")] before it",
                ));
            }
        };
        check_type(ty, true)?;
        if form == Form::Row {
            column_type::check(ty)?;
        }
        if let Some(lifetime) = unite_lifetimes(ty, inputs.len()) {
            signature.generics.params.push(GenericParam::Lifetime(LifetimeParam::new(lifetime)));
            // The name is ours, so it cannot be in what the function returns.
            attributes.push(parse_quote!(#[allow(unknown_lints, mismatched_lifetime_syntaxes)]));
        }
        inputs.push(Input { name, ty: inferred(ty) });
    }
    let names: Vec<Name> = inputs.iter().map(|input| input.name.clone()).collect();
    check_distinct("input columns", &names)?;
    Ok(inputs)
}

/// The type that a function returns.
pub(crate) fn returned(signature: &Signature, what: &str, form: Form) -> Result<Type> {
    let missing = |span: &dyn quote::ToTokens| {
        Error::new_spanned(span, format!("{what} must return a value: write `-> type`"))
    };
    match &signature.output {
        ReturnType::Default => Err(missing(&signature.ident)),
        ReturnType::Type(_, ty) => match &**ty {
            Type::Tuple(tuple) if tuple.elems.is_empty() => Err(missing(tuple)),
            ty => {
                check_type(ty, false)?;
                column_type::check_returned(ty, form == Form::Batch)?;
                Ok(inferred(ty))
            }
        },
    }
}

fn check_type(ty: &Type, is_input: bool) -> Result<()> {
    struct Check {
        is_input: bool,
        error: Option<Error>,
    }
    impl<'a> Visit<'a> for Check {
        fn visit_type_impl_trait(&mut self, ty: &'a TypeImplTrait) {
            self.error = Some(Error::new_spanned(
                ty,
                "`impl Trait` is not a column's type: write the type itself",
            ));
        }

        fn visit_lifetime(&mut self, lifetime: &'a Lifetime) {
            if self.is_input && lifetime.ident == "static" {
                self.error = Some(Error::new_spanned(
                    lifetime,
                    "an argument borrows from its batch, which does not live for ever: leave `'static` out",
                ));
            }
            visit::visit_lifetime(self, lifetime);
        }
    }
    let mut check = Check { is_input, error: None };
    check.visit_type(ty);
    check.error.map_or(Ok(()), Err)
}

/// Gives one name to the elided lifetimes of an argument, where there are
/// several: all that it borrows is of one batch, and `Column<'_, &str>` is
/// what one writes.
fn unite_lifetimes(ty: &mut Type, argument: usize) -> Option<Lifetime> {
    struct Unite {
        name: Option<Lifetime>,
        count: usize,
    }
    impl VisitMut for Unite {
        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            if reference.lifetime.is_none() {
                self.count += 1;
                reference.lifetime.clone_from(&self.name);
            }
            visit_mut::visit_type_reference_mut(self, reference);
        }

        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime.ident == "_" {
                self.count += 1;
                if let Some(name) = &self.name {
                    *lifetime = name.clone();
                }
            }
        }

        // The elided lifetimes of these are their own.
        fn visit_type_bare_fn_mut(&mut self, _: &mut TypeBareFn) {}
        fn visit_type_trait_object_mut(&mut self, _: &mut TypeTraitObject) {}
    }
    let mut count = Unite { name: None, count: 0 };
    count.visit_type_mut(ty);
    if count.count < 2 {
        return None;
    }
    let name = Lifetime::new(&format!("'batch_{argument}"), Span::mixed_site());
    Unite { name: Some(name.clone()), count: 0 }.visit_type_mut(ty);
    Some(name)
}

/// The type with every lifetime but `'static` left to inference.
fn inferred(ty: &Type) -> Type {
    struct Infer;
    impl VisitMut for Infer {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime.ident != "static" {
                *lifetime = Lifetime::new("'_", lifetime.span());
            }
            visit_mut::visit_lifetime_mut(self, lifetime);
        }
    }
    let mut ty = ty.clone();
    Infer.visit_type_mut(&mut ty);
    ty
}
