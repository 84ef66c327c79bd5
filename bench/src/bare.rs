//! wasmtime without a host of ours around it: the floor of a call. Fuel and
//! epochs are on, and memory comes from the pooling allocator, as a careful
//! embedder would have it.

use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker, TypedFunc};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store, bail,
};

/// An error of wasmtime as all the others here are.
pub(crate) fn plain<T>(result: Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| anyhow::anyhow!("{error:#}"))
}

/// A component, compiled and linked.
pub(crate) struct BareModule {
    pre: InstancePre<()>,
}

/// An instance of one.
pub(crate) struct BareInstance {
    store: Store<()>,
    transform: Transform,
}

type Transform = TypedFunc<(u32, &'static [u8]), (Vec<u8>,)>;

const FUEL: u64 = 100_000_000;
const DEADLINE_TICKS: u64 = 1500;
const EVALUATE: &str = "unskew:module/evaluate@1.0.0";

/// An engine, and the thread that moves its epoch for as long as the process runs.
pub(crate) fn engine() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.max_memory_size(256 << 20)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(64 * 1024)
        .max_tables_per_component(16)
        .max_tables_per_module(16)
        .max_memories_per_component(4)
        .max_core_instances_per_component(64)
        .total_component_instances(16)
        .total_core_instances(512)
        .total_memories(16)
        .total_tables(128);
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(512 * 1024)
        .concurrency_support(false)
        .wasm_backtrace_max_frames(None)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    let ticking = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = ticking.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    Ok(engine)
}

impl BareModule {
    pub(crate) fn new(engine: &Engine, component: &[u8]) -> Result<Self> {
        let component = &Component::from_binary(engine, component)?;
        let mut linker = Linker::new(component.engine());
        linker.define_unknown_imports_as_traps(component)?;
        Ok(Self { pre: linker.instantiate_pre(component)? })
    }

    pub(crate) fn instantiate(&self) -> Result<BareInstance> {
        let mut store = Store::new(self.pre.engine(), ());
        store.set_fuel(FUEL)?;
        store.set_epoch_deadline(DEADLINE_TICKS);
        let instance = self.pre.instantiate(&mut store)?;
        let Some(evaluate) = instance.get_export_index(&mut store, None, EVALUATE) else {
            bail!("there is no {EVALUATE}");
        };
        let transform = instance.get_export_index(&mut store, Some(&evaluate), "transform");
        let Some(transform) = transform else { bail!("there is no transform") };
        let transform = instance.get_typed_func(&mut store, transform)?;
        Ok(BareInstance { store, transform })
    }
}

impl BareInstance {
    /// One call, with its fuel and its deadline.
    pub(crate) fn transform(&mut self, index: u32, body: &'static [u8]) -> Result<Vec<u8>> {
        self.store.set_fuel(FUEL)?;
        self.store.set_epoch_deadline(DEADLINE_TICKS);
        let (reply,) = self.transform.call(&mut self.store, (index, body))?;
        Ok(reply)
    }
}

/// A request of one row of float64 columns without nulls, as
/// `wit/README.md` lays it out. It lives for ever: there are few.
pub(crate) fn request_of_floats(values: &[f64]) -> &'static [u8] {
    let table = 16 + values.len() * 24;
    let buffers = table.next_multiple_of(16);
    let mut body = b"USB1".to_vec();
    let mut word = |value: usize| body.extend((value as u32).to_le_bytes());
    word(1);
    word(0);
    word(buffers + values.len() * 16);
    for at in 0..values.len() {
        let values_at = buffers + at * 16;
        for value in [1, 0, values_at, 0, values_at, 8] {
            word(value);
        }
    }
    body.resize(buffers, 0);
    for value in values {
        body.extend(value.to_le_bytes());
        body.extend([0; 8]);
    }
    body.leak()
}
