use std::fmt;
use std::path::Path;

use unskew_definition::SourceDigest;
use wasm_encoder::{Component, CustomSection};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::error::BuildError;

/// The contract between host and module: `wit/unskew.wit`.
pub const WIT: &str = include_str!("../../../wit/unskew.wit");

const LOG: &str = "unskew:module/log@1.0.0";
const EVALUATE: &str = "unskew:module/evaluate@1.0.0";
const SOURCE_SECTION: &str = "unskew:source";

/// Wraps a core module that has the exports of `WIT` into a component. `dir`
/// is only named in errors.
pub(crate) fn wrap(core: &[u8], dir: &Path) -> Result<Vec<u8>, BuildError> {
    check_core(core, dir)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("unskew.wit", WIT).map_err(internal)?;
    let world = resolve.select_world(&[package], Some("module")).map_err(internal)?;
    let mut core = core.to_vec();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).map_err(internal)?;
    ComponentEncoder::default()
        .validate(true)
        .module(&core)
        .map_err(internal)?
        .encode()
        .map_err(internal)
}

fn internal(error: impl fmt::Display) -> BuildError {
    BuildError::Internal(format!("{error:#}"))
}

/// Says in the user's words what the component encoder would say in its own.
fn check_core(core: &[u8], dir: &Path) -> Result<(), BuildError> {
    let mut imports = Vec::new();
    let mut has_exports = false;
    for payload in Parser::new(0).parse_all(core) {
        match payload.map_err(internal)? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(internal)?;
                    if import.module != LOG {
                        imports.push(format!("`{}` of `{}`", import.name, import.module));
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(internal)?;
                    has_exports |= export.name.starts_with(EVALUATE);
                }
            }
            _ => {}
        }
    }
    if !imports.is_empty() {
        let help = "In Rust they come from a dependency that wants the browser, WASI or C code: leave it out, or turn off the feature that needs it".to_owned();
        return Err(BuildError::ForeignImports { imports, help });
    }
    if !has_exports {
        let what = "the line `unskew::module!(transforms = [...], aggregates = [...]);` is missing in src/lib.rs".to_owned();
        return Err(BuildError::NotAModule { dir: dir.to_owned(), what });
    }
    Ok(())
}

/// Appends what the component was built from, as a custom section.
pub(crate) fn record_source_digest(component: &[u8], digest: SourceDigest) -> Vec<u8> {
    append_section(component, SOURCE_SECTION, &digest.to_string())
}

/// Appends a custom section of text to a component: how a build records what
/// the host is to read when it loads the module, such as its NaN policy.
pub fn append_section(component: &[u8], name: &str, text: &str) -> Vec<u8> {
    let section = CustomSection { name: name.into(), data: text.as_bytes().into() };
    let mut recorded = Component::new();
    recorded.section(&section);
    let mut bytes = component.to_vec();
    bytes.extend_from_slice(&recorded.finish()[Component::HEADER.len()..]);
    bytes
}

/// What a component says it was built from; `None` if it does not say, or is
/// no component. Its word is not proof: anyone can write it.
pub fn read_source_digest(component: &[u8]) -> Option<SourceDigest> {
    let mut depth = 0_usize;
    let mut found = None;
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return None,
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            // Sections of the modules inside are not the component's.
            Payload::CustomSection(section) if depth == 1 && section.name() == SOURCE_SECTION => {
                found = std::str::from_utf8(section.data()).ok()?.parse().ok();
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_digest_is_read_back_from_a_component_alone() {
        let digest = SourceDigest::from_bytes([7; 32]);
        let component = record_source_digest(&Component::new().finish(), digest);
        assert_eq!(read_source_digest(&component), Some(digest));
        assert_eq!(read_source_digest(&Component::new().finish()), None);
        assert_eq!(read_source_digest(&component[..component.len() - 1]), None);
        assert_eq!(read_source_digest(b"not a component"), None);
        let module = record_source_digest(&wasm_encoder::Module::new().finish(), digest);
        assert_eq!(read_source_digest(&module), None);
    }
}
