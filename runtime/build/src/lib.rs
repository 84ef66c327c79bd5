//! From a folder of user code to a module: finds the language, runs its
//! toolchain, wraps the result into a component, and names what it was built
//! from.
//!
//! This room runs other programs (cargo, componentize-py) and may use the
//! network through them. It never runs the user's code: the host does that,
//! in the sandbox.

mod component;
mod error;
mod language;
mod python;
mod rust;
mod sdk;
mod source;

pub use component::{WIT, read_source_digest};
pub use error::BuildError;
pub use language::Language;

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

/// Builds the project in `dir`.
pub fn build(dir: &Path, options: &BuildOptions) -> Result<Built, BuildError> {
    let language = Language::of(dir)?;
    let source_digest = source::digest(dir, language)?;
    let component = match language {
        Language::Rust => rust::build(dir, options)?,
        Language::Python => python::build(dir, options)?,
    };
    let component = component::record_source_digest(&component, source_digest)?;
    Ok(Built { component, language, source_digest })
}
