//! Documents that fit and documents that do not, on which the reader agrees
//! with `wit/manifest.schema.json`: `sdk-guest/python/tests/test_schema.py`
//! holds the schema to the same file.

use serde_json::Value;
use unskew_definition::{DefinitionReader, Name};

/// What the reader says of a document's form.
fn mistakes(document: &Value) -> String {
    let mut reader = DefinitionReader::new();
    let json = document.to_string();
    if document.get("language").is_some() {
        reader.read_manifest(&Name::new("module").unwrap(), "", json.as_bytes());
    } else {
        reader.read_document("document.json", json.as_bytes());
    }
    reader.finish(None).mistakes().to_string()
}

#[test]
fn the_reader_takes_what_fits_the_schema_and_nothing_else() {
    let all: Value = serde_json::from_str(include_str!("documents.json")).unwrap();
    let of = |key: &str| all[key].as_object().unwrap().clone();
    let none = unskew_definition::Mistakes::new().to_string();
    for (name, document) in of("fits") {
        assert_eq!(mistakes(&document), none, "{name}");
    }
    for (name, document) in of("does not fit") {
        assert_ne!(mistakes(&document), none, "{name} was taken");
    }
}

#[test]
fn what_was_read_from_yaml_is_what_was_read_from_json() {
    let all: Value = serde_json::from_str(include_str!("documents.json")).unwrap();
    for (name, document) in all["fits"].as_object().unwrap() {
        if document.get("language").is_some() {
            continue;
        }
        // JSON is YAML, apart from escapes, of which these have none.
        let read = |file: &str| {
            let mut reader = DefinitionReader::new();
            reader.read_document(file, document.to_string().as_bytes());
            reader.finish(None).sections
        };
        assert_eq!(read("a.json"), read("a.yaml"), "{name}");
    }
}
