//! What stands in the parentheses of an attribute.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Expr, Ident, Lit, LitStr, Meta, Result, Token, bracketed};

use crate::name::Name;

/// `name = ..., output = ..., outputs = [...], batch`, each at most once.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<Name>,
    pub(crate) output: Option<Name>,
    pub(crate) outputs: Option<(Ident, Vec<Name>)>,
    pub(crate) batch: Option<Ident>,
    pub(crate) description: Option<LitStr>,
}

impl Options {
    /// Parses, where `allowed` are the keys that this attribute knows.
    pub(crate) fn parse(input: ParseStream<'_>, what: &str, allowed: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<String> = Vec::new();
        while !input.is_empty() {
            let key = Ident::parse_any(input)?;
            let text = key.to_string();
            if !allowed.contains(&text.as_str()) {
                let known = match allowed {
                    [] => "it takes none".to_owned(),
                    known => format!("known are {}", known.join(", ")),
                };
                return Err(Error::new(key.span(), format!("{what} has no `{text}`: {known}")));
            }
            if seen.contains(&text) {
                return Err(Error::new(key.span(), format!("`{text}` is given twice")));
            }
            seen.push(text.clone());
            match text.as_str() {
                "batch" => options.batch = Some(key),
                "outputs" => {
                    input.parse::<Token![=]>()?;
                    let list;
                    bracketed!(list in input);
                    let names = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?;
                    let names = names.iter().map(Name::of_literal).collect::<Result<_>>()?;
                    options.outputs = Some((key, names));
                }
                "name" => options.name = Some(Self::value(input)?),
                "output" => options.output = Some(Self::value(input)?),
                _ => {
                    input.parse::<Token![=]>()?;
                    options.description = Some(input.parse()?);
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }

    fn value(input: ParseStream<'_>) -> Result<Name> {
        input.parse::<Token![=]>()?;
        Name::of_literal(&input.parse::<LitStr>()?)
    }
}

/// The text of the doc comments among `attributes`.
pub(crate) fn description(attributes: &[Attribute]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        if !pair.path.is_ident("doc") {
            continue;
        }
        if let Expr::Lit(literal) = &pair.value
            && let Lit::Str(text) = &literal.lit
        {
            lines.extend(text.value().lines().map(|l| l.trim().to_owned()));
        }
    }
    lines.join("\n").trim().to_owned()
}

/// The `cfg` attributes, which what is made of an item must share.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|a| a.path().is_ident("cfg")).collect()
}

/// Takes `#[unskew(name = "...")]` out of `attributes`.
pub(crate) fn take_rename(attributes: &mut Vec<Attribute>) -> Result<Option<Name>> {
    let mut name = None;
    let mut kept = Vec::with_capacity(attributes.len());
    for attribute in attributes.drain(..) {
        if !attribute.path().is_ident("unskew") {
            kept.push(attribute);
            continue;
        }
        if name.is_some() {
            return Err(Error::new_spanned(attribute, "a second #[unskew(...)]; one is enough"));
        }
        let Rename(found) = attribute.parse_args()?;
        name = Some(found);
    }
    *attributes = kept;
    Ok(name)
}

struct Rename(Name);

impl Parse for Rename {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let span = input.span();
        let options = Options::parse(input, "#[unskew(...)]", &["name"])?;
        options.name.map(Self).ok_or_else(|| Error::new(span, "expected `name = \"...\"`"))
    }
}
