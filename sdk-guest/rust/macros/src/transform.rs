//! `#[unskew::transform]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, Type, Visibility, parse_quote};

use crate::attribute::{Options, conditions, description};
use crate::function::{self, Form, Input};
use crate::module::check_listed;
use crate::name::{Name, check_distinct};

const WHAT: &str = "a transform";

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse2::<ItemFn>(item.clone()) {
        Ok(mut function) => {
            let generated = transform(attribute, &mut function);
            quote! { #function #generated }
        }
        Err(error) => {
            let error = Error::new(error.span(), "#[unskew::transform] belongs on a function")
                .into_compile_error();
            quote! { #error #item }
        }
    }
}

fn transform(attribute: TokenStream, function: &mut ItemFn) -> TokenStream {
    if let Some(receiver) = function.sig.receiver() {
        let error = Error::new_spanned(
            receiver,
            "a transform is a function without `self`: it must depend on its columns alone",
        );
        return error.into_compile_error();
    }
    let ident = function.sig.ident.clone();
    let parts = parts(attribute, function);
    let conditions = conditions(&function.attrs);
    let visibility = at_most_crate(&function.vis);
    let check = check_listed("this_transform_is_not_listed_in_unskew_module", &ident, &conditions);
    // After an error the rest is made all the same, so that it is the only one.
    let error = parts.as_ref().err().map(Error::to_compile_error);
    let Parts { name, described, describe, call } = parts.unwrap_or_else(|_| Parts {
        name: ident.to_string(),
        described: String::new(),
        describe: quote!(let _ = signature;),
        call: quote!(let _ = (request, reply);),
    });
    quote! {
        #error

        #(#conditions)*
        #[allow(non_camel_case_types, dead_code)]
        #[doc(hidden)]
        #visibility struct #ident {}

        #check

        #(#conditions)*
        impl ::unskew::__private::Transform for #ident {
            const NAME: &'static str = #name;
            const DESCRIPTION: &'static str = #described;

            fn describe(signature: &mut ::unskew::__private::Signature<'_>) {
                #describe
            }

            // One function for each in the module, not one for all of them.
            #[inline(never)]
            fn call(
                request: &mut ::unskew::__private::Request<'_>,
                reply: &mut ::unskew::__private::Reply,
            ) {
                #call
            }
        }
    }
}

/// What differs between transforms.
struct Parts {
    name: String,
    described: String,
    describe: TokenStream,
    call: TokenStream,
}

fn parts(attribute: TokenStream, function: &mut ItemFn) -> Result<Parts> {
    let parse = |input: syn::parse::ParseStream<'_>| {
        Options::parse(input, "#[unskew::transform]", &["name", "output", "outputs", "batch"])
    };
    let options = parse.parse2(attribute);
    let form = match &options {
        Ok(Options { batch: Some(_), .. }) => Form::Batch,
        _ => Form::Row,
    };
    // Before any return, since it also takes the attributes of arguments away.
    let inputs = function::inputs(&mut function.attrs, &mut function.sig, form);
    let options = options?;
    function::check_plain(&function.sig, WHAT)?;
    let inputs = inputs?;
    let returned = function::returned(&function.sig, WHAT, form)?;
    let name = match &options.name {
        Some(name) => name.clone(),
        None => Name::of_ident(&function.sig.ident)?,
    };
    let outputs = output_names(&options, &name, &returned)?;
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
    let describe = describe(&inputs, &returned, &outputs, form);
    Ok(Parts { name: name.text, described: description(&function.attrs), describe, call })
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

fn describe(inputs: &[Input], returned: &Type, outputs: &[String], form: Form) -> TokenStream {
    let count = outputs.len();
    let inputs = inputs.iter().map(|Input { name, ty }| {
        let name = &name.text;
        let method = match form {
            Form::Row => quote_spanned!(ty.span() => input),
            Form::Batch => quote_spanned!(ty.span() => batch_input),
        };
        quote_spanned! { ty.span() => signature.#method::<#ty>(#name); }
    });
    let columns = match form {
        Form::Row => quote_spanned! { returned.span() =>
            <#returned as ::unskew::__private::Returned>::Columns
        },
        Form::Batch => quote_spanned! { returned.span() =>
            <#returned as ::unskew::__private::BatchReturned>::Columns
        },
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
    let open = inputs.iter().map(Input::open);
    quote! {
        #(let #columns = #open;)*
        ::unskew::__private::for_each_row(request, reply, |row| #ident(#(#columns.get(row)),*));
    }
}

fn batch_call(function: &ItemFn, inputs: &[Input], returned: &Type) -> TokenStream {
    let ident = &function.sig.ident;
    let name = ident.to_string();
    let columns: Vec<_> = (0..inputs.len()).map(|i| format_ident!("column_{i}")).collect();
    let open = inputs.iter().map(Input::open_batch);
    quote! {
        #(let #columns = #open;)*
        let returned: #returned = #ident(#(#columns),*);
        ::unskew::__private::write_batch(#name, request, reply, returned);
    }
}
