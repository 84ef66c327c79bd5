//! Guests that look for, or leave, what is not theirs.

use anyhow::{Result, ensure};
use arrow::array::cast::AsArray;
use arrow::datatypes::Int64Type;
use unskew_gate::PurityGate;
use unskew_host::{CallShape, Host, Isolation, Limits};

use crate::attack::accepted;
use crate::call::{Function, call_twice, numbers};
use crate::guest::{Guest, Seen, pattern};
use crate::guests::{of_file, with};
use crate::module::Module;
use crate::ward::{Ward, host};

pub(super) fn guests() -> Vec<Guest> {
    vec![
        counter("state-in-a-global", "counts the rows that it has seen", of_file!("counter")),
        counter("state-in-memory", "counts the rows in its memory", of_file!("counter_in_memory")),
        counter("state-in-a-table", "marks a slot of its table", of_file!("counter_in_table")),
        Guest {
            name: "memory-of-the-last-tenant",
            tries: "searches its memory for what another module left there",
            expected: pattern!(Seen::Harmless),
            attack: Box::new(|_| {
                // One place for an instance: whoever comes next gets that one.
                let host = host(Limits { instances: 1, ..Limits::default() })?;
                for _ in 0..3 {
                    leave(&host, &of_file!("leaver")())?;
                    search(&host, &of_file!("scanner")())?;
                }
                Ok(Seen::Harmless)
            }),
        },
        Guest {
            name: "memory-of-a-tenant-that-trapped",
            tries: "searches its memory for what a module left that trapped",
            expected: pattern!(Seen::Harmless),
            attack: Box::new(|_| {
                let host = host(Limits { instances: 1, ..Limits::default() })?;
                let module = accepted(&host, &of_file!("leaver_that_traps")())?;
                let seen = call_twice(&module, Function::Transform)?;
                ensure!(matches!(seen, Seen::Row(_)), "it did not trap: {}", seen.line());
                search(&host, &of_file!("scanner")())?;
                Ok(Seen::Harmless)
            }),
        },
        Guest {
            name: "tables-of-the-last-tenant",
            tries: "searches its table for another module's functions",
            expected: pattern!(Seen::Harmless),
            attack: Box::new(|_| {
                let host = host(Limits { instances: 1, ..Limits::default() })?;
                leave(&host, &with(FILLS_TABLE)())?;
                search(&host, &with(SEARCHES_TABLE)())?;
                Ok(Seen::Harmless)
            }),
        },
    ]
}

/// A module that remembers its rows: the gate must refuse it, and where every
/// call has an instance of its own it can remember nothing.
fn counter(name: &'static str, tries: &'static str, module: fn() -> Module) -> Guest {
    let attack = move |ward: &Ward| {
        let module = accepted(&ward.host, &module())?;
        let shape = CallShape { rows_per_call: 1, isolation: Isolation::Fresh };
        let outcome = module.transform_in_shape(0, &numbers(0..2000), None, shape)?;
        let values = outcome.columns[0].as_primitive::<Int64Type>().values();
        ensure!(values.iter().copied().eq((0..2000).map(|x| 2 * x)), "an instance remembers");
        Ok(match PurityGate::default().check(&module, 0)? {
            Ok(_) => Seen::Harmless,
            Err(_) => Seen::Impure,
        })
    };
    Guest { name, tries, expected: pattern!(Seen::Impure), attack: Box::new(attack) }
}

const FILLS_TABLE: &str = "
    (table $table 60000 funcref)
    (elem declare func $mark)
    (func $mark)
    (func $thirteen (param $row i32)
      (table.fill $table (i32.const 0) (ref.func $mark) (i32.const 60000)))";

const SEARCHES_TABLE: &str = "
    (table $table 60000 funcref)
    (func $thirteen (param $row i32)
      (local $at i32) (local $found i64)
      (loop $next
        (if (i32.eqz (ref.is_null (table.get $table (local.get $at))))
          (then (local.set $found (i64.add (local.get $found) (i64.const 1)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 60000))))
      (i64.store (i32.add (i32.const 0x200040) (i32.shl (local.get $row) (i32.const 3))) (local.get $found)))";

/// Calls a module that leaves something behind.
fn leave(host: &Host, module: &Module) -> Result<()> {
    let seen = call_twice(&accepted(host, module)?, Function::Transform)?;
    ensure!(matches!(seen, Seen::Harmless), "it fails: {}", seen.line());
    Ok(())
}

/// Calls a module whose row 13 yields how much it has found.
fn search(host: &Host, module: &Module) -> Result<()> {
    let outcome = accepted(host, module)?.transform(0, &numbers([13]), None)?;
    ensure!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    let found = outcome.columns[0].as_primitive::<Int64Type>().value(0);
    ensure!(found == 0, "it has found {found} things of another tenant");
    Ok(())
}
