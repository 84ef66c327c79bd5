//! Guests that never get to run: they keep the compiler busy.

use std::time::Duration;

use unskew_host::{Limits, LoadError};

use crate::attack::{load, load_within};
use crate::guest::{Guest, Seen, pattern};
use crate::module::Module;
use crate::slow::slow_functions;

pub(super) fn guests() -> Vec<Guest> {
    let mut guests: Vec<Guest> = slow_functions()
        .into_iter()
        .map(|slow| Guest {
            name: slow.name,
            tries: slow.what,
            expected: pattern!(Seen::Load(LoadError::LimitExceeded { .. })),
            attack: load(move || slow.component(slow.huge, 1)),
        })
        .collect();
    let impatient = Limits { compile_deadline: Duration::from_millis(1), ..Limits::default() };
    guests.push(Guest {
        name: "compiled-too-late",
        tries: "takes longer to compile than the host has patience",
        expected: pattern!(Seen::Load(LoadError::CompileDeadline(_))),
        attack: load_within(impatient, || {
            Module::healthy()
                .with(&"(func (param i32) (loop (br_if 0 (local.get 0))))".repeat(3000))
                .component()
        }),
    });
    guests
}
