//! Guests that use parts of WebAssembly that are not settled, not needed or not
//! deterministic: every one of them stays off.

use unskew_host::LoadError;

use crate::attack::load;
use crate::binary::{COMPONENT, CORE_MODULE, section};
use crate::guest::{Guest, Seen, pattern};
use crate::guests::with_section;

pub(super) fn guests() -> Vec<Guest> {
    let core = CORE.iter().map(|(name, tries, wat)| (name, tries, CORE_MODULE, "module", wat));
    let components = COMPONENTS.iter();
    let components =
        components.map(|(name, tries, wat)| (name, tries, COMPONENT, "component", wat));
    core.chain(components)
        .map(|(name, tries, id, kind, wat)| Guest {
            name,
            tries,
            expected: pattern!(Seen::Load(LoadError::Compile(_))),
            attack: load(move || {
                let text = format!("({kind} {wat})");
                let bytes = wat::parse_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
                with_section(section(id, &bytes))
            }),
        })
        .collect()
}

const CORE: [(&str, &str, &str); 15] = [
    ("two-memories", "has two memories", "(memory 1) (memory 1)"),
    ("shared-memory", "has a memory for threads", "(memory 1 1 shared)"),
    (
        "atomics",
        "waits until another thread wakes it",
        "(memory 1) (func (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))",
    ),
    ("memory64", "has a memory of 64-bit addresses", "(memory i64 1)"),
    ("table64", "has a table of 64-bit indices", "(table i64 1 funcref)"),
    ("page-size", "has a memory of pages of one byte", "(memory 1 (pagesize 1))"),
    (
        "relaxed-simd",
        "computes what depends on the CPU",
        "(func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))",
    ),
    ("tail-calls", "calls in the place of its caller", "(func $f (return_call $f))"),
    ("exceptions", "throws an exception", "(tag $e) (func (throw $e))"),
    ("structs", "has a heap of structs", "(type (struct (field i32)))"),
    ("arrays", "has a heap of arrays", "(type (array i8))"),
    ("function-references", "has references to functions of a type", "(func (param (ref func)))"),
    ("continuations", "switches stacks", "(type $f (func)) (type (cont $f))"),
    (
        "wide-arithmetic",
        "adds numbers of 128 bits",
        "(func (param i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 0) (local.get 0) (local.get 0)))",
    ),
    (
        "external-references",
        "keeps references to things of the host on a heap",
        "(func (param anyref))",
    ),
];

const COMPONENTS: [(&str, &str, &str); 8] = [
    ("async-functions", "has a function that goes on later", "(type (func async))"),
    ("streams", "has a stream of bytes", "(type (stream u8))"),
    ("futures", "has a value that comes later", "(type (future u8))"),
    ("waitable-sets", "waits for several things at once", "(core func (canon waitable-set.new))"),
    ("backpressure", "holds back its callers", "(core func (canon backpressure.inc))"),
    ("error-contexts", "has errors that the host keeps", "(type (func (result error-context)))"),
    ("fixed-length-lists", "has a list of fixed length", "(type (list u8 4))"),
    ("values", "imports a value", r#"(import "v" (value u32))"#),
];
