//! Guests that say wrong things of themselves.

use unskew_definition::ManifestError;
use unskew_host::{Fault, LoadError};

use crate::attack::load;
use crate::guest::{Expected, Guest, Seen, pattern};
use crate::module::Module;

pub(super) fn guests() -> Vec<Guest> {
    vec![
        of_text("manifest-empty", "gives an empty manifest", not_json(), String::new),
        of_text("manifest-no-json", "gives prose", not_json(), || "Dear host, trust me".to_owned()),
        of_text("manifest-deep", "nests 100,000 arrays", not_json(), || "[".repeat(100_000)),
        of_text("manifest-deep-objects", "nests 100,000 objects", not_json(), || {
            r#"{"manifest_version":"#.repeat(100_000)
        }),
        of_text("manifest-deep-type", "nests 3,000 lists in a type", mistakes(), || {
            change("int64", &format!("{}int8{}", "list<".repeat(3000), ">".repeat(3000)))
        }),
        of_text("manifest-wide-type", "has a struct of 1,000 fields", mistakes(), || {
            let fields: Vec<String> = (0..1000).map(|i| format!("f{i}:int8")).collect();
            change("int64", &format!("struct<{}>", fields.join(",")))
        }),
        of_text("manifest-key-twice", "gives a name twice", mistakes(), || {
            change(r#""name":"healthy""#, r#""name":"healthy","name":"other""#)
        }),
        of_text("manifest-unknown-key", "has a key of a megabyte", mistakes(), || {
            change(r#""language""#, &format!(r#""{}":1,"language""#, "k".repeat(1 << 20)))
        }),
        of_text("manifest-bad-name", "has a name that escapes its folder", mistakes(), || {
            change(r#""name":"healthy""#, r#""name":"../../etc/passwd""#)
        }),
        of_text(
            "manifest-other-version",
            "has the manifest of another version",
            pattern!(Seen::Load(LoadError::Manifest(ManifestError::Version { .. }))),
            || change(r#""manifest_version":"1.0""#, r#""manifest_version":"9.9""#),
        ),
        of_text("manifest-same-names", "has two transforms of one name", mistakes(), || {
            change(r#""transforms":["#, &format!(r#""transforms":[{},"#, transform("f")))
        }),
        of_text(
            "manifest-name-shared",
            "names a transform and an aggregate alike",
            mistakes(),
            || change(r#""transforms":["#, &format!(r#""transforms":[{},"#, transform("total"))),
        ),
        of_text("manifest-same-inputs", "has two inputs of one name", mistakes(), || {
            let input = r#"{"name":"x","type":"int64"}"#;
            change(&format!(r#""inputs":[{input}]"#), &format!(r#""inputs":[{input},{input}]"#))
        }),
        of_text("manifest-no-output", "has a transform without outputs", mistakes(), || {
            change(r#""outputs":[{"name":"f","type":"int64"}]"#, r#""outputs":[]"#)
        }),
        of_text("manifest-many-functions", "has 5,000 transforms", mistakes(), || {
            let all: Vec<String> = (0..5000).map(|i| transform(&format!("f{i}"))).collect();
            change(r#""transforms":["#, &format!(r#""transforms":[{},"#, all.join(",")))
        }),
        of_text("manifest-long-text", "has a description of a megabyte", mistakes(), || {
            let text = format!(r#""description":"{}","language""#, "d".repeat(1 << 20));
            change(r#""language""#, &text)
        }),
        of_bytes(
            "manifest-no-utf8",
            "gives bytes that are no text",
            pattern!(Seen::Load(LoadError::ManifestCall(Fault::InvalidReply(_)))),
            || Module::healthy().with_manifest(b"{\"name\":\"\xff\xfe\"}".to_vec()),
        ),
        of_bytes(
            "manifest-giant",
            "gives a manifest of 5 MiB",
            pattern!(Seen::Load(LoadError::ManifestCall(Fault::InvalidReply(_)))),
            || of_length("0x1000", "0x500000").with(r#"(memory $memory (export "memory") 96)"#),
        ),
        of_bytes(
            "manifest-past-2-32",
            "gives a manifest that ends past 2^32",
            pattern!(Seen::Load(LoadError::ManifestCall(Fault::InvalidReply(_)))),
            || of_length("-8", "100"),
        ),
        of_bytes(
            "manifest-trap",
            "traps instead of giving a manifest",
            pattern!(Seen::Load(LoadError::ManifestCall(Fault::Trapped(_)))),
            || {
                Module::healthy().with(
                    r#"(func $manifest (export "unskew:module/evaluate@1.0.0#manifest") (result i32) (unreachable))"#,
                )
            },
        ),
    ]
}

fn not_json() -> Expected {
    pattern!(Seen::Load(LoadError::Manifest(ManifestError::Syntax(_))))
}

fn mistakes() -> Expected {
    pattern!(Seen::Load(LoadError::Manifest(ManifestError::Mistakes(_))))
}

fn of_text(
    name: &'static str,
    tries: &'static str,
    expected: Expected,
    manifest: fn() -> String,
) -> Guest {
    // Where there is room for a large one.
    let attack = load(move || {
        let module = of_length("0x400000", "LENGTH")
            .with(r#"(memory $memory (export "memory") 128)"#)
            .with(r#"(data $manifest (i32.const 0x400000) "MANIFEST")"#);
        module.with_manifest(manifest()).component()
    });
    Guest { name, tries, expected, attack }
}

fn of_bytes(
    name: &'static str,
    tries: &'static str,
    expected: Expected,
    module: fn() -> Module,
) -> Guest {
    Guest { name, tries, expected, attack: load(move || module().component()) }
}

/// The manifest's place and length as WAT.
fn of_length(at: &str, length: &str) -> Module {
    Module::healthy().with(&format!(
        r#"(func $manifest (export "unskew:module/evaluate@1.0.0#manifest") (result i32)
             (call $returned (i32.const {at}) (i32.const {length})))"#
    ))
}

fn change(from: &str, to: &str) -> String {
    let healthy = Module::healthy_manifest();
    assert!(healthy.contains(from), "{from} is not in the manifest");
    healthy.replacen(from, to, 1)
}

fn transform(name: &str) -> String {
    format!(r#"{{"name":"{name}","inputs":[],"outputs":[{{"name":"y","type":"bool"}}]}}"#)
}
