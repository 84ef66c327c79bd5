//! The signature of a user's function: its arguments as input columns.

use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Error, FnArg, GenericParam, Lifetime, Pat, PatType, Result, ReturnType, Signature, Type,
    TypeImplTrait, visit,
};

use crate::attribute::take_rename;
use crate::name::{Name, check_distinct};

/// One argument, and so one input column.
pub(crate) struct Input {
    pub(crate) name: Name,
    /// Its type, whose named lifetimes are left to inference.
    pub(crate) ty: Type,
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

/// Reads the arguments, and takes their `#[unskew(...)]` attributes away.
pub(crate) fn inputs<'a>(arguments: impl Iterator<Item = &'a mut FnArg>) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for argument in arguments {
        let argument = match argument {
            FnArg::Typed(argument) => argument,
            FnArg::Receiver(receiver) => {
                return Err(Error::new_spanned(
                    receiver,
                    "a transform is a function without `self`: it must depend on its columns alone",
                ));
            }
        };
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
        inputs.push(Input { name, ty: inferred(ty) });
    }
    let names: Vec<Name> = inputs.iter().map(|input| input.name.clone()).collect();
    check_distinct("input columns", &names)?;
    Ok(inputs)
}

/// The type that a function returns.
pub(crate) fn returned(signature: &Signature, what: &str) -> Result<Type> {
    let missing = |span: &dyn quote::ToTokens| {
        Error::new_spanned(span, format!("{what} must return a value: write `-> type`"))
    };
    match &signature.output {
        ReturnType::Default => Err(missing(&signature.ident)),
        ReturnType::Type(_, ty) => match &**ty {
            Type::Tuple(tuple) if tuple.elems.is_empty() => Err(missing(tuple)),
            ty => {
                check_type(ty, false)?;
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
