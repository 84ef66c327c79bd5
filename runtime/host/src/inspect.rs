//! What can be said of a component before anything of it is compiled.

use unskew_definition::WIT_VERSION;
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::config::{NAN_SECTION, NanPolicy};
use crate::definitions::Definitions;
use crate::error::LoadError;
use crate::limits::Limits;
use crate::log::{LOG_FUNCTION, LOG_INTERFACE};

/// The interface that a module exports, without its version.
pub(crate) const EVALUATE_INTERFACE: &str = "unskew:module/evaluate";

/// Refuses what is no component, or more of one than may be compiled. Gives
/// the NaN policy that the component records, if it does.
pub(crate) fn check_size(bytes: &[u8], limits: &Limits) -> Result<Option<NanPolicy>, LoadError> {
    let exceeded = |what, found: usize, limit: usize| {
        Err(LoadError::LimitExceeded { what, found: found as u64, limit: limit as u64 })
    };
    if bytes.len() > limits.component_bytes {
        return exceeded("bytes", bytes.len(), limits.component_bytes);
    }
    let mut depth = 0;
    let mut functions = 0u64;
    let mut types = 0u64;
    let mut declarations = 0;
    let mut definitions = Definitions::default();
    let mut nan = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|e| LoadError::NotAComponent(e.to_string()))?;
        definitions.take(&payload, bytes, limits)?;
        declarations += declaration_bytes(&payload);
        if declarations > limits.declaration_bytes {
            return exceeded("bytes of declarations", declarations, limits.declaration_bytes);
        }
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(LoadError::CoreModule);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                if depth > limits.nesting {
                    return exceeded("levels of nesting", depth, limits.nesting);
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::TypeSection(section) => {
                types += u64::from(section.count());
                if types > u64::from(limits.types) {
                    return exceeded(
                        "types in core modules",
                        types as usize,
                        limits.types as usize,
                    );
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                functions += u64::from(count);
                if functions > u64::from(limits.functions) {
                    return exceeded("functions", functions as usize, limits.functions as usize);
                }
            }
            Payload::CodeSectionEntry(body) => {
                let length = body.range().len();
                if length > limits.function_bytes {
                    return exceeded("bytes in one function", length, limits.function_bytes);
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == NAN_SECTION => {
                let name = String::from_utf8_lossy(section.data());
                let policy = NanPolicy::from_name(&name).ok_or_else(|| {
                    LoadError::Compile(format!(
                        "its {NAN_SECTION} section says {:.32?}, not boundary or strict",
                        name
                    ))
                })?;
                nan = Some(policy);
            }
            _ => {}
        }
    }
    Ok(nan)
}

/// Bytes of a core module's sections, all but code, data and custom ones.
fn declaration_bytes(payload: &Payload<'_>) -> usize {
    match payload {
        Payload::TypeSection(section) => section.range().len(),
        Payload::ImportSection(section) => section.range().len(),
        Payload::FunctionSection(section) => section.range().len(),
        Payload::TableSection(section) => section.range().len(),
        Payload::MemorySection(section) => section.range().len(),
        Payload::GlobalSection(section) => section.range().len(),
        Payload::ExportSection(section) => section.range().len(),
        Payload::ElementSection(section) => section.range().len(),
        _ => 0,
    }
}

/// What a component imports, once it is clear that the sandbox grants it and
/// that it was made for this version of the contract.
pub(crate) fn check_contract(
    engine: &Engine,
    component: &Component,
) -> Result<Vec<String>, LoadError> {
    let types = component.component_type();
    let imports: Vec<String> = types.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let exports: Vec<&str> = types.exports(engine).map(|(name, _)| name).collect();
    let of_contract = imports.iter().map(|name| (name.as_str(), LOG_INTERFACE));
    let of_contract = of_contract.chain(exports.iter().map(|name| (*name, EVALUATE_INTERFACE)));
    for (name, interface) in of_contract {
        if let Some(version) = name.strip_prefix(interface).and_then(|v| v.strip_prefix('@'))
            && !is_compatible(version)
        {
            return Err(LoadError::WitVersion { found: version.chars().take(32).collect() });
        }
    }
    let mut forbidden: Vec<String> = Vec::new();
    for (name, import) in types.imports(engine) {
        let is_log = name.strip_prefix(LOG_INTERFACE).is_some_and(|v| v.starts_with('@'));
        match import.ty {
            ComponentItem::ComponentInstance(log) if is_log => {
                let functions = log.exports(engine).filter(|(name, item)| {
                    *name != LOG_FUNCTION && !matches!(item.ty, ComponentItem::Type(_))
                });
                forbidden.extend(functions.map(|(function, _)| format!("{function} of {name}")));
            }
            _ => forbidden.push(name.to_owned()),
        }
    }
    forbidden.truncate(16);
    for name in &mut forbidden {
        *name = name.chars().take(128).collect();
    }
    if forbidden.is_empty() { Ok(imports) } else { Err(LoadError::ForbiddenImport(forbidden)) }
}

/// Whether a module of contract version `version` runs on this host: the same
/// major version, and nothing that this host does not know yet.
fn is_compatible(version: &str) -> bool {
    fn parts(version: &str) -> Option<[u64; 3]> {
        let mut parts = version.split('.').map(|part| part.parse().ok());
        let parsed = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(parsed)
    }
    match (parts(version), parts(WIT_VERSION)) {
        (Some([major, minor, _]), Some([ours, our_minor, _])) => {
            major == ours && minor <= our_minor
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compatible_within_a_major_one() {
        for (version, fits) in [
            ("1.0.0", true),
            ("1.0.7", true),
            ("1.1.0", false),
            ("2.0.0", false),
            ("0.9.0", false),
            ("1.0", false),
            ("1.0.0-rc1", false),
            ("", false),
        ] {
            assert_eq!(is_compatible(version), fits, "{version}");
        }
    }

    #[test]
    fn bytes_that_are_no_component_are_told_apart() {
        let limits = Limits::default();
        let core = wat::parse_str("(module)").unwrap();
        assert!(matches!(check_size(&core, &limits), Err(LoadError::CoreModule)));
        for bad in [&b""[..], b"\0asm", b"hello", &core[..5]] {
            assert!(
                matches!(check_size(bad, &limits), Err(LoadError::NotAComponent(_))),
                "{bad:?}"
            );
        }
        let nested = "(component ".repeat(20) + &")".repeat(20);
        let nested = wat::parse_str(nested).unwrap();
        let error = check_size(&nested, &limits).unwrap_err();
        assert!(matches!(error, LoadError::LimitExceeded { what: "levels of nesting", .. }));
    }
}
