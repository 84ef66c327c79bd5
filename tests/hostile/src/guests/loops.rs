//! Guests that never end: each runs out of fuel, and takes nobody's but its own.

use unskew_host::{CallError, Fault, Limits, LoadError, RowStatus};

use crate::attack::{call_all, call_on_13, call_within, load};
use crate::call::Function;
use crate::guest::{Guest, Seen, pattern};
use crate::guests::of_file;

pub(super) fn guests() -> Vec<Guest> {
    let of_function = |name, tries, function| Guest {
        name,
        tries,
        expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
        attack: call_on_13(function, of_file!("loop")),
    };
    let with_deadline = || Limits {
        fuel: u64::MAX / 8,
        deadline: std::time::Duration::from_millis(200),
        ..Limits::default()
    };
    vec![
        of_function("loop-in-transform", "spins on one row", Function::Transform),
        of_function("loop-in-partial", "spins on one row", Function::Partial),
        of_function("loop-in-merge", "spins on one pair of states", Function::Merge),
        of_function("loop-in-subtract", "spins on one pair of states", Function::Subtract),
        of_function("loop-in-finish", "spins on one state", Function::Finish),
        Guest {
            name: "loop-in-post-return",
            tries: "spins when it may clean up after its reply",
            expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
            attack: call_on_13(Function::Transform, of_file!("loop_in_post_return")),
        },
        Guest {
            name: "loop-in-realloc",
            tries: "spins while the host asks for room",
            expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
            attack: call_all(of_file!("loop_in_realloc")),
        },
        Guest {
            name: "loop-in-manifest",
            tries: "spins instead of giving a manifest",
            expected: pattern!(Seen::Load(LoadError::ManifestCall(Fault::OutOfFuel { .. }))),
            attack: load(|| of_file!("loop_in_manifest")().component()),
        },
        Guest {
            name: "loop-in-start",
            tries: "spins while it is instantiated",
            expected: pattern!(Seen::Load(LoadError::ManifestCall(Fault::OutOfFuel { .. }))),
            attack: load(|| of_file!("loop_in_start")().component()),
        },
        Guest {
            name: "loop-of-calls",
            tries: "makes 2^60 calls without a loop",
            expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
            attack: call_on_13(Function::Transform, of_file!("loop_of_calls")),
        },
        Guest {
            name: "loop-of-growth",
            tries: "calls into the host's runtime for every unit of fuel",
            expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
            attack: call_on_13(Function::Transform, of_file!("loop_of_growth")),
        },
        Guest {
            name: "loop-of-fills",
            tries: "writes a megabyte for every unit of fuel",
            expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
            attack: call_on_13(Function::Transform, of_file!("loop_of_fills")),
        },
        Guest {
            name: "loop-until-the-deadline",
            tries: "spins where fuel is without end",
            expected: pattern!(Seen::Call(CallError::DeadlineExceeded { .. })),
            attack: call_within(with_deadline(), of_file!("loop")),
        },
    ]
}
