//! Types that no column can have, told by their form.
//!
//! The traits of `unskew` decide in the end, whatever a type is called. This
//! only says it in one sentence, with what to write instead, for the mistakes
//! that can be seen without them.

use syn::{Error, GenericArgument, PathArguments, Result, Type};

/// Refuses a type of which one can see that it is no column's.
pub(crate) fn check(ty: &Type) -> Result<()> {
    match ty {
        Type::Reference(reference) => {
            if let Some(mutability) = &reference.mutability {
                return Err(Error::new_spanned(
                    mutability,
                    "a column is read, not changed: take `&` without `mut`",
                ));
            }
            match &*reference.elem {
                Type::Slice(slice) => check_item(&slice.elem),
                Type::Array(_) => check(&reference.elem),
                elem => check_referenced(ty, elem),
            }
        }
        Type::Path(_) => check_path(ty),
        Type::Array(array) => match name(&array.elem) {
            Some((name, _)) if name == "f32" => Ok(()),
            _ => Err(Error::new_spanned(
                ty,
                "an array is an embedding, and so of f32: write `[f32; N]`, or `Vec<T>` for a list of others",
            )),
        },
        Type::Paren(inner) => check(&inner.elem),
        Type::Group(inner) => check(&inner.elem),
        Type::Tuple(_) => Err(Error::new_spanned(
            ty,
            "a tuple is not one column: take several arguments, or a struct with #[derive(unskew::Struct)]",
        )),
        Type::TraitObject(_) | Type::BareFn(_) | Type::Ptr(_) | Type::Never(_) | Type::Slice(_) => {
            Err(Error::new_spanned(ty, "not a type that a column can have"))
        }
        // Above all macros, which expand to who knows what.
        _ => Ok(()),
    }
}

/// The same for what a function returns: also tuples of columns, and results.
pub(crate) fn check_returned(ty: &Type, batch: bool) -> Result<()> {
    match (ty, name(ty)) {
        (Type::Paren(inner), _) => check_returned(&inner.elem, batch),
        (Type::Tuple(tuple), _) => tuple.elems.iter().try_for_each(|ty| check_returned(ty, batch)),
        (_, Some((name, arguments))) if name == "Result" => {
            arguments.first().map_or(Ok(()), |ty| check_returned(ty, batch))
        }
        (_, Some((name, arguments))) if name == "Vec" && batch => {
            arguments.first().map_or(Ok(()), |ty| check_returned(ty, false))
        }
        _ if batch => Ok(()),
        _ => check(ty),
    }
}

fn check_referenced(whole: &Type, elem: &Type) -> Result<()> {
    let instead = match name(elem) {
        Some((name, _)) => match name.as_str() {
            "String" => "&str",
            "Vec" => "a slice (`&[T]`), a Vec<T> or an unskew::List<'_, T>",
            "bool" | "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "f32"
            | "f64" => "the value itself, without `&`",
            "Option" => "Option<T> without `&`, or Option<&T>",
            _ => return Ok(()),
        },
        None => return Ok(()),
    };
    Err(Error::new_spanned(whole, format!("not a type that a column can have: take {instead}")))
}

fn check_path(ty: &Type) -> Result<()> {
    let Some((name, arguments)) = name(ty) else { return Ok(()) };
    let wrong = |what: &str| Err(Error::new_spanned(ty, what.to_owned()));
    match name.as_str() {
        "usize" => wrong("usize differs between machines: write u32 or u64"),
        "isize" => wrong("isize differs between machines: write i32 or i64"),
        "char" => wrong("a column has no `char`: write &str or String, or u32"),
        "i128" | "u128" => wrong(
            "a column's integers have at most 64 bits: write i64 or u64, or unskew::Decimal<P, S>",
        ),
        "HashMap" | "BTreeMap" => wrong(
            "a column has no maps: write a struct with #[derive(unskew::Struct)], or two lists, of keys and of values",
        ),
        "HashSet" | "BTreeSet" => wrong("a column has no sets: write Vec<T>"),
        "Option" => match arguments.first() {
            Some(inner) if self::name(inner).is_some_and(|(name, _)| name == "Option") => {
                wrong("a value is null or it is not: write one Option")
            }
            Some(inner) if self::name(inner).is_some_and(|(name, _)| name == "Result") => wrong(
                "write Result<Option<T>, E>: a row either fails or has a value, which may be null",
            ),
            Some(inner) => check(inner),
            None => Ok(()),
        },
        "Vec" | "List" => arguments.first().map_or(Ok(()), check_item),
        "Column" => {
            wrong("whole columns are for batch transforms: write #[unskew::transform(batch)]")
        }
        _ => Ok(()),
    }
}

fn check_item(item: &Type) -> Result<()> {
    let inner = match name(item) {
        Some((name, arguments)) if name == "Option" => arguments.into_iter().next(),
        _ => None,
    };
    let scalar = inner.as_ref().unwrap_or(item);
    let is_list = match scalar {
        Type::Array(_) => true,
        Type::Reference(reference) => match &*reference.elem {
            Type::Slice(slice) => !is_byte(&slice.elem),
            _ => false,
        },
        _ => match name(scalar) {
            Some((name, arguments)) if name == "Vec" => !arguments.first().is_some_and(is_byte),
            Some((name, _)) => name == "List",
            None => false,
        },
    };
    if is_list {
        return Err(Error::new_spanned(
            item,
            "the items of a list are single values: a list of lists is not a column's type",
        ));
    }
    check(item)
}

fn is_byte(ty: &Type) -> bool {
    name(ty).is_some_and(|(name, _)| name == "u8")
}

/// The last part of a path, and the types between its angle brackets.
fn name(ty: &Type) -> Option<(String, Vec<Type>)> {
    let path = match ty {
        Type::Path(path) if path.qself.is_none() => &path.path,
        Type::Paren(inner) => return name(&inner.elem),
        Type::Group(inner) => return name(&inner.elem),
        _ => return None,
    };
    let last = path.segments.last()?;
    let arguments = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((last.ident.to_string(), arguments))
}
