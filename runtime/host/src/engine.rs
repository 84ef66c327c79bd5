use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmFeatures,
};

use crate::config::NanPolicy;
use crate::error::HostError;
use crate::limits::Limits;

/// How often the epoch advances: the grain of deadlines.
pub(crate) const EPOCH: Duration = Duration::from_millis(20);

/// Core instances, memories and tables that one component may be made of.
const CORE_INSTANCES: u32 = 64;
const MEMORIES: u32 = 4;
const TABLES: u32 = 16;
/// Memories of instances that are gone which the system takes back at once: one
/// call and one message to the other cores for all of them.
const DECOMMITS_AT_ONCE: usize = 8;
/// Bytes of each table that stay resident between two instances.
const TABLE_BYTES_KEPT: usize = 64 * 1024;

/// An engine for one compilation setting, with the thread that moves its epoch.
pub(crate) struct TickingEngine {
    pub(crate) engine: Engine,
    stop: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

impl TickingEngine {
    pub(crate) fn new(nan: NanPolicy, limits: &Limits) -> Result<Self, HostError> {
        let engine =
            Engine::new(&settings(nan, limits)).map_err(|e| HostError::Engine(format!("{e:#}")))?;
        let stop = Arc::new(AtomicBool::new(false));
        let ticker = std::thread::Builder::new()
            .name("unskew-epoch".to_owned())
            .spawn({
                let (engine, stop) = (engine.weak(), Arc::clone(&stop));
                move || {
                    while !stop.load(Ordering::Relaxed) {
                        std::thread::park_timeout(EPOCH);
                        match engine.upgrade() {
                            Some(engine) => engine.increment_epoch(),
                            None => return,
                        }
                    }
                }
            })
            .map_err(|e| HostError::Engine(format!("no thread for deadlines: {e}")))?;
        Ok(Self { engine, stop, ticker: Some(ticker) })
    }
}

impl Drop for TickingEngine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            // A ticker that panicked has nothing left to stop.
            let _ = ticker.join();
        }
    }
}

fn settings(nan: NanPolicy, limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(nan == NanPolicy::Strict)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .concurrency_support(false)
        .wasm_backtrace_max_frames(None)
        // Nobody unwinds or names places in a module's code: these tables
        // would only make what is cached larger, and slower to load.
        .native_unwind_info(false)
        .generate_address_map(false)
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    // Whatever is not deterministic, not needed or not settled stays off.
    for (feature, on) in [
        (WasmFeatures::SIMD, true),
        (WasmFeatures::BULK_MEMORY, true),
        (WasmFeatures::MULTI_VALUE, true),
        (WasmFeatures::REFERENCE_TYPES, true),
        (WasmFeatures::EXTENDED_CONST, true),
        (WasmFeatures::RELAXED_SIMD, false),
        (WasmFeatures::THREADS, false),
        (WasmFeatures::SHARED_EVERYTHING_THREADS, false),
        (WasmFeatures::MEMORY64, false),
        (WasmFeatures::MULTI_MEMORY, false),
        (WasmFeatures::TAIL_CALL, false),
        (WasmFeatures::STACK_SWITCHING, false),
        (WasmFeatures::EXCEPTIONS, false),
        (WasmFeatures::FUNCTION_REFERENCES, false),
        (WasmFeatures::GC, false),
    ] {
        config.wasm_features(feature, on);
    }
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let instances = limits.instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .total_core_instances(instances * 16)
        .total_memories(instances)
        .total_tables(instances * 4)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_module(TABLES)
        .table_elements(limits.table_elements)
        .max_memory_size(limits.memory_bytes.max(limits.python_memory_bytes))
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .linear_memory_keep_resident(0)
        .decommit_batch_size(DECOMMITS_AT_ONCE)
        // The tables of most modules fit: zeroing them takes less than to have
        // the system take their pages away and give others.
        .table_keep_resident(TABLE_BYTES_KEPT);
    pool
}
