//! Guests that never end: each runs out of fuel, and takes nobody's but its own.

use unskew_host::{CallError, Fault, Limits, LoadError, RowStatus};

use crate::attack::{call_all, call_on_13, call_within, load};
use crate::call::Function;
use crate::guest::{Guest, Seen, pattern};
use crate::guests::of_file;
use crate::module::Module;

pub(super) fn guests() -> Vec<Guest> {
    let of_function = |name, tries, function| Guest {
        name,
        tries,
        expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
        attack: call_on_13(function, of_file!("loop")),
    };
    // Fuel bounds instructions, and these are the slowest: the time is bounded, too.
    let costly = |name, tries, module: fn() -> Module| Guest {
        name,
        tries,
        expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
        attack: call_on_13(Function::Transform, module),
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
            name: "trap-in-start",
            tries: "traps while it is instantiated",
            expected: pattern!(Seen::Load(LoadError::ManifestCall(Fault::Trapped(_)))),
            attack: load(|| of_file!("trap_in_start")().component()),
        },
        Guest {
            name: "recursion-in-start",
            tries: "calls itself for ever while it is instantiated",
            expected: pattern!(Seen::Load(LoadError::ManifestCall(Fault::StackOverflow))),
            attack: load(|| of_file!("recursion_in_start")().component()),
        },
        Guest {
            name: "memory-bomb-in-start",
            tries: "takes all memory while it is instantiated",
            expected: pattern!(Seen::Load(LoadError::ManifestCall(Fault::OutOfMemory { .. }))),
            attack: load(|| of_file!("memory_bomb_in_start")().component()),
        },
        Guest {
            name: "data-outside",
            tries: "has data behind the end of its memory",
            expected: pattern!(Seen::Load(LoadError::ManifestCall(Fault::Trapped(_)))),
            attack: load(|| of_file!("data_outside")().component()),
        },
        Guest {
            name: "loop-in-start",
            tries: "spins while it is instantiated",
            expected: pattern!(Seen::Load(LoadError::ManifestCall(Fault::OutOfFuel { .. }))),
            attack: load(|| of_file!("loop_in_start")().component()),
        },
        costly("loop-of-calls", "makes 2^60 calls without a loop", of_file!("loop_of_calls")),
        costly("loop-of-growth", "asks for no memory, for ever", of_file!("loop_of_growth")),
        costly("loop-of-fills", "fills a megabyte at a time, for ever", of_file!("loop_of_fills")),
        costly(
            "loop-of-copies",
            "moves a megabyte at a time, for ever",
            of_file!("loop_of_copies"),
        ),
        costly("loop-of-memory-inits", "copies data, for ever", of_file!("loop_of_memory_inits")),
        costly(
            "loop-of-table-fills",
            "fills 60,000 slots at a time",
            of_file!("loop_of_table_fills"),
        ),
        costly(
            "loop-of-table-copies",
            "moves 50,000 slots at a time",
            of_file!("loop_of_table_copies"),
        ),
        costly("loop-of-table-inits", "copies slots, for ever", of_file!("loop_of_table_inits")),
        costly(
            "loop-of-table-growth",
            "asks for no slots, for ever",
            of_file!("loop_of_table_growth"),
        ),
        costly(
            "loop-of-cache-misses",
            "reads where no cache helps",
            of_file!("loop_of_cache_misses"),
        ),
        costly(
            "loop-of-divisions",
            "takes the CPU's slowest instructions",
            of_file!("loop_of_divisions"),
        ),
        Guest {
            name: "fuel-just-below",
            tries: "takes so much fuel for each row that no two fit into a call",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("fuel_just_below")),
        },
        Guest {
            name: "loop-until-the-deadline",
            tries: "spins where fuel is without end",
            expected: pattern!(Seen::Call(CallError::DeadlineExceeded { .. })),
            attack: call_within(with_deadline(), of_file!("loop")),
        },
    ]
}
