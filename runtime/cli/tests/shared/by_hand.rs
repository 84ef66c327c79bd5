//! Modules made without a guest toolchain: the code of `module.wat`, with any
//! manifest.

#![allow(dead_code, reason = "each test uses its own part")]

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What is well behaved in `module.wat`: `double` and `total`.
pub(crate) fn module() -> Vec<u8> {
    module_with(&manifest(false))
}

/// All of `module.wat`, with the impure `counted` and the unlawful `newest`.
pub(crate) fn unruly_module() -> Vec<u8> {
    module_with(&manifest(true))
}

fn manifest(unruly: bool) -> Value {
    let x = json!([{"name": "x", "type": "int64"}]);
    let y = json!({"name": "y", "type": "int64"});
    let mut transforms =
        vec![json!({"name": "double", "description": "Twice x.", "inputs": x, "outputs": [y]})];
    let mut aggregates = vec![json!({"name": "total", "inputs": x, "output": y, "subtract": true})];
    if unruly {
        transforms.push(json!({"name": "counted", "inputs": x, "outputs": [y]}));
        aggregates.push(json!({"name": "newest", "inputs": x, "output": y}));
    }
    json!({
        "manifest_version": "1.0",
        "name": "by_hand",
        "language": "wat",
        "sdk": "none",
        "transforms": transforms,
        "aggregates": aggregates
    })
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
