//! Runs the real binary, and makes modules without a guest toolchain.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The binary under test, with a cache under the target folder that all tests
/// share, and without what the caller's environment may say to it.
pub(crate) fn unskew() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unskew"));
    command
        .env_remove("UNSKEW_LOG")
        .env_remove("UNSKEW_OFFLINE")
        .env("NO_COLOR", "1")
        .env("UNSKEW_CACHE_DIR", cache_dir());
    command
}

/// Where the tests keep what is dear to make.
pub(crate) fn cache_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("unskew-cache")
}

/// Runs `unskew` with `arguments`.
pub(crate) fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ran {
    Ran::of(unskew().args(arguments))
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        Self {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Must have ended well.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// Must have ended with exit code 2, and a message with all of `parts`.
    #[track_caller]
    pub(crate) fn refused(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(2), "{self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not said: {self:#?}");
        }
        self
    }

    /// Stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

/// The module of `module.wat`.
pub(crate) fn module() -> Vec<u8> {
    let x = json!([{"name": "x", "type": "int64"}]);
    let y = json!({"name": "y", "type": "int64"});
    module_with(&json!({
        "manifest_version": "1.0",
        "name": "by_hand",
        "language": "wat",
        "sdk": "none",
        "transforms": [
            {"name": "double", "description": "Twice x.", "inputs": x, "outputs": [y]},
            {"name": "counted", "inputs": x, "outputs": [y]}
        ],
        "aggregates": [
            {"name": "total", "inputs": x, "output": y, "subtract": true},
            {"name": "newest", "inputs": x, "output": y}
        ]
    }))
}

/// The code of `module.wat` with any manifest.
pub(crate) fn module_with(manifest: &Value) -> Vec<u8> {
    let manifest = manifest.to_string();
    let escaped: String = manifest.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let text = include_str!("module.wat")
        .replace("\"MANIFEST\"", &format!("\"{escaped}\""))
        .replace("LENGTH)", &format!("{})", manifest.len()));
    let mut core = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("unskew.wit", unskew_build::WIT).unwrap();
    let world = resolve.select_world(&[package], Some("module")).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&core).unwrap().validate(true).encode().unwrap()
}

/// A folder for one test, and the files that it begins with.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
