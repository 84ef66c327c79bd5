//! The modules that are measured: built by `unskew build`'s own room from the
//! projects in `bench/guests`, and kept as long as their sources stay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow, ensure};
use sha2::{Digest, Sha256};
use unskew_build::{BuildOptions, WIT, build, source_digest};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the guests' projects are, and what is built from them.
pub(crate) struct Guests {
    pub(crate) cache_dir: PathBuf,
}

/// What else decides a module's bytes: the compilers' settings.
const HOW_MODULES_ARE_BUILT: [&str; 2] = [
    include_str!("../../runtime/build/src/rust.rs"),
    include_str!("../../runtime/build/src/python.rs"),
];

/// `bench/guests`.
pub(crate) fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")
}

/// A project in `bench/guests`.
pub(crate) fn project(name: &str) -> PathBuf {
    guests().join(name)
}

impl Guests {
    /// The component of a project in `bench/guests`.
    pub(crate) fn module(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let dir = project(name);
        let sources = source_digest(&dir).map_err(|e| anyhow!("{e}"))?;
        let built_by = HOW_MODULES_ARE_BUILT.map(str::as_bytes).concat();
        let digest = Sha256::digest([sources.to_string().as_bytes(), &built_by].concat());
        self.kept(&format!("{name}-{digest:x}"), || {
            let options = BuildOptions { cache_dir: self.cache_dir.clone(), offline: false };
            build(&dir, &options).map(|built| built.component).map_err(|e| anyhow!("{e}"))
        })
    }

    /// The component of the module that gives every request back.
    pub(crate) fn noop(&self) -> anyhow::Result<Vec<u8>> {
        let mut core = wat::parse_str(include_str!("../guests/noop.wat"))?;
        let mut resolve = Resolve::default();
        let package = resolve.push_str("unskew.wit", WIT)?;
        let world = resolve.select_world(&[package], Some("module"))?;
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)?;
        ComponentEncoder::default().validate(true).module(&core)?.encode()
    }

    /// The same in Python, made by componentize-py alone.
    pub(crate) fn noop_python(&self) -> anyhow::Result<Vec<u8>> {
        let app = project("noop-python");
        let digest = Sha256::digest([fs::read(app.join("app.py"))?, WIT.into()].concat());
        self.kept(&format!("noop-python-{digest:x}"), || {
            let dir = tempfile::tempdir()?;
            let (wit, output) = (dir.path().join("unskew.wit"), dir.path().join("noop.wasm"));
            fs::write(&wit, WIT)?;
            let program = self.cache_dir.join("python/bin/componentize-py");
            let status = Command::new(&program)
                .args(["--quiet", "--world", "module", "--wit-path"])
                .arg(&wit)
                .args(["componentize", "--stub-wasi", "app", "--python-path"])
                .arg(&app)
                .arg("--output")
                .arg(&output)
                .status()
                .with_context(|| {
                    format!("cannot run {}; ./setup.sh installs it", program.display())
                })?;
            ensure!(status.success(), "componentize-py failed on {}", app.display());
            Ok(fs::read(&output)?)
        })
    }

    /// What was made under this name before, or what `make` makes now.
    pub(crate) fn kept(
        &self,
        name: &str,
        make: impl FnOnce() -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<Vec<u8>> {
        let folder = self.cache_dir.join("bench");
        let path = folder.join(format!("{}.wasm", name.replace([':', '/'], "-")));
        if let Ok(bytes) = fs::read(&path) {
            return Ok(bytes);
        }
        eprintln!("building {name}");
        let bytes = make()?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let new = tempfile::NamedTempFile::new_in(&folder)?;
        fs::write(new.path(), &bytes)?;
        new.persist(&path)?;
        Ok(bytes)
    }
}
