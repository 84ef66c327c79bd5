//! `#[derive(Struct)]`, `#[derive(Outputs)]` and `#[derive(State)]`

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Fields, GenericParam, Generics, Ident, Index, Lifetime, Member,
    Result, Type,
};

use crate::attribute::take_rename;
use crate::name::{Name, check_distinct};

/// A struct with named fields.
struct Named {
    ident: Ident,
    generics: Generics,
    fields: Vec<(Ident, Type)>,
    names: Vec<String>,
}

impl Named {
    fn parse(input: TokenStream, derive: &str) -> Result<Self> {
        let input: DeriveInput = syn::parse2(input)?;
        for parameter in &input.generics.params {
            if !matches!(parameter, GenericParam::Lifetime(_)) {
                return Err(Error::new_spanned(
                    parameter,
                    format!(
                        "#[derive({derive})] needs a struct without type parameters: columns have fixed types"
                    ),
                ));
            }
        }
        if input.generics.lifetimes().count() > 1 {
            return Err(Error::new_spanned(
                &input.generics,
                format!(
                    "#[derive({derive})] needs a struct with one lifetime at most: all that it borrows is of one batch"
                ),
            ));
        }
        let Data::Struct(data) = input.data else {
            return Err(Error::new_spanned(
                &input.ident,
                format!("#[derive({derive})] belongs on a struct"),
            ));
        };
        let Fields::Named(found) = data.fields else {
            return Err(Error::new_spanned(
                &input.ident,
                format!(
                    "#[derive({derive})] needs a struct with named fields: their names become the columns'"
                ),
            ));
        };
        if found.named.is_empty() {
            return Err(Error::new_spanned(
                &input.ident,
                format!("#[derive({derive})] needs at least one field"),
            ));
        }
        let mut fields = Vec::new();
        let mut names = Vec::new();
        for mut field in found.named {
            let ident = field.ident.expect("fields are named");
            names.push(match take_rename(&mut field.attrs)? {
                Some(name) => name,
                None => Name::of_ident(&ident)?,
            });
            fields.push((ident, field.ty));
        }
        check_distinct("fields", &names)?;
        let names = names.into_iter().map(|name| name.text).collect();
        Ok(Self { ident: input.ident, generics: input.generics, fields, names })
    }

    fn types(&self) -> Vec<&Type> {
        self.fields.iter().map(|(_, ty)| ty).collect()
    }

    fn idents(&self) -> Vec<&Ident> {
        self.fields.iter().map(|(ident, _)| ident).collect()
    }

    fn indices(&self) -> Vec<Index> {
        (0..self.fields.len()).map(Index::from).collect()
    }

    /// The functions that take places for all fields, and write them; the
    /// same for the columns of a struct as for several columns.
    fn writers(&self) -> TokenStream {
        let types = self.types();
        let indices = self.indices();
        quote! {
            fn fixed_bytes(rows: usize) -> usize {
                0_usize #(.saturating_add(<#types as ::unskew::__private::Output>::fixed_bytes(rows)))*
            }

            #[inline(always)]
            fn begin(reply: &mut ::unskew::__private::Reply, rows: usize) -> Self::Writers {
                (#(<#types as ::unskew::__private::Output>::begin(reply, rows),)*)
            }

            #[inline(always)]
            fn end(writers: Self::Writers, reply: &mut ::unskew::__private::Reply, rows: usize) {
                #(<#types as ::unskew::__private::Output>::end(writers.#indices, reply, rows);)*
            }
        }
    }
}

pub(crate) fn expand_struct(input: TokenStream) -> TokenStream {
    Named::parse(input, "unskew::Struct").map_or_else(Error::into_compile_error, |n| record(&n))
}

fn record(named: &Named) -> TokenStream {
    let Named { ident, generics, names, .. } = named;
    let (impl_generics, type_generics, _) = generics.split_for_impl();
    let (types, idents, indices) = (named.types(), named.idents(), named.indices());
    let writers = named.writers();
    let write_types = types.iter().zip(names).map(|(ty, name)| {
        quote_spanned! { ty.span() => ::unskew::__private::write_field_type::<#ty>(#name, to); }
    });
    // A struct that borrows is read from a batch that lives as long; one that
    // does not is read from any.
    let (lifetime, cell_generics) = match generics.lifetimes().next() {
        Some(own) => (own.lifetime.clone(), generics.clone()),
        None => {
            let lifetime = Lifetime::new("'batch", ident.span());
            let mut generics = generics.clone();
            generics.params.push(syn::parse_quote!(#lifetime));
            (lifetime, generics)
        }
    };
    let (cell_impl, _, _) = cell_generics.split_for_impl();
    quote! {
        impl #impl_generics ::unskew::__private::Typed for #ident #type_generics {
            fn write_type(to: &mut ::std::string::String) {
                to.push_str("struct<");
                #(#write_types)*
                to.push('>');
            }
        }

        impl #impl_generics ::unskew::__private::Record for #ident #type_generics {
            type Writers = (#(<#types as ::unskew::__private::Output>::Writer,)*);
            const TABLE_BYTES: usize = 0 #(+ <#types as ::unskew::__private::Output>::TABLE_BYTES)*;

            #writers
        }

        impl #impl_generics ::unskew::__private::Value for #ident #type_generics {
            type Writer = ::unskew::__private::RecordWriter<Self>;

            #[inline(always)]
            fn put(self, writer: &mut Self::Writer, row: usize) {
                let writers = writer.fields();
                #(::unskew::__private::Output::put(self.#idents, &mut writers.#indices, row);)*
            }

            #[inline(always)]
            fn put_nothing(writer: &mut Self::Writer, row: usize) {
                let writers = writer.fields();
                #(<#types as ::unskew::__private::Output>::put_nothing(&mut writers.#indices, row);)*
            }
        }

        impl #cell_impl ::unskew::__private::Cell<#lifetime> for #ident #type_generics
        where
            #(#types: ::unskew::__private::Argument<#lifetime>,)*
        {
            type View = (#(<#types as ::unskew::__private::Argument<#lifetime>>::View,)*);

            fn open(
                request: &mut ::unskew::__private::Request<#lifetime>,
                rows: usize,
            ) -> Self::View {
                (#(<#types as ::unskew::__private::Argument<#lifetime>>::open(request, rows),)*)
            }

            #[inline(always)]
            unsafe fn get(view: &Self::View, row: usize) -> Self {
                // SAFETY: as the caller promises.
                unsafe {
                    Self {
                        #(#idents: <#types as ::unskew::__private::Argument<#lifetime>>::get(
                            &view.#indices,
                            row,
                        ),)*
                    }
                }
            }
        }
    }
}

pub(crate) fn expand_outputs(input: TokenStream) -> TokenStream {
    Named::parse(input, "unskew::Outputs").map_or_else(Error::into_compile_error, |n| outputs(&n))
}

fn outputs(named: &Named) -> TokenStream {
    let Named { ident, generics, names, .. } = named;
    let (impl_generics, type_generics, _) = generics.split_for_impl();
    let (types, idents, indices) = (named.types(), named.idents(), named.indices());
    let writers = named.writers();
    let count = types.len();
    let describe = types.iter().zip(names).map(|(ty, name)| {
        quote_spanned! { ty.span() => ::unskew::__private::describe_output::<#ty>(#name, field); }
    });
    quote! {
        impl #impl_generics ::unskew::__private::Outputs for #ident #type_generics {
            const COUNT: usize = #count;
            const NAMED: bool = true;
            const TABLE_BYTES: usize = 0 #(+ <#types as ::unskew::__private::Output>::TABLE_BYTES)*;
            type Writers = (#(<#types as ::unskew::__private::Output>::Writer,)*);

            fn describe(_: &[&str], field: &mut dyn ::std::ops::FnMut(&str, &str, bool)) {
                #(#describe)*
            }

            #writers

            #[inline(always)]
            fn put(self, writers: &mut Self::Writers, row: usize) {
                #(::unskew::__private::Output::put(self.#idents, &mut writers.#indices, row);)*
            }

            #[inline(always)]
            fn put_nothing(writers: &mut Self::Writers, row: usize) {
                #(<#types as ::unskew::__private::Output>::put_nothing(&mut writers.#indices, row);)*
            }
        }
    }
}

pub(crate) fn expand_state(input: TokenStream) -> TokenStream {
    state(input).unwrap_or_else(Error::into_compile_error)
}

fn state(input: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "#[derive(unskew::State)] belongs on a struct; implement unskew::State by hand for others",
        ));
    };
    let ident = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Type(ty) => ty.bounds.push(syn::parse_quote!(::unskew::State)),
            GenericParam::Const(_) => {}
            GenericParam::Lifetime(lifetime) => {
                return Err(Error::new_spanned(
                    lifetime,
                    "a state outlives its batch, so it cannot borrow: hold a String, not a &str",
                ));
            }
        }
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let members: Vec<Member> = data.fields.members().collect();
    let types: Vec<&Type> = data.fields.iter().map(|field| &field.ty).collect();
    let encode = members.iter().zip(&types).map(|(member, ty)| {
        quote_spanned! { ty.span() => <#ty as ::unskew::State>::encode(&self.#member, to); }
    });
    let values: Vec<Ident> = (0..members.len()).map(|i| format_ident!("value_{i}")).collect();
    Ok(quote! {
        impl #impl_generics ::unskew::State for #ident #type_generics #where_clause {
            #[allow(unused_variables)]
            fn encode(&self, to: &mut ::unskew::StateWriter<'_>) {
                #(#encode)*
            }

            #[allow(unused_variables)]
            fn decode(
                from: &mut ::unskew::StateReader<'_>,
            ) -> ::std::result::Result<Self, ::unskew::StateError> {
                #(let #values = <#types as ::unskew::State>::decode(from)?;)*
                ::std::result::Result::Ok(Self { #(#members: #values),* })
            }
        }
    })
}
