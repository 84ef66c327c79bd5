//! `#[unskew::transform]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, Type, Visibility, parse_quote};

use crate::attribute::{Options, conditions, description};
use crate::function::{self, Input};
use crate::name::{Name, check_distinct};

const WHAT: &str = "a transform";

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse2::<ItemFn>(item.clone()) {
        Ok(mut function) => {
            let generated = transform(attribute, &mut function).unwrap_or_else(|error| {
                // The function stays, so that this is the only error.
                error.into_compile_error()
            });
            quote! { #function #generated }
        }
        Err(error) => {
            let error = Error::new(error.span(), "#[unskew::transform] belongs on a function")
                .into_compile_error();
            quote! { #error #item }
        }
    }
}

fn transform(attribute: TokenStream, function: &mut ItemFn) -> Result<TokenStream> {
    let inputs = function::inputs(function.sig.inputs.iter_mut());
    let parse = |input: syn::parse::ParseStream<'_>| {
        Options::parse(input, "#[unskew::transform]", &["name", "output", "outputs", "batch"])
    };
    let options = parse.parse2(attribute)?;
    function::check_plain(&function.sig, WHAT)?;
    let inputs = inputs?;
    let returned = function::returned(&function.sig, WHAT)?;

    let ident = &function.sig.ident;
    let name = options.name.clone().map_or_else(|| Name::of_ident(ident), Ok)?;
    let outputs = output_names(&options, &name, &returned)?;
    let described = description(&function.attrs);
    let conditions = conditions(&function.attrs);
    let visibility = at_most_crate(&function.vis);
    let check = format_ident!("this_transform_is_not_listed_in_unskew_module", span = ident.span());
    let describe = describe(&inputs, &returned, &outputs, options.batch.is_some());
    let call = match &options.batch {
        None => row_call(function, &inputs),
        Some(batch) if inputs.is_empty() => {
            return Err(Error::new(
                batch.span(),
                "a batch transform needs an argument: the columns say how many rows there are",
            ));
        }
        Some(_) => batch_call(function, &inputs, &returned),
    };
    let name = &name.text;
    Ok(quote! {
        #(#conditions)*
        #[allow(non_camel_case_types, dead_code)]
        #[doc(hidden)]
        #visibility struct #ident {}

        #(#conditions)*
        impl #ident {
            #[deny(dead_code)]
            #[allow(non_upper_case_globals)]
            pub(crate) const #check: () = ();
        }

        #(#conditions)*
        impl ::unskew::__private::Transform for #ident {
            const NAME: &'static str = #name;
            const DESCRIPTION: &'static str = #described;

            fn describe(signature: &mut ::unskew::__private::Signature<'_>) {
                #describe
            }

            fn call(
                request: &mut ::unskew::__private::Request<'_>,
                reply: &mut ::unskew::__private::Reply,
            ) {
                #call
            }
        }
    })
}

/// The names given for the outputs. Where the returned type brings names
/// (`#[derive(unskew::Outputs)]`), these are not used.
fn output_names(options: &Options, name: &Name, returned: &Type) -> Result<Vec<String>> {
    let tuple = as_tuple(returned);
    match (&options.output, &options.outputs) {
        (Some(output), Some(_)) => {
            Err(Error::new(output.span, "`output` and `outputs` are both given; keep one"))
        }
        (Some(output), None) => match tuple {
            Some(count) => Err(Error::new(
                output.span,
                format!("{count} values are returned: name each in `outputs = [\"...\", ...]`"),
            )),
            None => Ok(vec![output.text.clone()]),
        },
        (None, Some((key, names))) => {
            check_distinct("outputs", names)?;
            if let Some(count) = tuple
                && count != names.len()
            {
                return Err(Error::new(
                    key.span(),
                    format!("{} names for the {count} values that are returned", names.len()),
                ));
            }
            Ok(names.iter().map(|name| name.text.clone()).collect())
        }
        (None, None) => match tuple {
            Some(_) => Err(Error::new_spanned(
                returned,
                "the values of a tuple need names: write #[unskew::transform(outputs = [\"...\", ...])]",
            )),
            None => Ok(vec![name.text.clone()]),
        },
    }
}

/// How many values a tuple has, also inside of a `Result` or a `Vec`.
fn as_tuple(ty: &Type) -> Option<usize> {
    match ty {
        Type::Tuple(tuple) => Some(tuple.elems.len()),
        Type::Paren(inner) => as_tuple(&inner.elem),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            if last.ident != "Result" && last.ident != "Vec" {
                return None;
            }
            let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return None;
            };
            match arguments.args.first()? {
                syn::GenericArgument::Type(inner) => as_tuple(inner),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A function that is listed is used, so it must not count as exported: the
/// compiler would no longer see that it is not listed.
fn at_most_crate(visibility: &Visibility) -> Visibility {
    match visibility {
        Visibility::Public(_) => parse_quote!(pub(crate)),
        other => other.clone(),
    }
}

fn describe(inputs: &[Input], returned: &Type, outputs: &[String], batch: bool) -> TokenStream {
    let count = outputs.len();
    let inputs = inputs.iter().map(|Input { name, ty }| {
        let name = &name.text;
        let method = if batch { quote!(batch_input) } else { quote!(input) };
        quote_spanned! { ty.span() => signature.#method::<#ty>(#name); }
    });
    let columns = if batch {
        quote_spanned! { returned.span() =>
            <#returned as ::unskew::__private::BatchReturned>::Columns
        }
    } else {
        quote_spanned! { returned.span() =>
            <#returned as ::unskew::__private::Returned>::Columns
        }
    };
    quote! {
        #(#inputs)*
        const {
            ::unskew::__private::check_output_names::<#columns>(#count);
        }
        signature.outputs::<#columns>(&[#(#outputs),*]);
    }
}

fn row_call(function: &ItemFn, inputs: &[Input]) -> TokenStream {
    let ident = &function.sig.ident;
    let columns: Vec<_> = (0..inputs.len()).map(|i| format_ident!("column_{i}")).collect();
    let types: Vec<_> = inputs.iter().map(|input| &input.ty).collect();
    quote! {
        #(let #columns = ::unskew::__private::Opened::<#types>::new(request);)*
        ::unskew::__private::for_each_row(request, reply, |row| #ident(#(#columns.get(row)),*));
    }
}

fn batch_call(function: &ItemFn, inputs: &[Input], returned: &Type) -> TokenStream {
    let ident = &function.sig.ident;
    let name = ident.to_string();
    let columns: Vec<_> = (0..inputs.len()).map(|i| format_ident!("column_{i}")).collect();
    let types = inputs.iter().map(|input| &input.ty);
    quote! {
        #(let #columns = <#types as ::unskew::__private::BatchArgument<'_>>::open(request);)*
        let returned: #returned = #ident(#(#columns),*);
        ::unskew::__private::write_batch(#name, request, reply, returned);
    }
}
