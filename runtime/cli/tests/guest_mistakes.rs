//! Mistakes in a project that show when it is built: each says what, where and
//! what to do, with exit code 2, and leaves no module.

mod shared;

use std::fs;
use std::path::Path;

use shared::{Ran, guest_unskew, kept_project, kept_template, text};

/// Builds a kept project with `code` in `file`; it must be refused with `parts`.
#[track_caller]
fn refused(dir: &Path, file: &str, code: &str, parts: &[&str]) {
    fs::write(dir.join(file), code).unwrap();
    let module = dir.join("shop.wasm");
    let _ = fs::remove_file(&module);
    let ran = Ran::of(guest_unskew().args(["build", text(dir)])).refused(parts);
    assert_eq!(ran.stdout, "");
    assert!(!module.exists(), "a module was left");
}

/// A copy of the template that may be spoiled.
fn spoiled(lang: &str) -> std::path::PathBuf {
    let template = kept_template(lang);
    let files = ["Cargo.toml", "src/lib.rs", "pyproject.toml", "features.py", "cases.json"];
    let files: Vec<_> = files
        .iter()
        .filter_map(|file| Some(((*file).to_owned(), fs::read(template.join(file)).ok()?)))
        .collect();
    kept_project(&format!("spoiled-{lang}"), &files)
}

#[test]
fn mistakes_in_rust() {
    let dir = spoiled("rust");
    let lib = |function: &str| {
        format!("{function}\nunskew::module!(name = \"shop\", transforms = [f]);\n")
    };
    let cases: [(&str, &str, &[&str]); 4] = [
        (
            "an unsupported type",
            "#[unskew::transform]\nfn f(x: std::time::Duration) -> f64 { x.as_secs_f64() }",
            &["Duration", "src/lib.rs:2"],
        ),
        ("a syntax error", "#[unskew::transform]\nfn f(x: i64) -> i64 { x + }", &["src/lib.rs:2"]),
        ("a function without the attribute", "fn f(x: i64) -> i64 { x }", &["src/lib.rs:2"]),
        (
            "an import",
            "#[link(wasm_import_module = \"env\")]\nunsafe extern \"C\" { safe fn clock() -> i64; }\n#[unskew::transform]\nfn f(x: i64) -> i64 { x + clock() }",
            &["clock", "env", "unskew:module/log"],
        ),
    ];
    for (what, function, parts) in cases {
        println!("{what}");
        refused(&dir, "src/lib.rs", &lib(function), parts);
    }
    println!("no module");
    refused(&dir, "src/lib.rs", "pub fn f() {}", &["unskew::module!", "src/lib.rs"]);
    println!("a broken Cargo.toml");
    refused(&dir, "Cargo.toml", "[package", &["Cargo.toml", "TOML"]);
    println!("no package");
    refused(&dir, "Cargo.toml", "[workspace]\n", &["Cargo.toml", "[package]"]);
}

#[test]
fn mistakes_in_python() {
    let dir = spoiled("python");
    let module =
        |function: &str| format!("from unskew import transform\n\n@transform\n{function}\n");
    let cases: [(&str, &str, &[&str]); 2] = [
        (
            "an unsupported type hint",
            "def f(x: complex) -> float:\n    return x.real",
            &["complex", "features.py", "f"],
        ),
        ("a syntax error", "def f(x: float) -> float:\n    return x +", &["features.py", "5"]),
    ];
    for (what, function, parts) in cases {
        println!("{what}");
        refused(&dir, "features.py", &module(function), parts);
    }
    println!("an import that is not there");
    refused(&dir, "features.py", "import numpy", &["numpy", "features.py"]);
    println!("a broken pyproject.toml");
    refused(&dir, "pyproject.toml", "[project", &["pyproject.toml"]);
    println!("no name");
    refused(&dir, "pyproject.toml", "[project]\n", &["pyproject.toml", "name"]);
}

#[test]
fn a_failed_case_of_a_project_is_the_users_mistake() {
    let dir = kept_template("rust");
    let cases = dir.join("wrong.json");
    fs::write(
        &cases,
        r#"{"transforms": {"rate": [{"in": {"purchases": 1, "views": 3}, "out": 0.3333333333333334}]}}"#,
    )
    .unwrap();
    let ran = Ran::of(guest_unskew().args(["test", text(&dir), "--cases", text(&cases)]));
    fs::remove_file(&cases).unwrap();
    let ran = ran.refused(&[]);
    for part in ["0.3333333333333334", "0.3333333333333333\n", "0 passed, 1 failed"] {
        assert!(ran.stdout.contains(part), "{part}: {ran:#?}");
    }
}
