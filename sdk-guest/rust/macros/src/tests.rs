//! What the macros refuse, and with which words.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{aggregate, derive, module, transform};

/// The messages in what a macro has made.
fn errors(code: &TokenStream) -> Vec<String> {
    let text = code.to_string();
    text.split("compile_error ! {")
        .skip(1)
        .map(|rest| rest.split("\" }").next().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn refuses(code: TokenStream, part: &str) {
    let found = errors(&code);
    assert_eq!(found.len(), 1, "one error was expected: {found:?}");
    assert!(found[0].contains(part), "expected {part:?} in {:?}", found[0]);
}

fn on(attribute: TokenStream, item: TokenStream) -> TokenStream {
    transform::expand(attribute, item)
}

#[test]
fn functions_that_are_no_transforms_are_refused() {
    let none = TokenStream::new;
    refuses(
        on(
            none(),
            quote!(
                async fn f(x: i64) -> i64 {
                    x
                }
            ),
        ),
        "cannot be async",
    );
    refuses(
        on(
            none(),
            quote!(
                unsafe fn f(x: i64) -> i64 {
                    x
                }
            ),
        ),
        "cannot be unsafe",
    );
    refuses(
        on(
            none(),
            quote!(
                extern "C" fn f(x: i64) -> i64 {
                    x
                }
            ),
        ),
        "cannot be extern",
    );
    refuses(
        on(
            none(),
            quote!(
                fn f<T>(x: i64) -> i64 {
                    x
                }
            ),
        ),
        "cannot be generic",
    );
    refuses(
        on(
            none(),
            quote!(
                fn f<const N: usize>(x: i64) -> i64 {
                    x
                }
            ),
        ),
        "cannot be generic",
    );
    refuses(
        on(
            none(),
            quote!(
                fn f(&self, x: i64) -> i64 {
                    x
                }
            ),
        ),
        "without `self`",
    );
    refuses(
        on(
            none(),
            quote!(
                fn f(x: i64) {}
            ),
        ),
        "must return a value",
    );
    refuses(
        on(
            none(),
            quote!(
                fn f(x: i64) -> () {}
            ),
        ),
        "must return a value",
    );
    refuses(
        on(
            none(),
            quote!(
                fn f((a, b): i64) -> i64 {
                    a
                }
            ),
        ),
        "has no name for its column",
    );
    refuses(
        on(
            none(),
            quote!(
                fn f(_: i64) -> i64 {
                    1
                }
            ),
        ),
        "has no name for its column",
    );
    refuses(
        on(
            none(),
            quote!(
                fn größe(x: i64) -> i64 {
                    x
                }
            ),
        ),
        "ASCII letters",
    );
    refuses(
        on(
            none(),
            quote!(
                struct F;
            ),
        ),
        "belongs on a function",
    );
}

#[test]
fn types_that_no_column_has_are_refused() {
    for (ty, part) in [
        (quote!(usize), "u32 or u64"),
        (quote!(isize), "i32 or i64"),
        (quote!(char), "no `char`"),
        (quote!(i128), "Decimal"),
        (quote!(std::collections::HashMap<String, i64>), "no maps"),
        (quote!(BTreeSet<i64>), "no sets"),
        (quote!((i64, i64)), "several arguments"),
        (quote!(Option<Option<i64>>), "one Option"),
        (quote!(Vec<Vec<i64>>), "list of lists"),
        (quote!(Vec<Option<Vec<i64>>>), "list of lists"),
        (quote!(&[[f32; 3]]), "list of lists"),
        (quote!([f64; 3]), "of f32"),
        (quote!(&mut [f64]), "without `mut`"),
        (quote!(&String), "take &str"),
        (quote!(&Vec<f64>), "a slice"),
        (quote!(&f64), "the value itself"),
        (quote!(impl Into<f64>), "impl Trait"),
        (quote!(Box<dyn Fn()>), ""),
        (quote!(&'static str), "leave `'static` out"),
        (quote!(Column<'_, f64>), "batch"),
    ] {
        let code = on(TokenStream::new(), quote!(fn f(x: #ty) -> i64 { 1 }));
        match part {
            // Left to the traits.
            "" => assert_eq!(errors(&code), Vec::<String>::new(), "{ty}"),
            part => refuses(code, part),
        }
    }
    refuses(
        on(
            TokenStream::new(),
            quote!(
                fn f(x: i64) -> usize {
                    1
                }
            ),
        ),
        "u32 or u64",
    );
    let nested = quote!(
        fn f(x: i64) -> Result<Option<char>, String> {
            Ok(None)
        }
    );
    refuses(on(TokenStream::new(), nested), "no `char`");
    let wrong_way = quote!(
        fn f(x: i64) -> Option<Result<i64, String>> {
            None
        }
    );
    refuses(on(TokenStream::new(), wrong_way), "Result<Option<T>, E>");
}

#[test]
fn types_that_columns_have_are_taken() {
    for ty in [
        quote!(bool),
        quote!(Option<i8>),
        quote!(&str),
        quote!(&'a [u8]),
        quote!(Vec<u8>),
        quote!(Vec<Option<Vec<u8>>>),
        quote!(&[f64]),
        quote!([f32; 128]),
        quote!(&[f32; SIZE]),
        quote!(Option<unskew::List<'_, Option<&str>>>),
        quote!(my::Struct<'_>),
        quote!(unskew::Decimal<10, 2>),
    ] {
        let code = on(TokenStream::new(), quote!(fn f<'a>(x: #ty) -> i64 { 1 }));
        assert_eq!(errors(&code), Vec::<String>::new(), "{ty}");
    }
}

#[test]
fn wrong_attributes_are_refused() {
    let f = || {
        quote!(
            fn f(x: i64) -> i64 {
                x
            }
        )
    };
    let pair = || {
        quote!(
            fn f(x: i64) -> (i64, i64) {
                (x, x)
            }
        )
    };
    refuses(on(quote!(speed = 3), f()), "no `speed`: known are name, output, outputs, batch");
    refuses(on(quote!(name = "a b"), f()), "is not a name");
    refuses(on(quote!(name = "a", name = "b"), f()), "given twice");
    refuses(on(quote!(output = "a", outputs = ["b"]), f()), "keep one");
    refuses(on(TokenStream::new(), pair()), "need names");
    refuses(on(quote!(outputs = ["a"]), pair()), "1 names for the 2 values");
    refuses(on(quote!(outputs = ["a", "a"]), pair()), "two outputs are named a");
    refuses(on(quote!(output = "a"), pair()), "name each");
    refuses(
        on(
            quote!(batch),
            quote!(
                fn f() -> Vec<i64> {
                    vec![]
                }
            ),
        ),
        "needs an argument",
    );
    let renamed = quote!(
        fn f(#[unskew(name = "b")] a: i64, b: i64) -> i64 {
            a
        }
    );
    refuses(on(TokenStream::new(), renamed), "two input columns are named b");
    let unknown = quote!(
        fn f(#[unskew(column = "b")] a: i64) -> i64 {
            a
        }
    );
    refuses(on(TokenStream::new(), unknown), "no `column`: known are name");
}

#[test]
fn attributes_of_arguments_are_taken_away() {
    let code = on(
        TokenStream::new(),
        quote!(
            fn f(#[unskew(name = "amount_eur")] amount: f64) -> f64 {
                amount
            }
        ),
    );
    let text = code.to_string();
    assert!(text.starts_with("fn f (amount : f64) -> f64"), "{text}");
    assert!(text.contains(r#""amount_eur""#), "{text}");
}

#[test]
fn aggregates_that_lack_something_are_refused() {
    let on = |block| aggregate::expand(TokenStream::new(), block);
    let update = || {
        quote!(
            fn update(&mut self, x: f64) {}
        )
    };
    let merge = || {
        quote!(
            fn merge(&mut self, other: &Self) {}
        )
    };
    let finish = || {
        quote!(
            fn finish(&self) -> f64 {
                1.0
            }
        )
    };
    let block = |methods: TokenStream| quote!(impl Sum { #methods });
    let (u, m, f) = (update(), merge(), finish());
    assert_eq!(errors(&on(block(quote!(#u #m #f)))), Vec::<String>::new());
    refuses(on(block(quote!(#m #f))), "no `update`");
    refuses(on(block(quote!(#u #f))), "no `merge`");
    refuses(on(block(quote!(#u #m))), "no `finish`");
    refuses(on(block(quote!(fn update(&self, x: f64) {} #m #f))), "changes the state in place");
    refuses(on(block(quote!(fn update(x: f64) {} #m #f))), "needs `self`");
    refuses(on(block(quote!(#u fn merge(&mut self) {} #f))), "one other state");
    refuses(on(block(quote!(#u fn merge(&mut self, o: Self) -> Self { o } #f))), "returns nothing");
    refuses(on(block(quote!(#u #m fn finish(&self) {}))), "must return a value");
    refuses(on(block(quote!(#u #m fn finish(&self) -> (i64, i64) { (1, 1) }))), "one output");
    refuses(on(quote!(impl<T> Sum<T> { #u #m #f })), "cannot be generic");
    refuses(on(quote!(impl Fold for Sum { #u #m #f })), "own `impl` block");
    refuses(
        on(quote!(
            fn f() {}
        )),
        "belongs on an `impl` block",
    );
}

#[test]
fn structs_that_are_no_columns_are_refused() {
    let record = derive::expand_struct;
    refuses(
        record(quote!(
            struct S(i64);
        )),
        "named fields",
    );
    refuses(
        record(quote!(
            struct S {}
        )),
        "at least one field",
    );
    refuses(
        record(quote!(
            enum S {
                A,
            }
        )),
        "belongs on a struct",
    );
    refuses(
        record(quote!(
            struct S<T> {
                a: T,
            }
        )),
        "without type parameters",
    );
    refuses(
        record(quote!(
            struct S<'a, 'b> {
                a: &'a str,
                b: &'b str,
            }
        )),
        "one lifetime",
    );
    let twice = quote!(
        struct S {
            a: i64,
            #[unskew(name = "a")]
            b: i64,
        }
    );
    refuses(derive::expand_outputs(twice), "two fields are named a");
    refuses(
        derive::expand_state(quote!(
            struct S<'a> {
                a: &'a str,
            }
        )),
        "cannot borrow",
    );
}

#[test]
fn wrong_module_lines_are_refused() {
    refuses(module::expand(quote!(transform = [a])), "no `transform`: known are");
    refuses(module::expand(quote!(name = "a-b")), "is not a name");
    refuses(module::expand(quote!(name = "a", transforms = [b, c::d, b])), "listed twice");
    refuses(module::expand(quote!(name = "a", transforms = [], transforms = [])), "given twice");
}
