//! Guests that want more of their host than the log.

use anyhow::ensure;
use unskew_host::LoadError;

use crate::attack::{load, load_on};
use crate::guest::{Expected, Guest, Seen, pattern};
use crate::module::Module;

pub(super) fn guests() -> Vec<Guest> {
    let mut guests: Vec<Guest> = [
        ("import-files", "opens files", "wasi:filesystem/preopens", "get-directories"),
        ("import-sockets", "opens sockets", "wasi:sockets/tcp-create-socket", "create-tcp-socket"),
        ("import-http", "calls other servers", "wasi:http/outgoing-handler", "handle"),
        ("import-wall-clock", "asks for the time", "wasi:clocks/wall-clock", "now"),
        ("import-clock", "measures time", "wasi:clocks/monotonic-clock", "now"),
        ("import-random", "asks for random numbers", "wasi:random/random", "get-random-u64"),
        ("import-environment", "reads the environment", "wasi:cli/environment", "initial-cwd"),
        ("import-exit", "ends the process", "wasi:cli/exit", "exit"),
        ("import-output", "writes to the terminal", "wasi:cli/stdout", "get-stdout"),
        ("import-of-ours", "asks for a secret", "unskew:secrets/store", "read"),
    ]
    .into_iter()
    .map(|(name, tries, interface, function)| Guest {
        name,
        tries,
        expected: forbidden(),
        attack: Box::new(move |ward| {
            let seen = load_on(&ward.host, &importing(interface, function).component())?;
            if let Seen::Load(LoadError::ForbiddenImport(names)) = &seen {
                let is_named = matches!(names.as_slice(), [name] if name.starts_with(interface));
                ensure!(is_named, "it is refused for {names:?}");
            }
            Ok(seen)
        }),
    })
    .collect();
    guests.extend([
        contract("log-reads", "imports a function that the log has not", forbidden(), || {
            changed("    write: func(", "    read: func() -> u64;\n    write: func(")
                .with(r#"(import "unskew:module/log@1.0.0" "read" (func $read (result i64)))"#)
                .with("(func $thirteen (param $row i32) (drop (call $read)))")
        }),
        raw("import-function", "imports a function by no interface", forbidden(), || {
            wat(r#"(component (import "now" (func (result u64))))"#)
        }),
        raw("import-module", "imports a core module", forbidden(), || {
            wat(r#"(component (import "code" (core module)))"#)
        }),
        raw("import-type", "imports a resource", forbidden(), || {
            wat(r#"(component (import "handle" (type (sub resource))))"#)
        }),
        raw("import-many", "imports 1,000 interfaces with long names", forbidden(), || {
            let name = "n".repeat(900);
            let imports = (0..1000).map(|i| format!("(import \"{name}-n{i}\" (instance))"));
            wat(&format!("(component {})", imports.collect::<String>()))
        }),
        contract("contract-2", "was made for version 2 of the contract", other_version(), || {
            changed("@1.0.0", "@2.0.0")
        }),
        contract(
            "contract-1-9",
            "was made for version 1.9 of the contract",
            other_version(),
            || changed("@1.0.0", "@1.9.0"),
        ),
        contract("wrong-export", "exports transform of another type", wrong_export(), || {
            changed(
                "transform: func(index: u32, batch: list<u8>)",
                "transform: func(index: u32, batch: list<s8>)",
            )
        }),
        contract("wrong-result", "exports a manifest that is a number", wrong_export(), || {
            changed("manifest: func() -> string", "manifest: func() -> u32")
        }),
    ]);
    guests
}

fn contract(
    name: &'static str,
    tries: &'static str,
    expected: Expected,
    module: fn() -> Module,
) -> Guest {
    Guest { name, tries, expected, attack: load(move || module().component()) }
}

fn raw(
    name: &'static str,
    tries: &'static str,
    expected: Expected,
    bytes: fn() -> Vec<u8>,
) -> Guest {
    Guest { name, tries, expected, attack: load(bytes) }
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|e| panic!("{e}"))
}

fn forbidden() -> Expected {
    pattern!(Seen::Load(LoadError::ForbiddenImport(_)))
}

fn other_version() -> Expected {
    pattern!(Seen::Load(LoadError::WitVersion { .. }))
}

fn wrong_export() -> Expected {
    pattern!(Seen::Load(LoadError::WrongExport { .. }))
}

fn changed(from: &str, to: &str) -> Module {
    Module::healthy().with_contract_change(from, to)
}

/// A module that works, and imports one function more.
fn importing(interface: &str, function: &str) -> Module {
    let (package, name) = interface.split_once('/').expect("an interface is of a package");
    let wit = format!(
        "\npackage {package}@0.2.0 {{ interface {name} {{ {function}: func() -> u64; }} }}\n"
    );
    Module::healthy().with_import(&format!("{interface}@0.2.0"), &wit).with(&format!(
        r#"(import "{interface}@0.2.0" "{function}" (func $wanted (result i64)))
           (func $thirteen (param $row i32) (drop (call $wanted)))"#
    ))
}
