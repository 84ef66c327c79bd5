//! `#[unskew::aggregate]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{
    Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Receiver, Result, ReturnType, Type,
};

use crate::attribute::{Options, conditions, description};
use crate::function::{self, Form, Input};
use crate::module::check_listed;
use crate::name::{Name, snake_case};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(mut block) => {
            let generated =
                aggregate(attribute, &mut block).unwrap_or_else(|error| error.into_compile_error());
            quote! { #block #generated }
        }
        Err(error) => {
            let error = Error::new(error.span(), "#[unskew::aggregate] belongs on an `impl` block")
                .into_compile_error();
            quote! { #error #item }
        }
    }
}

fn aggregate(attribute: TokenStream, block: &mut ItemImpl) -> Result<TokenStream> {
    // First, since it also takes the attributes of arguments away.
    let inputs = update_inputs(block);
    let parse = |input: ParseStream<'_>| {
        Options::parse(input, "#[unskew::aggregate]", &["name", "output", "description"])
    };
    let options = parse.parse2(attribute)?;
    let ident = type_name(block)?;
    let inputs = inputs?;
    let update = method(block, "update", true)?;
    let merge = method(block, "merge", true)?;
    let finish = method(block, "finish", false)?;
    let subtract = match find(block, "subtract") {
        Some(_) => Some(method(block, "subtract", true)?),
        None => None,
    };
    function::check_plain(&update.sig, "`update`")?;
    if let Some(extra) = finish.sig.inputs.iter().nth(1) {
        return Err(Error::new_spanned(extra, "`finish` takes nothing but `self`"));
    }
    let returned = function::returned(&finish.sig, "`finish`", Form::Row)?;
    if let Type::Tuple(tuple) = &returned {
        return Err(Error::new_spanned(
            tuple,
            "an aggregate has one output: return one value, or a struct with #[derive(unskew::Struct)]",
        ));
    }

    let name = match &options.name {
        Some(name) => name.text.clone(),
        None => snake_case(&Name::of_ident(&ident)?.text),
    };
    let output = options.output.as_ref().map_or(&name, |output| &output.text);
    let described = match &options.description {
        Some(text) => text.value(),
        None => description(&block.attrs),
    };
    let conditions = conditions(&block.attrs);
    let check = check_listed("this_aggregate_is_not_listed_in_unskew_module", &ident, &conditions);
    let describe = inputs.iter().map(|Input { name, ty }| {
        let name = &name.text;
        quote_spanned! { ty.span() => signature.input::<#ty>(#name); }
    });
    let subtracts = subtract.is_some();
    let partial = partial(&inputs);
    let merge = combine(merge)?;
    let subtract = match subtract {
        Some(method) => combine(method)?,
        None => quote! {
            let _ = (request, reply);
            ::unskew::__private::no_such_function("subtract of an aggregate that has none", 0)
        },
    };
    let span = returned.span();
    let columns = quote_spanned! { span => <#returned as ::unskew::__private::Returned>::Columns };
    let aggregate = quote_spanned! { ident.span() => ::unskew::__private::Aggregate };
    Ok(quote! {
        #check

        #(#conditions)*
        impl #aggregate for #ident {
            const NAME: &'static str = #name;
            const DESCRIPTION: &'static str = #described;
            const SUBTRACTS: bool = #subtracts;

            fn describe(signature: &mut ::unskew::__private::Signature<'_>) {
                #(#describe)*
                signature.output::<#columns>(#output);
            }

            #[inline(never)]
            fn call_partial(
                request: &mut ::unskew::__private::Request<'_>,
                reply: &mut ::unskew::__private::Reply,
            ) {
                #partial
            }

            #[inline(never)]
            fn call_merge(
                request: &mut ::unskew::__private::Request<'_>,
                reply: &mut ::unskew::__private::Reply,
            ) {
                #merge
            }

            #[inline(never)]
            fn call_subtract(
                request: &mut ::unskew::__private::Request<'_>,
                reply: &mut ::unskew::__private::Reply,
            ) {
                #subtract
            }

            #[inline(never)]
            fn call_finish(
                request: &mut ::unskew::__private::Request<'_>,
                reply: &mut ::unskew::__private::Reply,
            ) {
                ::unskew::__private::finish_states::<Self, _>(request, reply, |state| {
                    // `finish` may take `self` in any way.
                    #[allow(unused_mut)]
                    let mut state = state;
                    state.finish()
                });
            }
        }
    })
}

/// The type, which must be a plain name, so that one name stands for it.
fn type_name(block: &ItemImpl) -> Result<Ident> {
    if let Some((_, path, _)) = &block.trait_ {
        return Err(Error::new_spanned(
            path,
            "#[unskew::aggregate] belongs on the type's own `impl` block, without a trait",
        ));
    }
    if !block.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &block.generics,
            "an aggregate cannot be generic: its columns have fixed types",
        ));
    }
    if let Type::Path(path) = &*block.self_ty
        && let Some(ident) = path.path.get_ident()
    {
        return Ok(ident.clone());
    }
    Err(Error::new_spanned(&block.self_ty, "an aggregate is a struct without parameters"))
}

fn find<'a>(block: &'a ItemImpl, name: &str) -> Option<&'a ImplItemFn> {
    block.items.iter().find_map(|item| match item {
        ImplItem::Fn(method) if method.sig.ident == name => Some(method),
        _ => None,
    })
}

fn method<'a>(block: &'a ItemImpl, name: &str, changes: bool) -> Result<&'a ImplItemFn> {
    let shape = match name {
        "update" => "fn update(&mut self, ...columns)",
        "finish" => "fn finish(&self) -> type",
        "merge" => "fn merge(&mut self, other: &Self)",
        _ => "fn subtract(&mut self, other: &Self)",
    };
    let Some(method) = find(block, name) else {
        return Err(Error::new_spanned(
            &block.self_ty,
            format!("this aggregate has no `{name}` in this block: write `{shape}`"),
        ));
    };
    match method.sig.receiver() {
        None => {
            Err(Error::new_spanned(&method.sig, format!("`{name}` needs `self`: write `{shape}`")))
        }
        Some(Receiver { reference, mutability, .. })
            if changes && (reference.is_none() || mutability.is_none()) =>
        {
            Err(Error::new_spanned(
                method.sig.receiver(),
                format!("`{name}` changes the state in place: write `{shape}`"),
            ))
        }
        Some(_) => Ok(method),
    }
}

fn update_inputs(block: &mut ItemImpl) -> Result<Vec<Input>> {
    let update = block.items.iter_mut().find_map(|item| match item {
        ImplItem::Fn(method) if method.sig.ident == "update" => Some(method),
        _ => None,
    });
    match update {
        Some(update) => function::inputs(&mut update.attrs, &mut update.sig, Form::Row),
        None => Ok(Vec::new()),
    }
}

fn partial(inputs: &[Input]) -> TokenStream {
    let columns: Vec<_> = (0..inputs.len()).map(|i| format_ident!("column_{i}")).collect();
    let open = inputs.iter().map(Input::open);
    quote! {
        #(let #columns = #open;)*
        ::unskew::__private::fold_rows::<Self, _>(request, reply, |state, row| {
            state.update(#(#columns.get(row)),*)
        });
    }
}

/// `merge` and `subtract` take the other state by reference or by value.
fn combine(method: &ImplItemFn) -> Result<TokenStream> {
    let ident = &method.sig.ident;
    if let ReturnType::Type(_, ty) = &method.sig.output
        && let Type::Path(path) = &**ty
        && path.path.is_ident("Self")
    {
        return Err(Error::new_spanned(
            ty,
            format!("`{ident}` changes `self` and returns nothing, or a Result<(), E>"),
        ));
    }
    let mut others = method.sig.inputs.iter().skip(1);
    let (Some(FnArg::Typed(other)), None) = (others.next(), others.next()) else {
        return Err(Error::new_spanned(
            &method.sig,
            format!("`{ident}` takes one other state: write `fn {ident}(&mut self, other: &Self)`"),
        ));
    };
    let other = match &*other.ty {
        Type::Reference(_) => quote!(&other),
        _ => quote!(other),
    };
    Ok(quote! {
        ::unskew::__private::combine_states::<Self, _>(request, reply, |state, other| {
            state.#ident(#other)
        });
    })
}
