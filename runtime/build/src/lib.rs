//! From a folder of user code to a module: finds the language, runs its
//! toolchain, wraps the result into a component, and names what it was built
//! from.
//!
//! This room runs other programs (cargo, componentize-py) and may use the
//! network through them. It never runs the user's code: the host does that,
//! in the sandbox.

mod cargo_project;
mod component;
mod error;
mod language;
mod python;
mod rust;
mod rust_toolchain;
mod sdk;
mod source;

pub use component::{WIT, append_section, read_source_digest};
pub use error::BuildError;
pub use language::Language;
pub use python::{Definer, DefinerAnswer, definer, python_sources};
pub use sdk::unpack_sdk;
pub use source::source_digest;

use std::path::{Path, PathBuf};

use unskew_definition::SourceDigest;

/// Where a build finds its tools and keeps what it can use again.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Toolchains, unpacked SDKs and intermediate files live under it.
    pub cache_dir: PathBuf,
    /// Never use the network.
    pub offline: bool,
}

/// What a build yields.
#[derive(Clone, Debug)]
pub struct Built {
    /// The module: a component that exports the world of `wit/unskew.wit`.
    pub component: Vec<u8>,
    /// The language it was written in.
    pub language: Language,
    /// What it was built from, also recorded inside the component.
    pub source_digest: SourceDigest,
}

/// How often a build begins anew because the sources changed under it.
const ATTEMPTS: usize = 4;

/// Builds the project in `dir`.
pub fn build(dir: &Path, options: &BuildOptions) -> Result<Built, BuildError> {
    let language = Language::of(dir)?;
    let dir = dir.canonicalize().map_err(BuildError::io("read", dir))?;
    let mut before = source::digest(&dir, language)?;
    for _ in 0..ATTEMPTS {
        let component = match language {
            Language::Rust => rust::build(&dir, options)?,
            Language::Python => python::build(&dir, options)?,
        };
        // The toolchain may have written a lock file, and an editor anything:
        // what is recorded must be what was built.
        let after = source::digest(&dir, language)?;
        if after == before {
            let component = component::record_source_digest(&component, after);
            return Ok(Built { component, language, source_digest: after });
        }
        before = after;
    }
    Err(BuildError::Project {
        path: dir,
        what: "its files changed again and again while it was built; try again when they rest"
            .to_owned(),
    })
}
