//! Guests that trap in every way, and what they leave for the next call.

use anyhow::{Result, ensure};
use unskew_host::{CompiledModule, RowStatus};

use crate::attack::{accepted, call_all, call_on_13};
use crate::call::{Function, call, numbers};
use crate::guest::{Guest, Seen, pattern};
use crate::guests::of_file;

pub(super) fn guests() -> Vec<Guest> {
    let trap = |name, tries, function, module: fn() -> crate::module::Module| Guest {
        name,
        tries,
        expected: pattern!(Seen::Row(RowStatus::Trapped)),
        attack: call_on_13(function, module),
    };
    vec![
        trap("trap", "traps on one row", Function::Transform, of_file!("trap")),
        trap("trap-in-partial", "traps on one row", Function::Partial, of_file!("trap")),
        trap("trap-in-merge", "traps on one pair of states", Function::Merge, of_file!("trap")),
        trap("out-of-bounds", "reads past 2^32", Function::Transform, of_file!("out_of_bounds")),
        trap(
            "null-call",
            "calls through an empty slot",
            Function::Transform,
            of_file!("null_call"),
        ),
        trap(
            "wrong-signature",
            "calls a function as if it were of another type",
            Function::Transform,
            of_file!("wrong_signature"),
        ),
        trap("panic", "panics, and names the wrong row", Function::Transform, of_file!("panic")),
        trap(
            "panic-that-blames-row-0",
            "traps in all company and blames the first row",
            Function::Transform,
            of_file!("panic_that_blames_row_0"),
        ),
        trap(
            "poisoned-by-a-trap",
            "leaves marks for whoever calls it after its trap",
            Function::Transform,
            of_file!("poisoned_by_a_trap"),
        ),
        trap("divide-by-zero", "divides by zero", Function::Transform, of_file!("divide_by_zero")),
        trap(
            "conversion-overflow",
            "turns 1e300 into an integer",
            Function::Transform,
            of_file!("conversion_overflow"),
        ),
        trap(
            "fill-out-of-bounds",
            "fills memory over its end in one instruction",
            Function::Transform,
            of_file!("fill_out_of_bounds"),
        ),
        trap(
            "hint-out-of-range",
            "blames row 2^32 - 1 for its trap",
            Function::Transform,
            of_file!("hint_out_of_range"),
        ),
        trap(
            "post-return-that-traps",
            "traps after its reply",
            Function::Transform,
            of_file!("post_return_that_traps"),
        ),
        Guest {
            name: "panic-that-blames-the-last-row",
            tries: "traps in all company of 8,192 rows and blames the last row each time",
            expected: pattern!(Seen::Row(RowStatus::Trapped)),
            attack: Box::new(|ward| {
                let module = of_file!("panic_that_blames_the_last_row")();
                bounded_work(&accepted(&ward.host, &module)?, 8192)
            }),
        },
        Guest {
            name: "panic-that-blames-the-first-row",
            tries: "traps in all company of 8,192 rows and blames the first row each time",
            expected: pattern!(Seen::Row(RowStatus::Trapped)),
            attack: Box::new(|ward| {
                let module = of_file!("panic_that_blames_row_0")();
                bounded_work(&accepted(&ward.host, &module)?, 8192)
            }),
        },
        Guest {
            name: "pointer-to-pointer-misaligned",
            tries: "returns an odd address for pointer and length of its reply",
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_all(of_file!("pointer_to_pointer_misaligned")),
        },
        Guest {
            name: "pointer-to-pointer-outside",
            tries: "returns an address past its memory for pointer and length of its reply",
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_all(of_file!("pointer_to_pointer_outside")),
        },
        Guest {
            name: "reply-over-request",
            tries: "returns a reply that lies where the request was",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("reply_over_request")),
        },
        Guest {
            name: "reply-over-its-pointer",
            tries: "returns a reply that lies over its own pointer and length",
            expected: pattern!(Seen::Harmless),
            attack: call_all(of_file!("reply_over_its_pointer")),
        },
        Guest {
            name: "realloc-misaligned",
            tries: "takes the request at an odd address",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("realloc_misaligned")),
        },
        Guest {
            name: "realloc-overlapping",
            tries: "takes the request over its own data",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("realloc_overlapping")),
        },
        Guest {
            name: "realloc-that-grows",
            tries: "grows its memory while the host writes to it",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("realloc_that_grows")),
        },
        Guest {
            name: "realloc-at-the-end",
            tries: "takes the request over the end of its memory",
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_all(of_file!("realloc_at_the_end")),
        },
        Guest {
            name: "realloc-beyond-the-end",
            tries: "takes the request where its end is past 2^32",
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_all(of_file!("realloc_beyond_the_end")),
        },
        Guest {
            name: "realloc-that-logs",
            tries: "calls the host back while the host lowers the request",
            expected: pattern!(Seen::Row(RowStatus::Trapped)),
            attack: call_all(of_file!("realloc_that_logs")),
        },
        trap(
            "post-return-that-logs",
            "calls the host back while it may only clean up",
            Function::Transform,
            of_file!("post_return_that_logs"),
        ),
    ]
}

/// How often the host may hand over each row, at most: those that do not fail
/// are halved down to one, a fault for each row is one call more.
const TIMES_EACH_ROW: u64 = 20;

/// Calls a module that makes the host look for the failing row, and looks at
/// how many rows that took.
fn bounded_work(module: &CompiledModule, rows: i64) -> Result<Seen> {
    let outcome = module.transform(0, &numbers(0..rows), None)?;
    let handed_over = outcome.metrics.rows;
    ensure!(handed_over <= TIMES_EACH_ROW * rows as u64, "{rows} rows took {handed_over}");
    call(module, Function::Transform, rows)
}
