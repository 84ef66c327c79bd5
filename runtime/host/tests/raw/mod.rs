#![allow(dead_code, reason = "each test file uses a part of it")]
//! Components made by hand, for what no SDK would do.

use unskew_host::{CompiledModule, Host, HostConfig, Limits, LoadError};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract itself.
pub(crate) const WIT: &str = include_str!("../../../../wit/unskew.wit");

/// Wraps a core module, given as WAT, into a component of the contract's world.
pub(crate) fn component(core: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("unskew.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], Some("module")).unwrap();
    let mut core = wat::parse_str(core).unwrap();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&core).unwrap().encode().unwrap()
}

/// A module with one transform `f` over `x: int64`, not nullable, to
/// `f: int64`, whose body is `transform`, given as WAT instructions that leave
/// the address of the reply's pointer and length.
///
/// There are: `$batch` and `$length` of the request, `$rows`, a global
/// `$memory_base`, and `$reply`, which writes the table of a right reply of
/// `$rows` rows at address 2 MiB (its values are at 2 MiB + 64) and yields the
/// address to return.
pub(crate) fn module_with(transform: &str, extra: &str) -> String {
    let manifest = r#"{"manifest_version":"1.0","name":"raw","language":"wat","sdk":"none","transforms":[{"name":"f","inputs":[{"name":"x","type":"int64"}],"outputs":[{"name":"f","type":"int64"}]}]}"#;
    module_with_manifest(manifest, transform, extra)
}

/// As [`module_with`], with a manifest of one's own.
pub(crate) fn module_with_manifest(manifest: &str, transform: &str, extra: &str) -> String {
    let length = manifest.len();
    let escaped: String = manifest.bytes().map(|b| format!("\\{b:02x}")).collect();
    let stubs: String = ["partial", "merge", "subtract", "finish"]
        .map(|name| {
            format!(
                r#"(func (export "unskew:module/evaluate@1.0.0#{name}") (param i32 i32 i32) (result i32) unreachable)"#
            )
        })
        .concat();
    format!(
        r#"(module
  (import "unskew:module/log@1.0.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 64)
  (global $next (mut i32) (i32.const 4194304))
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 1024) "{escaped}")
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    ;; One request at a time, always at 1 MiB, growing over the end if it must.
    i32.const 1048576)
  (func (export "unskew:module/evaluate@1.0.0#manifest") (result i32)
    (i32.store (i32.const 16) (i32.const 1024))
    (i32.store (i32.const 20) (i32.const {length}))
    i32.const 16)
  (func $reply (param $rows i32) (result i32)
    (memory.fill (i32.const 2097152) (i32.const 0) (i32.const 64))
    (i32.store (i32.const 2097152) (i32.const 0x31425355))
    (i32.store (i32.const 2097156) (local.get $rows))
    (i32.store (i32.const 2097164) (i32.add (i32.const 64) (i32.mul (local.get $rows) (i32.const 8))))
    (i32.store (i32.const 2097168) (local.get $rows))
    (i32.store (i32.const 2097184) (i32.const 64))
    (i32.store (i32.const 2097188) (i32.mul (local.get $rows) (i32.const 8)))
    (i32.store (i32.const 32) (i32.const 2097152))
    (i32.store (i32.const 36) (i32.add (i32.const 64) (i32.mul (local.get $rows) (i32.const 8))))
    i32.const 32)
  (func $value (param $batch i32) (param $row i32) (result i64)
    (i64.load (i32.add (i32.add (local.get $batch) (i32.const 48)) (i32.mul (local.get $row) (i32.const 8)))))
  (func $put (param $row i32) (param $value i64)
    (i64.store (i32.add (i32.const 2097216) (i32.mul (local.get $row) (i32.const 8))) (local.get $value)))
  (func $transform (export "unskew:module/evaluate@1.0.0#transform")
    (param $index i32) (param $batch i32) (param $length i32) (result i32)
    (local $rows i32) (local $row i32) (local $x i64)
    (local.set $rows (i32.load offset=4 (local.get $batch)))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    {transform})
  {stubs}
  {extra})"#
    )
}

/// A loop over all rows with `$x` set; `body` ends by putting a value.
pub(crate) fn each_row(body: &str) -> String {
    format!(
        r#"(block $done (loop $next_row
      (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
      (local.set $x (call $value (local.get $batch) (local.get $row)))
      {body}
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br $next_row)))
    (call $reply (local.get $rows))"#
    )
}

/// `f(x) = 2 x`.
pub(crate) fn doubling() -> String {
    module_with(
        &each_row("(call $put (local.get $row) (i64.mul (local.get $x) (i64.const 2)))"),
        "",
    )
}

pub(crate) fn host(limits: Limits) -> Host {
    Host::new(HostConfig { limits, ..HostConfig::default() }).unwrap()
}

pub(crate) fn load(wat: &str) -> Result<CompiledModule, LoadError> {
    host(Limits::default()).load(&component(wat))
}
