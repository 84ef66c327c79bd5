//! What `new` makes builds, passes its golden cases and its own tests at once.

mod shared;

use std::process::Command;

use shared::{Ran, guest_unskew, kept_template, text};

/// Builds, tests and inspects a template; everything must agree.
fn round(lang: &str) -> std::path::PathBuf {
    let dir = kept_template(lang);
    let tested = Ran::of(guest_unskew().args(["test", text(&dir)])).succeeded();
    assert!(tested.stdout.ends_with(" passed, 0 failed\n"), "{tested:#?}");
    assert!(!tested.stdout.contains("no case for"), "{tested:#?}");

    let built = Ran::of(guest_unskew().args(["build", "--json", text(&dir)])).succeeded().json();
    assert_eq!(built["up_to_date"], true, "`test` had built it");
    assert_eq!(built["language"], lang);
    assert_eq!(built["module"], "shop");
    let path = built["path"].as_str().unwrap();
    assert_eq!(path, text(&dir.join("shop.wasm")));

    let inspected = Ran::of(guest_unskew().args(["inspect", "--json", path])).succeeded().json();
    for key in ["digest", "source_digest", "size_bytes", "imports", "transforms", "aggregates"] {
        assert_eq!(inspected[key], built[key], "{key}");
        assert!(!inspected[key].is_null(), "{key}");
    }
    for import in built["imports"].as_array().unwrap() {
        assert!(import.as_str().unwrap().starts_with("unskew:module/log@"), "{import}");
    }
    let people = Ran::of(guest_unskew().args(["build", text(&dir)])).succeeded();
    assert!(people.stdout.starts_with("up to date"), "{people:#?}");
    dir
}

#[test]
fn the_rust_template_works_at_once() {
    let dir = round("rust");
    let ran = Ran::of(
        Command::new("cargo")
            .args(["test", "--quiet"])
            .current_dir(&dir)
            .env("CARGO_TARGET_DIR", dir.join("target")),
    )
    .succeeded();
    assert!(ran.stdout.contains("2 passed"), "{ran:#?}");
}

#[test]
fn the_python_template_works_at_once() {
    let dir = round("python");
    let ran = Ran::of(
        Command::new(shared::python())
            .args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .current_dir(&dir),
    )
    .succeeded();
    assert!(ran.stdout.contains("2 passed"), "{ran:#?}");
}
