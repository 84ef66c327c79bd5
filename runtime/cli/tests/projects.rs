//! `new`, and folders that are no projects: what needs no guest toolchain.

mod shared;

use std::fs;

use serde_json::Value;
use shared::{Ran, folder, run, text, unskew};

#[test]
fn templates_are_laid_out_whole() {
    for (lang, code) in [("rust", "src/lib.rs"), ("python", "features.py")] {
        let dir = folder(&[]);
        let ran = Ran::of(unskew().args(["new", "--lang", lang, "shop"]).current_dir(dir.path()));
        let ran = ran.succeeded();
        assert!(ran.stdout.contains("unskew test shop"), "{ran:#?}");
        for file in [code, "cases.json", "README.md", ".gitignore", &format!(".unskew/sdk-{lang}")]
        {
            assert!(dir.path().join("shop").join(file).exists(), "{lang}: {file} is missing");
        }
    }
}

#[test]
fn new_tells_programs_what_it_made() {
    let dir = folder(&[]);
    // An empty folder may be there already.
    let path = dir.path().join("empty");
    fs::create_dir(&path).unwrap();
    let ran = run(["new", "--json", "--lang", "rust", "shop", "--path", text(&path)]).succeeded();
    let document: Value = ran.json();
    assert_eq!(document["language"], "rust");
    for file in document["files"].as_array().unwrap() {
        assert!(path.join(file.as_str().unwrap()).is_file(), "{file}");
    }
}

#[test]
fn new_overwrites_nothing() {
    let dir = folder(&[("mine", b"precious")]);
    run(["new", "--lang", "rust", "shop", "--path", text(dir.path())]).refused(&[
        "not empty",
        text(dir.path()),
        "--path",
    ]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let file = dir.path().join("mine");
    run(["new", "--lang", "rust", "shop", "--path", text(&file)])
        .refused(&["a file is in its place"]);
    run(["new", "--lang", "rust", "shop", "--path", text(&file.join("below"))]).refused(&["below"]);
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

#[test]
fn new_refuses_bad_names() {
    let dir = folder(&[]);
    for name in ["my-shop", "2shop", "Shop", "a b", "../shop", "", "shöp", "test", "unskew"] {
        let ran = Ran::of(unskew().args(["new", "--lang", "rust", name]).current_dir(dir.path()));
        ran.refused(&["name", "help: choose a name"]);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn folders_without_a_project_are_refused() {
    let dir = folder(&[("file", b"")]);
    let both = folder(&[("Cargo.toml", b""), ("pyproject.toml", b"")]);
    let missing = dir.path().join("missing");
    let file = dir.path().join("file");
    for command in ["build", "dev"] {
        run([command, text(dir.path())]).refused(&[
            "no project",
            "Cargo.toml",
            "pyproject.toml",
            "unskew new",
        ]);
        run([command, text(both.path())]).refused(&["two projects"]);
        run([command, text(&missing)]).refused(&["no such folder", text(&missing)]);
        run([command, text(&file)]).refused(&["not a folder", text(&file)]);
    }
    run(["test", text(dir.path())]).refused(&["no project"]);
    run(["test", text(&missing)]).refused(&["no such", text(&missing)]);
}

#[test]
fn outputs_that_cannot_be_are_refused_before_the_build() {
    let dir = folder(&[("pyproject.toml", b"[project]\nname = \"p\"\n"), ("out/x", b"")]);
    let project = text(dir.path());
    run(["build", project, "-o", text(&dir.path().join("out"))]).refused(&["is a folder"]);
    run(["build", project, "-o", "/dev/null"]).refused(&["/dev/null", "no file"]);
    let below = dir.path().join("missing/m.wasm");
    run(["build", project, "-o", text(&below)]).refused(&["does not exist", "mkdir -p"]);
}

#[test]
fn a_missing_toolchain_is_named_with_the_way_to_it() {
    let empty = folder(&[]);
    for (lang, what) in [("rust", "rustup"), ("python", "componentize-py")] {
        let dir = folder(&[]);
        let path = dir.path().join("shop");
        run(["new", "--lang", lang, "shop", "--path", text(&path)]).succeeded();
        let ran = Ran::of(
            unskew()
                .args(["build", text(&path)])
                .env("PATH", empty.path())
                .env("UNSKEW_CACHE_DIR", empty.path().join("cache")),
        );
        ran.refused(&["not installed", what]);
        assert!(!path.join("shop.wasm").exists());
    }
}

#[test]
fn a_test_without_cases_says_so_before_the_build() {
    let dir = folder(&[("pyproject.toml", b"[project]\nname = \"p\"\n")]);
    run(["test", text(dir.path())]).refused(&["no golden cases", "cases.json"]);
}
