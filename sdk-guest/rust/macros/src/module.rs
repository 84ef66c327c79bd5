//! `unskew::module!`

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, bracketed};

use crate::name::Name;

struct Module {
    name: Name,
    description: String,
    transforms: Vec<Path>,
    aggregates: Vec<Path>,
    definitions: Option<Path>,
}

impl Parse for Module {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut name = None;
        let mut description = None;
        let mut transforms = None;
        let mut aggregates = None;
        let mut definitions = None;
        while !input.is_empty() {
            let key = Ident::parse_any(input)?;
            input.parse::<Token![=]>()?;
            let twice = match key.to_string().as_str() {
                "name" => name.replace(Name::of_literal(&input.parse::<LitStr>()?)?).is_some(),
                "description" => description.replace(input.parse::<LitStr>()?.value()).is_some(),
                "transforms" => transforms.replace(paths(input)?).is_some(),
                "aggregates" => aggregates.replace(paths(input)?).is_some(),
                "definitions" => definitions.replace(Path::parse_mod_style(input)?).is_some(),
                other => {
                    return Err(Error::new(
                        key.span(),
                        format!(
                            "unskew::module! has no `{other}`: known are name, description, transforms, aggregates, definitions"
                        ),
                    ));
                }
            };
            if twice {
                return Err(Error::new(key.span(), format!("`{key}` is given twice")));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let name = match name {
            Some(name) => name,
            None => package_name()?,
        };
        Ok(Self {
            name,
            description: description.unwrap_or_else(|| package("CARGO_PKG_DESCRIPTION")),
            transforms: transforms.unwrap_or_default(),
            aggregates: aggregates.unwrap_or_default(),
            definitions,
        })
    }
}

fn paths(input: ParseStream<'_>) -> Result<Vec<Path>> {
    let list;
    bracketed!(list in input);
    let paths = Punctuated::<Path, Token![,]>::parse_terminated_with(&list, Path::parse_mod_style)?;
    let paths: Vec<Path> = paths.into_iter().collect();
    for (i, path) in paths.iter().enumerate() {
        let text = |p: &Path| quote!(#p).to_string();
        if paths[..i].iter().any(|p| text(p) == text(path)) {
            return Err(Error::new_spanned(path, "listed twice"));
        }
    }
    Ok(paths)
}

/// What Cargo says of the package that is being compiled.
fn package(variable: &str) -> String {
    std::env::var(variable).unwrap_or_default()
}

fn package_name() -> Result<Name> {
    let text = package("CARGO_PKG_NAME").replace('-', "_");
    Name::of_literal(&LitStr::new(&text, Span::call_site())).map_err(|error| {
        Error::new(Span::call_site(), format!("{error}; or give `name = \"...\"`"))
    })
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    match syn::parse2::<Module>(input) {
        Ok(module) => code(&module),
        Err(error) => error.into_compile_error(),
    }
}

fn code(module: &Module) -> TokenStream {
    let Module { name, description, .. } = module;
    let name = &name.text;
    // Names for what is listed, so that a path that is no type is one error.
    let aliases = |kind: &str, paths: &[Path]| -> Vec<Ident> {
        let numbers = 0..paths.len();
        numbers.map(|i| format_ident!("{kind}{i}", span = Span::mixed_site())).collect()
    };
    let transforms = &aliases("UnskewTransform", &module.transforms);
    let aggregates = &aliases("UnskewAggregate", &module.aggregates);
    let (transform_paths, aggregate_paths) = (&module.transforms, &module.aggregates);
    let definitions = match &module.definitions {
        // Assigned with its type, so that a function of another is one plain error.
        Some(path) => quote_spanned! { path.span() =>
            let definitions: fn() -> ::unskew::definition::Definitions = #path;
        },
        None => quote!(let definitions = ::unskew::definition::Definitions::new;),
    };
    let exports = exports(transforms, aggregates);
    quote! {
        #(type #transforms = #transform_paths;)*
        #(type #aggregates = #aggregate_paths;)*

        // Uses what the attributes made, so that only what is not listed is unused.
        const _: () = {
            #(#transforms::this_transform_is_not_listed_in_unskew_module;)*
            #(#aggregates::this_aggregate_is_not_listed_in_unskew_module;)*
            ::unskew::__private::check_names(&[
                #(<#transforms as ::unskew::__private::Transform>::NAME,)*
                #(<#aggregates as ::unskew::__private::Aggregate>::NAME,)*
            ]);
        };

        /// The manifest of this module, as JSON.
        pub fn unskew_manifest() -> ::std::string::String {
            let mut manifest = ::unskew::__private::Manifest::new(#name, #description);
            #(manifest.transform::<#transforms>();)*
            manifest.aggregates();
            #(manifest.aggregate::<#aggregates>();)*
            #definitions
            manifest.finish(&definitions())
        }

        #exports
    }
}

/// The functions of `wit/unskew.wit`, as the canonical ABI flattens them.
///
/// There is no `cabi_post_...`: a reply's memory is used again by the next
/// call, so there is nothing to free.
fn exports(transforms: &[Ident], aggregates: &[Ident]) -> TokenStream {
    let transform_cases =
        cases(transforms.iter().map(|t| quote!(<#t as ::unskew::__private::Transform>::call)));
    let batch = |export: &str, cases: TokenStream| {
        let export_name = format!("unskew:module/evaluate@1.0.0#{export}");
        let ident = Ident::new(export, Span::call_site());
        quote! {
            #[unsafe(export_name = #export_name)]
            unsafe extern "C" fn #ident(
                index: u32,
                at: *mut u8,
                bytes: usize,
            ) -> *const ::unskew::__private::ReturnedToHost {
                unsafe {
                    ::unskew::__private::evaluate(at, bytes, |request, reply| match index {
                        #cases
                        _ => ::unskew::__private::no_such_function(#export, index),
                    })
                }
            }
        }
    };
    let transform = batch("transform", transform_cases);
    let aggregate_exports = ["partial", "merge", "subtract", "finish"].map(|export| {
        let method = Ident::new(&format!("call_{export}"), Span::call_site());
        let functions =
            aggregates.iter().map(|a| quote!(<#a as ::unskew::__private::Aggregate>::#method));
        batch(export, cases(functions))
    });
    quote! {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            #[unsafe(export_name = "cabi_realloc")]
            unsafe extern "C" fn realloc(
                old: *mut u8,
                old_bytes: usize,
                align: usize,
                bytes: usize,
            ) -> *mut u8 {
                unsafe { ::unskew::__private::realloc(old, old_bytes, align, bytes) }
            }

            #[unsafe(export_name = "unskew:module/evaluate@1.0.0#manifest")]
            extern "C" fn manifest() -> *const ::unskew::__private::ReturnedToHost {
                ::unskew::__private::return_manifest(unskew_manifest)
            }

            #transform
            #(#aggregate_exports)*
        };
    }
}

fn cases(functions: impl Iterator<Item = TokenStream>) -> TokenStream {
    let cases = functions.enumerate().map(|(i, function)| {
        let i = i as u32;
        quote!(#i => #function(request, reply),)
    });
    quote!(#(#cases)*)
}

/// A constant that only `module!` uses, so that the compiler finds what it
/// does not list. It takes the user's spans: lints are silent about the code
/// of macros.
pub(crate) fn check_listed(name: &str, ident: &Ident, conditions: &[&Attribute]) -> TokenStream {
    let name = Ident::new(name, ident.span());
    quote_spanned! { ident.span() =>
        #(#conditions)*
        impl #ident {
            #[deny(dead_code)]
            #[allow(non_upper_case_globals)]
            pub(crate) const #name: () = ();
        }
    }
}
