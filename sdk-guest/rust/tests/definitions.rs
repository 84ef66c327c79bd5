//! Definitions in Rust become the document that YAML and Python become.

#[path = "../../../tests/definitions/shop.rs"]
mod shop;

/// The sections of the manifest, without the places where they stand.
fn sections() -> String {
    let manifest = shop::unskew_manifest();
    let begin = manifest.find(r#","entities":"#).expect("the manifest has definitions");
    let mut text = format!("{{{}\n", &manifest[begin + 1..]);
    while let Some(at) = text.find(r#","at":""#) {
        let end = at + 7 + text[at + 7..].find('"').unwrap() + 1;
        text.replace_range(at..end, "");
    }
    text
}

/// `UNSKEW_BLESS=1 cargo test -p unskew` writes the golden file anew; the
/// tests of the Python SDK and of `unskew explain` hold theirs to the same.
#[test]
fn the_document_is_the_golden_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/definitions/shop.json");
    if std::env::var_os("UNSKEW_BLESS").is_some() {
        std::fs::write(path, sections()).unwrap();
    }
    assert_eq!(sections(), std::fs::read_to_string(path).unwrap());
}

#[test]
fn everything_says_where_it_stands() {
    let manifest = shop::unskew_manifest();
    let file = "tests/definitions/shop.rs";
    let place = |of: &str| {
        let behind = &manifest[manifest.find(of).unwrap()..];
        let at = &behind[behind.find(r#""at":""#).unwrap() + 6..];
        let (found, line) = at[..at.find('"').unwrap()].rsplit_once(':').unwrap();
        assert!(found.ends_with(file), "{found}");
        line.parse::<usize>().unwrap()
    };
    let source = include_str!("../../../tests/definitions/shop.rs");
    let line_of = |text: &str| source.lines().position(|line| line.contains(text)).unwrap() + 1;
    assert_eq!(place(r#""name":"sizes""#), line_of(r#"("sizes")"#));
    assert_eq!(place(r#"{"name":"p95","function""#), line_of("percentile(0.95"));
    assert_eq!(place(r#"{"name":"fraud""#), line_of(r#"feature_service("fraud")"#));
}
