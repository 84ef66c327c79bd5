//! Functions that keep an optimising compiler busy for very long.

use std::fmt::Write;

use crate::module::Module;

/// A family of functions that are slow to compile, by size.
pub struct Slow {
    /// Its name.
    pub name: &'static str,
    /// What the compiler is slow at.
    pub what: &'static str,
    /// A size that is far too large for any compiler.
    pub huge: usize,
    /// About the largest size that a module may have.
    pub allowed: usize,
    /// How many of `allowed` one module may have.
    pub copies: usize,
    function: fn(usize) -> String,
}

impl Slow {
    /// A component with `copies` functions of `size`.
    pub fn component(&self, size: usize, copies: usize) -> Vec<u8> {
        let functions = (self.function)(size).repeat(copies);
        let support = "(func $many_results (result MANY) unreachable) (func $nothing) (type $nothing (func)) (table $slots 100 100 funcref)";
        let support = support.replace("MANY", &"i64 ".repeat(1000));
        Module::healthy().with(&support).with(&functions).component()
    }
}

/// All families.
pub fn slow_functions() -> Vec<Slow> {
    let slow = |name, what, huge, allowed, copies, function| Slow {
        name,
        what,
        huge,
        allowed,
        copies,
        function,
    };
    vec![
        slow("straight-line", "no branch at all", 190_000, 90_000, 128, straight_line),
        slow(
            "many-values-at-once",
            "more live values than registers",
            130_000,
            40_000,
            128,
            many_values,
        ),
        slow("loops-in-loops", "values carried around nested loops", 1_000, 60, 2, loops_in_loops),
        slow(
            "locals-in-loops",
            "many values carried around few loops",
            9_000,
            3_500,
            9,
            locals_in_loops,
        ),
        slow("ways-out-of-a-block", "one place where many ways meet", 40_000, 5_000, 8, ways_out),
        slow(
            "values-on-ways-out",
            "many values on many ways",
            16_000,
            1_500,
            6,
            values_on_ways_out,
        ),
        slow("loops-in-a-row", "checks of fuel and deadline", 100_000, 8_000, 12, loops_in_a_row),
        slow(
            "locals-through-loops",
            "locals looked for through many blocks",
            3_000,
            1_500,
            6,
            locals_through_loops,
        ),
        slow("branches-by-table", "tables of ways", 500, 220, 8, branches_by_table),
        slow("many-results", "calls that give 1,000 values", 4_000, 330, 100, many_results),
        slow("calls-through-a-table", "checked calls", 60_000, 7_000, 12, calls_through_a_table),
        slow("table-reads", "checked reads of a table", 60_000, 7_000, 12, table_reads),
        slow("ifs-in-a-row", "branches in a row", 60_000, 7_000, 12, ifs_in_a_row),
        slow("deep-blocks", "blocks inside of each other", 100_000, 1_900, 300, deep_blocks),
    ]
}

fn locals(count: usize) -> String {
    format!("(func (param $at i32) (local {})\n", "i64 ".repeat(count))
}

fn add_one(local: usize) -> String {
    format!("(local.set {local} (i64.add (local.get {local}) (i64.const 1)))\n")
}

fn straight_line(size: usize) -> String {
    let mut wat = "(func (param i64) (result i64) (local.get 0)".to_owned();
    for i in 0..size {
        let operator = ["mul", "add", "xor", "rotl"][i % 4];
        let _ = writeln!(wat, "(i64.const {}) i64.{operator}", i % 61 + 1);
    }
    wat + ")"
}

fn many_values(size: usize) -> String {
    let mut wat = "(func (param i32) (result i64)".to_owned();
    for i in 0..size {
        let _ = writeln!(wat, "(i64.load offset={} (local.get 0))", i * 8 % 120);
        if i % 50 == 49 {
            wat.push_str("(i64.store (local.get 0) (i64.const 1))\n");
        }
    }
    wat.push_str(&"i64.add ".repeat(size - 1));
    wat + ")"
}

fn loops_in_loops(size: usize) -> String {
    loops_around(1000, size)
}

fn locals_in_loops(size: usize) -> String {
    loops_around(size, 60)
}

fn loops_around(values: usize, loops: usize) -> String {
    let mut wat = locals(values) + &"loop\n".repeat(loops);
    wat.extend((1..=values).map(add_one));
    wat.push_str(&"(br_if 0 (local.get $at)) end\n".repeat(loops));
    wat + ")"
}

fn ways_out(size: usize) -> String {
    ways(1, size)
}

fn values_on_ways_out(size: usize) -> String {
    ways(100, size)
}

fn ways(values: usize, ways: usize) -> String {
    let mut wat = locals(values) + "(block\n";
    for i in 0..ways {
        wat.push_str(&add_one(i % values + 1));
        wat.push_str("(br_if 0 (local.get $at))\n");
    }
    wat.push(')');
    for local in 1..=values {
        let _ = writeln!(wat, "(i64.store (local.get $at) (local.get {local}))");
    }
    wat + ")"
}

fn loops_in_a_row(size: usize) -> String {
    format!("(func {})", "(loop nop)".repeat(size))
}

fn locals_through_loops(size: usize) -> String {
    let mut wat = locals(size);
    for local in 1..=size {
        let _ = writeln!(wat, "(loop {} (br_if 0 (local.get $at)))", add_one(local));
    }
    for local in 1..=size {
        let _ = writeln!(wat, "(i64.store (local.get $at) (local.get {local}))");
    }
    wat + ")"
}

fn branches_by_table(size: usize) -> String {
    let all: String = (0..=size).map(|i| format!("{i} ")).collect();
    let table = format!("block (br_table {all} (local.get $at)) end\n").repeat(size);
    format!("{}{}{table}{})", locals(0), "block\n".repeat(size), "end\n".repeat(size))
}

fn many_results(size: usize) -> String {
    format!("(func {} unreachable)", "(call $many_results)".repeat(size))
}

fn calls_through_a_table(size: usize) -> String {
    format!("(func {})", "(call_indirect $slots (type $nothing) (i32.const 0))\n".repeat(size))
}

fn table_reads(size: usize) -> String {
    format!("(func (param i32) {})", "(drop (table.get $slots (local.get 0)))\n".repeat(size))
}

fn ifs_in_a_row(size: usize) -> String {
    format!("(func (param i32) {})", "(if (local.get 0) (then nop) (else nop))\n".repeat(size))
}

fn deep_blocks(size: usize) -> String {
    format!("(func {} {})", "block ".repeat(size), "end ".repeat(size))
}
