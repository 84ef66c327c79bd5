//! Rust projects for tests to build. They lie under the target directory and
//! stay there, so that their dependencies are compiled once.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::fs;
use std::path::{Path, PathBuf};

use unskew_build::{BuildOptions, Built, build};

const CARGO_TOML: &str = r#"
[package]
name = "shop-features"
version = "0.1.0"
edition = "2024"

[dependencies]
unskew = { path = ".unskew/sdk-rust" }

[workspace]
"#;

pub(crate) const LIB: &str = r#"
/// Purchases for each view.
#[unskew::transform]
pub(crate) fn rate(purchases: i64, views: Option<i64>) -> Result<Option<f64>, String> {
    if purchases < 0 {
        return Err(format!("{purchases} purchases"));
    }
    assert!(purchases < 1_000_000, "too many");
    Ok(views.map(|views| purchases as f64 / views as f64))
}

unskew::module!(name = "shop", transforms = [rate]);
"#;

pub(crate) fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

pub(crate) fn options() -> BuildOptions {
    BuildOptions { cache_dir: scratch("cache"), offline: false }
}

/// Writes a project in a folder of that name.
pub(crate) fn project(name: &str, lib: &str) -> PathBuf {
    let dir = scratch(name);
    write(&dir.join("Cargo.toml"), CARGO_TOML);
    write(&dir.join("src/lib.rs"), lib);
    dir
}

pub(crate) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Cargo compares times, so what is the same is left alone.
    if fs::read_to_string(path).is_ok_and(|found| found == content) {
        return;
    }
    fs::write(path, content).unwrap();
}

#[track_caller]
pub(crate) fn built(dir: &Path) -> Built {
    build(dir, &options()).unwrap_or_else(|error| panic!("{error}"))
}
