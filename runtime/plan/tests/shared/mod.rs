//! Plans of documents beside the tests.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::PathBuf;

use unskew_definition::{DefinitionReader, Mistakes, Name};
use unskew_plan::FeaturePlan;

/// A module whose transforms and aggregate the definitions call.
const ECOMMERCE: &str = r#"{
    "manifest_version": "1.1", "name": "ecommerce", "language": "rust", "sdk": "unskew-rust 0.1.0",
    "transforms": [
        {"name": "order_value",
         "inputs": [{"name": "amount", "type": "float64"}, {"name": "quantity", "type": "int64"}],
         "outputs": [{"name": "order_value", "type": "float64"}]},
        {"name": "rate",
         "inputs": [{"name": "a", "type": "float64", "nullable": true}, {"name": "b", "type": "float64"}],
         "outputs": [{"name": "rate", "type": "float64", "nullable": true}, {"name": "good", "type": "bool"}]}
    ],
    "aggregates": [
        {"name": "spent", "inputs": [{"name": "amount", "type": "float64"}],
         "output": {"name": "spent", "type": "float64", "nullable": true}, "subtract": true}
    ]
}"#;

/// Another one, to chain behind it.
const SCORING: &str = r#"{
    "manifest_version": "1.1", "name": "scoring", "language": "python", "sdk": "unskew-python 0.1.0",
    "transforms": [
        {"name": "score",
         "inputs": [{"name": "x", "type": "float64"}],
         "outputs": [{"name": "score", "type": "float64"}]}
    ]
}"#;

pub(crate) fn tests_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests")
}

pub(crate) fn plan(yaml: &str) -> Result<FeaturePlan, Mistakes> {
    plan_of("test.yaml", yaml.as_bytes())
}

pub(crate) fn plan_of_file(name: &str) -> Result<FeaturePlan, Mistakes> {
    plan_of(name, &std::fs::read(tests_folder().join(name)).unwrap())
}

fn plan_of(name: &str, bytes: &[u8]) -> Result<FeaturePlan, Mistakes> {
    let mut reader = DefinitionReader::new();
    for (module, manifest) in [("ecommerce", ECOMMERCE), ("scoring", SCORING)] {
        reader.read_manifest(&Name::new(module).unwrap(), "", manifest.as_bytes());
    }
    reader.read_document(name, bytes);
    FeaturePlan::new(&reader.finish(None))
}

/// Compares with a golden file, which `UNSKEW_BLESS=1` writes anew.
pub(crate) fn check_golden(name: &str, found: &str) {
    let path = tests_folder().join(name);
    if std::env::var_os("UNSKEW_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, found, "{name} differs; `make bless` writes it anew");
}
