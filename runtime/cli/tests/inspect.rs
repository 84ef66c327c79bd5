//! What `inspect` reports, and what it refuses.

mod shared;

use std::fs;

use serde_json::json;
use shared::by_hand::{module, module_with};
use shared::{folder, run, text};

#[test]
fn a_module_is_reported_to_people_and_programs() {
    let component = module();
    let dir = folder(&[("m.wasm", &component)]);
    let path = dir.path().join("m.wasm");
    let report = run(["inspect", text(&path)]).succeeded().stdout;
    for part in [
        "by_hand (wat, none)",
        "sha256:",
        "not recorded",
        "unskew:module/log@1.0.0",
        "double(x: int64) -> y: int64",
        "Twice x.",
        "total(x: int64) -> y: int64, can subtract",
    ] {
        assert!(report.contains(part), "{part:?} is not in {report}");
    }

    let document = run(["--json", "inspect", text(&path)]).succeeded().json();
    assert_eq!(document["module"], "by_hand");
    assert_eq!(document["path"], text(&path));
    assert_eq!(document["size_bytes"], component.len());
    assert_eq!(document["source_digest"], json!(null));
    assert_eq!(document["imports"], json!(["unskew:module/log@1.0.0"]));
    assert_eq!(
        document["transforms"][0]["inputs"][0],
        json!({"name": "x", "type": "int64", "nullable": false})
    );
    assert_eq!(document["aggregates"][0]["subtract"], true);
    assert_eq!(document["digest"].as_str().unwrap().len(), "sha256:".len() + 64);
}

#[test]
fn what_a_module_says_cannot_steer_the_terminal() {
    let component = module_with(&json!({
        "manifest_version": "1.0", "name": "m", "language": "wat\u{1b}[2J", "sdk": "s",
        "description": "\u{202e}backwards"
    }));
    let dir = folder(&[("m.wasm", &component)]);
    let report = run(["inspect", text(&dir.path().join("m.wasm"))]).succeeded().stdout;
    assert!(!report.contains('\x1b') && !report.contains('\u{202e}'), "{report:?}");
}

#[test]
fn files_that_are_no_modules_are_refused_by_name() {
    let component = module();
    let other_version = wat::parse_str(
        r#"(component (instance $i) (export "unskew:module/evaluate@2.0.0" (instance $i)))"#,
    )
    .unwrap();
    let core = wat::parse_str("(module)").unwrap();
    let wasi = wat::parse_str(
        r#"(component (import "wasi:clocks/monotonic-clock@0.2.0" (instance
            (export "now" (func (result u64))))))"#,
    )
    .unwrap();
    let bare = wat::parse_str("(component)").unwrap();
    let no_manifest = module_with(&json!({"manifest_version": "1.0", "name": "a b"}));
    let other_manifest = module_with(&json!({"manifest_version": "7.0"}));
    let cut = &component[..component.len() / 2];
    let cases: [(&str, &[u8], &[&str]); 9] = [
        ("version.wasm", &other_version, &["2.0.0", "1.0.0", "build it again"]),
        ("core.wasm", &core, &["core WebAssembly module", "unskew build"]),
        ("wasi.wasm", &wasi, &["wasi:clocks/monotonic-clock", "unskew:module/log"]),
        ("bare.wasm", &bare, &["unskew:module/evaluate"]),
        ("manifest.wasm", &no_manifest, &["manifest"]),
        ("manifest7.wasm", &other_manifest, &["7.0", "1.0"]),
        ("cut.wasm", cut, &["not a WebAssembly component"]),
        ("text.wasm", b"hello", &["not a WebAssembly component"]),
        ("empty.wasm", b"", &["not a WebAssembly component"]),
    ];
    let dir = folder(&[]);
    for (name, bytes, parts) in cases {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let parts: Vec<&str> = parts.iter().copied().chain([text(&path)]).collect();
        run(["inspect", text(&path)]).refused(&parts);
    }
}

#[test]
fn paths_that_lead_to_no_file_are_refused() {
    let dir = folder(&[("file", b"")]);
    run(["inspect", text(dir.path())]).refused(&["a folder", "unskew build"]);
    run(["inspect", text(&dir.path().join("missing.wasm"))])
        .refused(&["no such module", "missing.wasm"]);
    run(["inspect", text(&dir.path().join("file/m.wasm"))]).refused(&["cannot be read"]);
}

#[test]
fn a_huge_file_is_refused_unread() {
    let dir = folder(&[]);
    let path = dir.path().join("huge.wasm");
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    run(["inspect", text(&path)]).refused(&["1099511627776 bytes", "at most"]);
}
