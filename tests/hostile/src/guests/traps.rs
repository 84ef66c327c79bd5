//! Guests that trap in every way, and what they leave for the next call.

use unskew_host::RowStatus;

use crate::attack::{call_all, call_on_13};
use crate::call::Function;
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
