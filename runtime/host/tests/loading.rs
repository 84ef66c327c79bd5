//! What is refused before any of it runs, or while it gives its manifest.

mod raw;

use raw::{WIT, component, doubling, host, load, module_with_manifest};
use unskew_host::{Fault, Limits, LoadError};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn refusal(bytes: &[u8]) -> LoadError {
    host(Limits::default()).load(bytes).unwrap_err()
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    let whole = component(&doubling());
    for bad in [&b""[..], b"hello, world", &whole[..whole.len() / 2], &whole[..9]] {
        let error = refusal(bad);
        assert!(matches!(error, LoadError::NotAComponent(_) | LoadError::Compile(_)), "{error:?}");
    }
    let core = wat::parse_str(doubling()).unwrap();
    assert!(matches!(refusal(&core), LoadError::CoreModule));
}

#[test]
fn a_component_that_exports_something_else_is_refused() {
    let empty = wat::parse_str("(component)").unwrap();
    let error = refusal(&empty);
    assert!(matches!(&error, LoadError::WrongExport { name, .. } if name.contains("evaluate")));
}

#[test]
fn imports_beyond_the_log_are_refused_by_name() {
    for import in [
        "wasi:filesystem/types@0.2.0",
        "wasi:sockets/tcp@0.2.0",
        "wasi:clocks/wall-clock@0.2.0",
        "wasi:random/random@0.2.0",
        "wasi:cli/environment@0.2.0",
        "unskew:module/other@1.0.0",
    ] {
        let bytes =
            wat::parse_str(format!(r#"(component (import "{import}" (instance)))"#)).unwrap();
        let error = refusal(&bytes);
        assert!(
            matches!(&error, LoadError::ForbiddenImport(names) if names == &[import]),
            "{error:?}"
        );
    }
    let func = wat::parse_str(r#"(component (import "now" (func (result u64))))"#).unwrap();
    assert!(matches!(refusal(&func), LoadError::ForbiddenImport(names) if names == ["now"]));
}

#[test]
fn a_module_of_another_version_of_the_contract_is_told_so() {
    let wit = WIT.replace("module@1.0.0", "module@2.3.0");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("unskew.wit", &wit).unwrap();
    let world = resolve.select_world(&[package], Some("module")).unwrap();
    let mut core = wat::parse_str(doubling().replace("@1.0.0", "@2.3.0")).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    let bytes = ComponentEncoder::default().module(&core).unwrap().encode().unwrap();
    let error = refusal(&bytes);
    assert!(matches!(&error, LoadError::WitVersion { found } if found == "2.3.0"), "{error:?}");
}

#[test]
fn manifests_are_checked() {
    for (manifest, part) in [
        ("", "not valid"),
        ("{", "not valid"),
        (r#"{"manifest_version":"9.0"}"#, "9.0"),
        (r#"{"manifest_version":"1.0"}"#, "the key \"language\" is missing"),
        (
            r#"{"manifest_version":"1.0","name":"m","language":"l","sdk":"s","transforms":[{"name":"f","inputs":[],"outputs":[]}]}"#,
            "no output",
        ),
    ] {
        let error = load(&module_with_manifest(manifest, "unreachable", "")).unwrap_err();
        assert!(matches!(error, LoadError::Manifest(_)), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_manifest_that_never_comes_is_bounded() {
    let returned = "\n    i32.const 16)";
    let endless = doubling().replace(returned, "(loop $ever (br $ever)) i32.const 16)");
    let error = load(&endless).unwrap_err();
    assert!(matches!(error, LoadError::ManifestCall(Fault::OutOfFuel { .. })), "{error:?}");
    let trap = doubling().replace(returned, "unreachable)");
    let error = load(&trap).unwrap_err();
    assert!(matches!(error, LoadError::ManifestCall(Fault::Trapped(_))), "{error:?}");
    // Longer than the limit, though it lies within its memory.
    let long = module_with_manifest("{}", "unreachable", "")
        .replace("(i32.const 20) (i32.const 2)", "(i32.const 20) (i32.const 4194000)")
        .replace("(memory (export \"memory\") 64)", "(memory (export \"memory\") 200)");
    let limits = Limits {
        manifest: unskew_definition::ManifestLimits { bytes: 1000, ..Default::default() },
        ..Limits::default()
    };
    let error = host(limits).load(&component(&long)).unwrap_err();
    assert!(matches!(error, LoadError::ManifestCall(Fault::InvalidReply(_))), "{error:?}");
}

#[test]
fn a_component_past_the_limits_is_refused_before_it_is_compiled() {
    let bytes = component(&doubling());
    for (limits, what) in [
        (Limits { component_bytes: 100, ..Limits::default() }, "bytes"),
        (Limits { functions: 3, ..Limits::default() }, "functions"),
        (Limits { function_bytes: 20, ..Limits::default() }, "bytes in one function"),
    ] {
        let error = host(limits).load(&bytes).unwrap_err();
        assert!(
            matches!(&error, LoadError::LimitExceeded { what: found, .. } if *found == what),
            "{error:?}"
        );
    }
}

#[test]
fn the_same_bytes_are_the_same_module() {
    let host = host(Limits::default());
    let bytes = component(&doubling());
    let (one, two) = (host.load(&bytes).unwrap(), host.load(&bytes).unwrap());
    assert_eq!(one.digest(), two.digest());
    assert_eq!(one.imports(), ["unskew:module/log@1.0.0"]);
    assert_eq!(one.manifest().transforms[0].name.as_str(), "f");
}
