//! Guests that take too much: stack, memory, tables, room for replies.

use anyhow::{Result, ensure};
use unskew_host::{CallError, Fault, Limits, LoadError, RowStatus};

use crate::attack::{accepted, call_all, call_on_13, load};
use crate::call::{Function, call, numbers};
use crate::guest::{Guest, Seen, pattern};
use crate::guests::{of_file, with};
use crate::module::Module;
use crate::process::Process;
use crate::ward::host;

pub(super) fn guests() -> Vec<Guest> {
    vec![
        Guest {
            name: "recursion",
            tries: "calls itself for ever",
            expected: pattern!(Seen::Row(RowStatus::StackOverflow)),
            attack: call_on_13(Function::Transform, of_file!("recursion")),
        },
        Guest {
            name: "recursion-in-finish",
            tries: "calls itself for ever on one state",
            expected: pattern!(Seen::Row(RowStatus::StackOverflow)),
            attack: call_on_13(Function::Finish, of_file!("recursion")),
        },
        Guest {
            name: "recursion-in-realloc",
            tries: "calls itself for ever while the host asks for room",
            expected: pattern!(Seen::Row(RowStatus::StackOverflow)),
            attack: call_all(of_file!("recursion_in_realloc")),
        },
        Guest {
            name: "recursion-in-manifest",
            tries: "calls itself instead of giving a manifest",
            expected: pattern!(Seen::Load(LoadError::ManifestCall(Fault::StackOverflow))),
            attack: load(|| of_file!("recursion_in_manifest")().component()),
        },
        Guest {
            name: "recursion-with-large-frames",
            tries: "jumps over the guard page with frames of many kilobytes",
            expected: pattern!(Seen::Row(RowStatus::StackOverflow)),
            attack: call_on_13(Function::Transform, || large_frames(4000)),
        },
        Guest {
            name: "memory-bomb",
            tries: "takes memory page by page until it fails",
            expected: pattern!(Seen::Row(RowStatus::OutOfMemory)),
            attack: call_on_13(Function::Transform, of_file!("memory_bomb")),
        },
        Guest {
            name: "memory-bomb-caught",
            tries: "takes all memory, catches the failure and goes on",
            expected: pattern!(Seen::Row(RowStatus::OutOfMemory)),
            attack: call_on_13(Function::Transform, of_file!("memory_bomb_caught")),
        },
        Guest {
            name: "memory-bomb-at-once",
            tries: "asks for 4 GiB and would go on without",
            expected: pattern!(Seen::Row(RowStatus::OutOfMemory)),
            attack: call_on_13(Function::Transform, of_file!("memory_bomb_at_once")),
        },
        Guest {
            name: "memory-bomb-at-birth",
            tries: "begins with more memory than an instance may have",
            expected: pattern!(Seen::Row(RowStatus::OutOfMemory)),
            attack: call_all(of_file!("memory_bomb_at_birth")),
        },
        Guest {
            name: "memory-bomb-beyond-pool",
            tries: "begins with 4 GiB",
            expected: pattern!(Seen::Load(LoadError::Compile(_))),
            attack: load(|| of_file!("memory_bomb_beyond_pool")().component()),
        },
        Guest {
            name: "table-bomb",
            tries: "grows a table until it fails",
            expected: pattern!(Seen::Row(RowStatus::OutOfMemory)),
            attack: call_on_13(Function::Transform, of_file!("table_bomb")),
        },
        Guest {
            name: "table-at-birth",
            tries: "begins with a table of ten million slots",
            expected: pattern!(Seen::Load(LoadError::Compile(_))),
            attack: load(|| of_file!("table_at_birth")().component()),
        },
        Guest {
            name: "tables-too-many",
            tries: "begins with twenty tables",
            expected: pattern!(Seen::Load(LoadError::Compile(_))),
            attack: load(|| of_file!("tables_too_many")().component()),
        },
        Guest {
            name: "data-with-holes",
            tries: "has two bytes of data 60 MiB apart",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, || {
                of_file!("data_with_holes")()
                    .with_manifest_change(r#""language":"wat""#, r#""language":"python""#)
            }),
        },
        Guest {
            name: "memory-growth-at-birth",
            tries: "touches all its memory in every instance",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("memory_growth_at_birth")),
        },
        Guest {
            name: "memory-of-many-tenants",
            tries: "is 40 modules, each of which keeps 40 MiB while it waits for its next call",
            expected: pattern!(Seen::Harmless),
            attack: Box::new(|_| many_tenants(40)),
        },
        Guest {
            name: "huge-reply",
            tries: "returns 200 MiB for one row",
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_on_13(Function::Transform, || {
                let python = r#""language":"python""#;
                of_file!("huge_reply")().with_manifest_change(r#""language":"wat""#, python)
            }),
        },
        Guest {
            name: "huge-replies",
            tries: "returns a megabyte for each of 4,000 rows",
            expected: pattern!(Seen::Call(CallError::OutcomeTooLarge { .. })),
            attack: Box::new(|ward| {
                let output = r#""outputs":[{"name":"f","type":"int64"}]"#;
                let text = r#""outputs":[{"name":"f","type":"utf8"}]"#;
                let module = of_file!("huge_replies")().with_manifest_change(output, text);
                let module = accepted(&ward.host, &module)?;
                match module.transform(0, &numbers(0..4000), None) {
                    Ok(_) => Ok(Seen::Harmless),
                    Err(error) => Ok(Seen::Call(error)),
                }
            }),
        },
    ]
}

/// Calls `count` modules that keep a lot of memory, and looks at what the host
/// then has of it.
fn many_tenants(count: usize) -> Result<Seen> {
    let limits = Limits { idle_bytes: 256 << 20, ..Limits::default() };
    let allowed = limits.idle_bytes + limits.memory_bytes;
    let host = host(limits)?;
    let before = Process::now()?;
    let mut tenants = Vec::with_capacity(count);
    for tenant in 0..count {
        let manifest = format!(r#""name":"tenant_{tenant}""#);
        let module = with(KEEPS_MEMORY)().with_manifest_change(r#""name":"healthy""#, &manifest);
        let module = accepted(&host, &module)?;
        match call(&module, Function::Transform, 32)? {
            Seen::Harmless => tenants.push(module),
            other => return Ok(other),
        }
    }
    // They are held to the end, as a server holds the modules that it serves.
    let more = Process::now()?.more_bytes_than(&before);
    ensure!(more < 2 * allowed, "{more} bytes are kept for {} idle modules", tenants.len());
    Ok(Seen::Harmless)
}

const KEEPS_MEMORY: &str = "
    (func $thirteen (param $row i32)
      (local $start i32)
      (local.set $start (memory.grow (i32.const 576)))
      (memory.fill (i32.shl (local.get $start) (i32.const 16)) (i32.const 7) (i32.const 0x2400000)))";

/// Recursion whose frames hold `values` numbers each.
fn large_frames(values: usize) -> Module {
    let push: String = (0..values)
        .map(|i| {
            format!(
                "(i64.rotl (local.get $x) (i64.const {i}))\n(i64.mul (i64.const {}))",
                2 * i + 3
            )
        })
        .collect();
    let wat = include_str!("../../guests/recursion_with_large_frames.wat");
    Module::healthy()
        .with(&wat.replace("VALUES", &push).replace("SUMS", &"i64.add\n".repeat(values)))
}
