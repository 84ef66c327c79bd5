//! Files that are no module, or a kind of file that would hurt its reader.

use anyhow::{bail, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use unskew_host::{Limits, LoadError};

use crate::attack::{load, load_on};
use crate::binary::{
    COMPONENT, COMPONENT_HEAD, CORE_MODULE, component, custom, deep_type, instances_of_instances,
    section,
};
use crate::call::{Function, call};
use crate::guest::{Expected, Guest, Seen, pattern};
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
                for length in (0..bytes.len()).step_by(61) {
                    match ward.host.load(&bytes[..length]) {
                        Ok(_) => bail!("its first {length} bytes are accepted"),
                        Err(error) => last = Some(Seen::Load(error)),
                    }
                }
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
        of("many-core-modules", "has 2,000 core modules", pattern!(Seen::Load(_)), || {
            let module = section(CORE_MODULE, b"\0asm\x01\0\0\0");
            with_section(module.repeat(2000))
        }),
        of("two-memories", "has two memories", pattern!(Seen::Load(LoadError::Compile(_))), || {
            Module::healthy().with("(memory $second 1)").component()
        }),
        of(
            "shared-memory",
            "has a memory for threads",
            pattern!(Seen::Load(LoadError::Compile(_))),
            || {
                Module::healthy()
                    .with("(memory $memory (export \"memory\") 64 64 shared)")
                    .component()
            },
        ),
        of(
            "relaxed-simd",
            "computes what depends on the CPU",
            pattern!(Seen::Load(LoadError::Compile(_))),
            || {
                Module::healthy()
                .with("(func (param v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))")
                .component()
            },
        ),
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

fn expect_limit() -> Expected {
    pattern!(Seen::Load(LoadError::LimitExceeded { .. }))
}

/// The healthy component with more behind it.
fn with_section(section: Vec<u8>) -> Vec<u8> {
    [Module::healthy().component(), section].concat()
}
