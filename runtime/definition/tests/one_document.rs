//! One definition, written in YAML, in Python and in Rust, is one definition.
//! The SDKs' own tests hold theirs to `shop.json`.

use unskew_definition::{Definition, DefinitionReader};

fn read(file: &str, text: &str) -> Definition {
    let mut reader = DefinitionReader::new();
    reader.read_document(file, text.as_bytes());
    reader.finish(None)
}

#[test]
fn yaml_says_what_the_sdks_say() {
    let yaml = read("shop.yaml", include_str!("../../../tests/definitions/shop.yaml"));
    let json = read("shop.json", include_str!("../../../tests/definitions/shop.json"));
    for definition in [&yaml, &json] {
        assert!(definition.mistakes().is_empty(), "{}", definition.mistakes());
    }
    assert_eq!(yaml.sections.feature_views.len(), 2);
    assert_eq!(yaml.sections, json.sections);
}
