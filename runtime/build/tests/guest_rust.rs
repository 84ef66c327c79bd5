//! Real builds of Rust projects: what they give, and what is said where they
//! fail.

mod projects;

use std::fs;

use projects::{LIB, built, options, project};
use unskew_build::{BuildError, Language, build, read_source_digest};

#[test]
fn the_same_sources_in_two_folders_give_the_same_bytes() {
    let (one, two) = (project("one", LIB), project("two/deeper", LIB));
    let (first, second) = (built(&one), built(&two));
    assert_eq!(first.language, Language::Rust);
    assert_eq!(first.source_digest, second.source_digest);
    assert!(first.component == second.component, "the same sources gave other bytes");
    assert_eq!(read_source_digest(&first.component), Some(first.source_digest));
    let text = String::from_utf8_lossy(&first.component);
    let here = env!("CARGO_TARGET_TMPDIR");
    assert!(!text.contains(here), "the module names the folder that it was built in");
    assert!(text.contains("src/lib.rs"), "a panic must still name its file");
}

#[test]
fn mistakes_in_the_code_are_shown() {
    let forgotten = r#"
        #[unskew::transform]
        pub fn forgotten(x: i64) -> i64 { x }
        unskew::module!(transforms = []);
    "#;
    let not_decorated = r#"
        fn plain(x: i64) -> i64 { x }
        unskew::module!(transforms = [plain]);
    "#;
    let unsupported = r#"
        #[unskew::transform]
        fn counts(x: usize) -> f64 { x as f64 }
        unskew::module!(transforms = [counts]);
    "#;
    let own_type = r#"
        pub struct Mine;
        #[unskew::transform]
        fn of_mine(x: Mine) -> f64 { 1.0 }
        #[unskew::transform]
        fn to_mine(x: i64) -> Mine { Mine }
        unskew::module!(transforms = [of_mine, to_mine]);
    "#;
    let no_state = r#"
        #[derive(Default)]
        struct Sum(i64);
        #[unskew::aggregate]
        impl Sum {
            fn update(&mut self, x: i64) { self.0 += x; }
            fn merge(&mut self, other: &Self) { self.0 += other.0; }
            fn finish(&self) -> i64 { self.0 }
        }
        unskew::module!(aggregates = [Sum]);
    "#;
    let same_name = r#"
        #[unskew::transform(name = "b")]
        fn a(x: i64) -> i64 { x }
        #[unskew::transform]
        fn b(x: i64) -> i64 { x }
        unskew::module!(transforms = [a, b]);
    "#;
    let misspelt = LIB.replace("views.map", "views.mapp");
    for (lib, parts) in [
        (misspelt.as_str(), &["mapp", "src/lib.rs:9"][..]),
        (forgotten, &["this_transform_is_not_listed_in_unskew_module", "src/lib.rs:3"]),
        (not_decorated, &["found function `plain`", "needs #[unskew::transform]"]),
        (unsupported, &["usize differs between machines", "src/lib.rs:3:22"]),
        (
            own_type,
            &[
                "`Mine` cannot be the type of an input column",
                "`Mine` is not what a transform can return",
            ],
        ),
        (
            no_state,
            &["`Sum` cannot be part of an aggregate's state", "derive(Default, unskew::State)"],
        ),
        (same_name, &["have the same name"]),
    ] {
        let error = build(&project("mistakes", lib), &options()).unwrap_err();
        assert!(matches!(error, BuildError::Compile { .. }), "{error}");
        assert!(error.is_users());
        let message = error.to_string();
        for part in parts {
            assert!(message.contains(part), "expected {part:?} in:\n{message}");
        }
    }
}

#[test]
fn code_that_makes_no_module_is_refused() {
    let dir = project("no-module", "pub fn rate(x: f64) -> f64 { x }");
    let error = build(&dir, &options()).unwrap_err();
    assert!(matches!(error, BuildError::NotAModule { .. }), "{error}");
    assert!(error.to_string().contains("unskew::module!"), "{error}");

    let imports = r#"
        #[link(wasm_import_module = "env")]
        unsafe extern "C" { fn now() -> f64; }
        #[unskew::transform]
        fn age(x: f64) -> f64 { unsafe { now() - x } }
        unskew::module!(transforms = [age]);
    "#;
    let error = build(&project("no-module", imports), &options()).unwrap_err();
    assert!(matches!(error, BuildError::ForeignImports { .. }), "{error}");
    assert!(error.to_string().contains("`now` of `env`"), "{error}");

    let binary = project("no-library", "");
    fs::remove_file(binary.join("src/lib.rs")).unwrap();
    projects::write(&binary.join("src/main.rs"), "fn main() {}");
    let error = build(&binary, &options()).unwrap_err();
    assert!(error.is_users(), "{error}");
    assert!(error.to_string().contains("lib"), "{error}");
}
