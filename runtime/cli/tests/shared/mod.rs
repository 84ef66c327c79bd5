//! Runs the real binary, and makes modules without a guest toolchain.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod by_hand;
pub(crate) mod server;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

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

/// The binary with the caller's cache, where the guest toolchains are.
pub(crate) fn guest_unskew() -> Command {
    let mut command = unskew();
    match std::env::var_os("UNSKEW_CACHE_DIR") {
        Some(dir) => command.env("UNSKEW_CACHE_DIR", dir),
        None => command.env_remove("UNSKEW_CACHE_DIR"),
    };
    command
}

/// A project that stays where it is from one run of the tests to the next, so
/// that its module is built only when the SDK or the files change.
pub(crate) fn kept_project(name: &str, files: &[(String, Vec<u8>)]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects").join(name);
    for (file, bytes) in files {
        let path = dir.join(file);
        // Written anew they would count as changed for Cargo.
        if fs::read(&path).is_ok_and(|found| found == *bytes) {
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// What `unskew new` makes, kept.
pub(crate) fn kept_template(lang: &str) -> PathBuf {
    let dir = folder(&[]);
    let made = dir.path().join("shop");
    run(["new", "--lang", lang, "shop", "--path", text(&made)]).succeeded();
    let document = {
        let again = dir.path().join("again");
        run(["new", "--json", "--lang", lang, "shop", "--path", text(&again)]).succeeded().json()
    };
    let names = document["files"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let files: Vec<_> =
        names.map(|name| (name.to_owned(), fs::read(made.join(name)).unwrap())).collect();
    kept_project(&format!("template-{lang}"), &files)
}

/// A Python with pytest: the one that the set-up script made.
pub(crate) fn python() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = variable("UNSKEW_CACHE_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("unskew")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/unskew")))
        .unwrap();
    cache.join("python/bin/python3")
}
