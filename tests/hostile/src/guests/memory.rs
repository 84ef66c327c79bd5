//! Guests that take too much: stack, memory, tables, room for replies.

use unskew_host::{CallError, Fault, LoadError, RowStatus};

use crate::attack::{accepted, call_all, call_on_13, load};
use crate::call::{Function, numbers};
use crate::guest::{Guest, Seen, pattern};
use crate::guests::of_file;
use crate::module::Module;

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
