//! Real builds of Rust projects. They need a Rust toolchain for WebAssembly
//! and compile the SDK, so they share one cache under the target directory.

use std::fs;
use std::path::{Path, PathBuf};

use unskew_build::{BuildError, BuildOptions, Language, build, read_source_digest};

const CARGO_TOML: &str = r#"
[package]
name = "shop-features"
version = "0.1.0"
edition = "2024"

[dependencies]
unskew = { path = ".unskew/sdk-rust" }

[workspace]
"#;

const LIB: &str = r#"
/// Purchases for each view.
#[unskew::transform]
pub fn rate(purchases: i64, views: Option<i64>) -> Result<Option<f64>, String> {
    if purchases < 0 {
        return Err(format!("{purchases} purchases"));
    }
    assert!(purchases < 1_000_000, "too many");
    Ok(views.map(|views| purchases as f64 / views as f64))
}

unskew::module!(name = "shop", transforms = [rate]);
"#;

fn options() -> BuildOptions {
    let cache_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    BuildOptions { cache_dir, offline: false }
}

fn project(dir: &Path, lib: &str) {
    fs::create_dir_all(dir.join("src")).unwrap();
    fs::write(dir.join("Cargo.toml"), CARGO_TOML).unwrap();
    fs::write(dir.join("src/lib.rs"), lib).unwrap();
}

#[test]
fn the_same_sources_in_two_folders_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("one"), dir.path().join("two/deeper"));
    project(&first, LIB);
    project(&second, LIB);
    let first = build(&first, &options()).unwrap();
    let second = build(&second, &options()).unwrap();
    assert_eq!(first.language, Language::Rust);
    assert_eq!(first.source_digest, second.source_digest);
    assert!(first.component == second.component, "the same sources gave other bytes");
    assert_eq!(read_source_digest(&first.component), Some(first.source_digest));
    let here = dir.path().to_string_lossy().into_owned();
    let text = String::from_utf8_lossy(&first.component);
    assert!(!text.contains(&here), "the module names the folder that it was built in");
    assert!(text.contains("src/lib.rs"), "a panic must still name its file");
}

#[test]
fn mistakes_in_the_code_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), &LIB.replace("views.map", "views.mapp"));
    let error = build(dir.path(), &options()).unwrap_err();
    assert!(matches!(error, BuildError::Compile { .. }), "{error}");
    assert!(error.is_users());
    let message = error.to_string();
    for part in ["mapp", "src/lib.rs:9"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}
