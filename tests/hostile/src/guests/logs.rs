//! Guests that misuse the one import that they have.

use unskew_host::RowStatus;

use crate::attack::{accepted, call_on_13};
use crate::call::{Function, call};
use crate::guest::{Guest, Seen, pattern};
use crate::guests::of_file;

pub(super) fn guests() -> Vec<Guest> {
    vec![
        Guest {
            name: "log-giant",
            tries: "logs 2 MiB at once",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("log_giant")),
        },
        Guest {
            name: "log-endless",
            tries: "logs for ever",
            expected: pattern!(Seen::Row(RowStatus::OutOfFuel)),
            attack: call_on_13(Function::Transform, of_file!("log_endless")),
        },
        Guest {
            name: "log-on-every-row",
            tries: "logs all that a call may in each of 8,192 calls",
            expected: pattern!(Seen::Row(RowStatus::Trapped)),
            attack: Box::new(|ward| {
                let module = accepted(&ward.host, &of_file!("log_on_every_row")())?;
                call(&module, Function::Transform, 8192)
            }),
        },
        Guest {
            name: "log-beyond-memory",
            tries: "logs a text that ends past 2^32",
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_on_13(Function::Transform, of_file!("log_beyond_memory")),
        },
        Guest {
            name: "log-of-no-level",
            tries: "logs at a level that there is not",
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_on_13(Function::Transform, of_file!("log_of_no_level")),
        },
        Guest {
            name: "log-no-text",
            tries: "forges a line of the log with control characters",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("log_no_text")),
        },
        Guest {
            name: "log-fatal-and-go-on",
            tries: "says that it gives up, and would go on",
            expected: pattern!(Seen::Row(RowStatus::Trapped)),
            attack: call_on_13(Function::Transform, of_file!("log_fatal_and_go_on")),
        },
    ]
}
