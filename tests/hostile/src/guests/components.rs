//! Files that are no module, or a kind of file that would hurt its reader.

use anyhow::{bail, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use unskew_host::{Limits, LoadError};

use crate::attack::{load, load_on};
use crate::binary::{
    COMPONENT, COMPONENT_HEAD, CORE_MODULE, TYPE, component, custom, deep_lists, deep_type,
    instances_in_instances, instances_of_instances, many_core_instances, many_core_types, number,
    section,
};
use crate::call::{Function, call};
use crate::guest::{Expected, Guest, Seen, pattern};
use crate::guests::{component_of_file, with_section};
use crate::module::Module;

pub(super) fn guests() -> Vec<Guest> {
    vec![
        of("core-module", "is a core module", pattern!(Seen::Load(LoadError::CoreModule)), || {
            Module::healthy().core()
        }),
        of("empty-file", "is empty", not_a_component(), Vec::new),
        of("text-file", "is a text", not_a_component(), || b"import os; os.abort()".to_vec()),
        of("half-a-file", "ends in the middle", not_a_component(), || {
            let mut bytes = Module::healthy().component();
            bytes.truncate(bytes.len() / 2);
            bytes
        }),
        of("component-of-nothing", "is a component without exports", no_export(), || {
            COMPONENT_HEAD.to_vec()
        }),
        Guest {
            name: "file-cut-anywhere",
            tries: "ends at any of its bytes",
            expected: pattern!(Seen::Load(_)),
            attack: Box::new(|ward| {
                let bytes = Module::healthy().component();
                let mut last = None;
                let mut accepted = 0;
                for length in 0..bytes.len() {
                    match ward.host.load(&bytes[..length]) {
                        Err(error) => last = Some(Seen::Load(error)),
                        // Its end is a custom section or two, without which it is whole.
                        Ok(module) => match call(&module, Function::Transform, 3)? {
                            Seen::Harmless => accepted += 1,
                            other => bail!("its first {length} bytes: {}", other.line()),
                        },
                    }
                }
                ensure!(accepted <= 2, "{accepted} of its beginnings are accepted");
                last.ok_or_else(|| anyhow::anyhow!("there is nothing to cut"))
            }),
        },
        Guest {
            name: "random-bytes",
            tries: "is made of random bytes behind a right head",
            expected: pattern!(Seen::Load(_)),
            attack: Box::new(|ward| {
                let mut random = ChaCha8Rng::seed_from_u64(1);
                let mut last = None;
                for _ in 0..500 {
                    let mut bytes = COMPONENT_HEAD.to_vec();
                    bytes.extend((0..random.random_range(1..2000)).map(|_| random.random::<u8>()));
                    match ward.host.load(&bytes) {
                        Ok(_) => bail!("random bytes are accepted: {bytes:?}"),
                        Err(error) => last = Some(Seen::Load(error)),
                    }
                }
                last.ok_or_else(|| anyhow::anyhow!("there are no random bytes"))
            }),
        },
        Guest {
            name: "noise",
            tries: "is made of random bytes",
            expected: pattern!(Seen::Load(LoadError::NotAComponent(_))),
            attack: Box::new(|ward| {
                let mut random = ChaCha8Rng::seed_from_u64(3);
                let mut last = None;
                for _ in 0..500 {
                    let length = random.random_range(0..2000);
                    let bytes: Vec<u8> = (0..length).map(|_| random.random()).collect();
                    match ward.host.load(&bytes) {
                        Ok(_) => bail!("random bytes are accepted: {bytes:?}"),
                        Err(error) => last = Some(Seen::Load(error)),
                    }
                }
                last.ok_or_else(|| anyhow::anyhow!("there are no random bytes"))
            }),
        },
        Guest {
            name: "flipped-bits",
            tries: "is a right module but for one bit",
            expected: pattern!(Seen::Harmless),
            attack: Box::new(|ward| {
                let bytes = Module::healthy().component();
                let mut random = ChaCha8Rng::seed_from_u64(2);
                let mut refused = 0;
                for _ in 0..100 {
                    let mut bytes = bytes.clone();
                    let bit = random.random_range(0..bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    match ward.host.load(&bytes) {
                        // It may compute anything; all it may not do is hurt.
                        Ok(module) => drop(call(&module, Function::Transform, 3)),
                        Err(_) => refused += 1,
                    }
                }
                ensure!(refused > 10, "most bits of a module matter");
                Ok(Seen::Harmless)
            }),
        },
        of(
            "too-large",
            "has more than 64 MiB",
            pattern!(Seen::Load(LoadError::LimitExceeded { what: "bytes", .. })),
            || with_section(custom("padding", &vec![0; Limits::default().component_bytes])),
        ),
        of(
            "too-many-functions",
            "has 100,001 functions",
            pattern!(Seen::Load(LoadError::LimitExceeded { what: "functions", .. })),
            || Module::healthy().with(&"(func)".repeat(100_001)).component(),
        ),
        of("function-too-large", "has a function of 600 KiB", expect_limit(), || {
            let code = "(drop (i64.const 0x7fffffffffffffff))".repeat(60_000);
            Module::healthy().with(&format!("(func {code})")).component()
        }),
        of("deep-components", "nests 1,000 components", expect_limit(), || {
            let mut inner = component(&[]);
            for _ in 0..1000 {
                inner = component(&[section(COMPONENT, &inner)]);
            }
            with_section(section(COMPONENT, &inner))
        }),
        of("deep-component-types", "nests 1,000 types of components", expect_limit(), || {
            with_section(deep_type(0x41, 1000))
        }),
        of("deeper-component-types", "nests 1,000,000 types of components", expect_limit(), || {
            with_section(deep_type(0x41, 1_000_000))
        }),
        of("deep-instance-types", "nests 1,000,000 types of instances", expect_limit(), || {
            with_section(deep_type(0x42, 1_000_000))
        }),
        of(
            "instances-of-instances",
            "is 10^20 components when instantiated",
            expect_limit(),
            || {
                // The component that wit-component makes has one inside.
                with_section(instances_of_instances(1, 20, 10))
            },
        ),
        of("component-as-argument", "takes a component as an argument", expect_limit(), || {
            let taker = wat::parse_str(
                r#"(component (import "c" (component $c)) (instance (instantiate $c)))"#,
            );
            with_section(section(COMPONENT, &taker.expect("the WAT is right")))
        }),
        of(
            "component-in-an-argument",
            "takes an instance that exports a component",
            expect_limit(),
            || {
                let taker = wat::parse_str(
                    r#"(component
                     (import "i" (instance $i (export "c" (component))))
                     (alias export $i "c" (component $c))
                     (instance (instantiate $c)))"#,
                );
                with_section(section(COMPONENT, &taker.expect("the WAT is right")))
            },
        ),
        of(
            "adapter-between-components",
            "hands lists from one component to another",
            expect_limit(),
            || with_section(section(COMPONENT, &component_of_file!("adapter_between_components"))),
        ),
        of(
            "adapter-within-a-component",
            "hands lists to itself in another encoding",
            expect_limit(),
            || component_of_file!("adapter_within_a_component"),
        ),
        of("deep-value-types", "has lists in lists, 100,000 deep", compile(), || {
            with_section(section(COMPONENT, &component(&[deep_lists(100_000)])))
        }),
        of("instances-in-instances", "has instances in instances, 900 deep", compile(), || {
            with_section(section(COMPONENT, &component(&[instances_in_instances(900)])))
        }),
        of("many-core-instances", "makes 270,000 core instances", compile(), || {
            with_section(many_core_instances(1, 900, 300))
        }),
        of("many-component-types", "has 400,000 types", expect_limit(), || {
            with_section(section(
                TYPE,
                &[number(400_000), [0x40, 0, 1, 0].repeat(400_000)].concat(),
            ))
        }),
        of("many-core-types", "has 100,000 types of functions", expect_limit(), || {
            with_section(many_core_types(100_000))
        }),
        of("many-data-segments", "has 50,000 pieces of data", harmless(), || {
            let data =
                (0..50_000).map(|i| format!("(data (i32.const {}) \"x\")", 0x300000 + 8 * i));
            Module::healthy().with(&data.collect::<String>()).component()
        }),
        of(
            "many-elements",
            "fills a table of 60,000 slots 100 times at its birth",
            harmless(),
            || {
                let functions = "$mark ".repeat(60_000);
                let elements =
                    format!("(elem (table $table) (i32.const 0) func {functions})").repeat(100);
                let table = "(table $table 60000 funcref) (func $mark)";
                Module::healthy().with(table).with(&elements).component()
            },
        ),
        of("large-custom-section", "has a custom section of 60 MiB", harmless(), || {
            with_section(custom("padding", &vec![0; 60 << 20]))
        }),
        of("many-custom-sections", "has a million custom sections", harmless(), || {
            with_section(custom("", &[]).repeat(1_000_000))
        }),
        of("long-names", "has exports with names of 90,000 bytes", harmless(), || {
            let name = "n".repeat(90_000);
            let exports = (0..10).map(|i| format!("(export \"{name}{i}\" (func $nothing))"));
            let wat = format!("(module (func $nothing) {})", exports.collect::<String>());
            let module = wat::parse_str(wat).expect("the WAT is right");
            with_section(section(CORE_MODULE, &module))
        }),
        of("many-core-modules", "has 2,000 core modules", pattern!(Seen::Load(_)), || {
            let module = section(CORE_MODULE, b"\0asm\x01\0\0\0");
            with_section(module.repeat(2000))
        }),
        of(
            "no-nan-policy",
            "asks for NaNs that there are not",
            pattern!(Seen::Load(LoadError::Compile(_))),
            || with_section(custom("unskew:nan", b"whatever")),
        ),
        of(
            "invalid-code",
            "has code that does not type-check",
            pattern!(Seen::Load(LoadError::Compile(_))),
            || Module::healthy().with("(func (result i32) (i64.const 1))").component(),
        ),
        Guest {
            name: "same-file-again-and-again",
            tries: "is refused a hundred times",
            expected: pattern!(Seen::Load(LoadError::Compile(_))),
            attack: Box::new(|ward| {
                let bytes = Module::healthy().with("(func (result i32) (i64.const 1))").component();
                for _ in 0..99 {
                    ensure!(ward.host.load(&bytes).is_err(), "it is accepted");
                }
                load_on(&ward.host, &bytes)
            }),
        },
    ]
}

fn of(
    name: &'static str,
    tries: &'static str,
    expected: Expected,
    bytes: fn() -> Vec<u8>,
) -> Guest {
    Guest { name, tries, expected, attack: load(bytes) }
}

fn not_a_component() -> Expected {
    pattern!(Seen::Load(LoadError::NotAComponent(_)))
}

fn no_export() -> Expected {
    pattern!(Seen::Load(LoadError::WrongExport { .. }))
}

fn compile() -> Expected {
    pattern!(Seen::Load(LoadError::Compile(_)))
}

fn harmless() -> Expected {
    pattern!(Seen::Harmless)
}

fn expect_limit() -> Expected {
    pattern!(Seen::Load(LoadError::LimitExceeded { .. }))
}
