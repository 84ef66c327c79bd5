use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use sha2::{Digest, Sha256};
use unskew_definition::{Manifest, ModuleDigest, WIT_VERSION};
use wasmtime::component::{Component, InstancePre, Linker};

use crate::cache::NativeCache;
use crate::compile::Compiler;
use crate::config::{HostConfig, Isolation, NanPolicy};
use crate::engine::TickingEngine;
use crate::error::{HostError, LoadError};
use crate::inspect::{EVALUATE_INTERFACE, check_contract, check_size};
use crate::instance::{Export, ExportIndices, GuestState, Instance, Setting};
use crate::limits::Limits;
use crate::log::Journal;
use crate::metrics::CallMetrics;
use crate::module::{CompiledModule, Inner, Maker};
use crate::one_row::OneRow;
use crate::pool::Pools;
use crate::prepared::Prepared;

/// Compiles modules and gives them a place to run. Clones share everything.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

struct Shared {
    config: HostConfig,
    limits: Arc<Limits>,
    cache: Option<NativeCache>,
    compiler: Compiler,
    boundary: OnceLock<Arc<TickingEngine>>,
    strict: OnceLock<Arc<TickingEngine>>,
    pools: Arc<Pools>,
    /// Modules that somebody still holds: a host forgets those that nobody does.
    loaded: Mutex<HashMap<ModuleDigest, Weak<Inner>>>,
}

impl Host {
    /// Sets up engines and opens the cache.
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        let cache = config.cache_dir.as_deref().map(NativeCache::open).transpose()?;
        let host = Self(Arc::new(Shared {
            limits: Arc::new(config.limits.clone()),
            cache,
            compiler: Compiler::new(&config.limits),
            boundary: OnceLock::new(),
            strict: OnceLock::new(),
            pools: Arc::new(Pools::new(&config.limits)),
            loaded: Mutex::default(),
            config,
        }));
        host.engine(host.0.config.nan.unwrap_or_default())?;
        Ok(host)
    }

    /// Takes a component as a module: checks it, compiles it or takes its
    /// native code from the cache, and asks it for its manifest, which is all
    /// of it that runs. The same bytes again give the same module at once,
    /// as long as somebody holds it.
    pub fn load(&self, component: &[u8]) -> Result<CompiledModule, LoadError> {
        let shared = &*self.0;
        let recorded = check_size(component, &shared.limits)?;
        let nan = shared.config.nan.or(recorded).unwrap_or_default();
        let digest = match &shared.cache {
            Some(cache) => cache.digest_of(component),
            None => ModuleDigest::from_bytes(Sha256::digest(component).into()),
        };
        let loaded = || shared.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded().get(&digest).and_then(Weak::upgrade) {
            return Ok(CompiledModule(module));
        }
        let engine = self.engine(nan).map_err(|e| LoadError::Host(e.to_string()))?;
        let compiled = self.compile(&engine, digest, nan, component)?;
        let imports = check_contract(&engine.engine, &compiled)?;
        let (pre, indices) = link(&engine, &compiled)?;
        let (manifest, manifest_json, mut asked) = self.ask_for_manifest(&pre, &indices)?;
        let memory_limit = match manifest.language.as_str() {
            "python" => shared.limits.python_memory_bytes,
            _ => shared.limits.memory_bytes,
        };
        let functions = manifest.transforms.len() + 4 * manifest.aggregates.len();
        let isolation = shared.config.isolation;
        let maker = Arc::new(Maker {
            limits: Arc::clone(&shared.limits),
            journal: Arc::new(Journal::new(manifest.name.as_str())),
            memory_limit,
            pre,
            indices,
            pools: Arc::clone(&shared.pools),
        });
        let idle = shared.pools.add();
        if isolation == Isolation::Reuse && asked.settle(&maker.journal, memory_limit) {
            shared.pools.keep(&idle, asked);
        } else {
            shared.pools.discard(asked);
        }
        let module = Arc::new(Inner {
            digest,
            imports,
            component_bytes: component.len(),
            limits: Arc::clone(&shared.limits),
            isolation,
            nan,
            idle,
            prepared: (isolation == Isolation::Fresh).then(|| Prepared::new(&maker)),
            maker,
            metrics: Mutex::new(CallMetrics::default()),
            one_row: manifest.transforms.iter().map(OneRow::of).collect(),
            fuel_per_row: std::iter::repeat_with(AtomicU64::default).take(functions).collect(),
            manifest,
            manifest_json: manifest_json.into(),
            _engine: engine,
        });
        let mut loaded = loaded();
        // Another thread may have been faster.
        if let Some(module) = loaded.get(&digest).and_then(Weak::upgrade) {
            return Ok(CompiledModule(module));
        }
        loaded.retain(|_, module| module.strong_count() > 0);
        loaded.insert(digest, Arc::downgrade(&module));
        Ok(CompiledModule(module))
    }

    fn engine(&self, nan: NanPolicy) -> Result<Arc<TickingEngine>, HostError> {
        let slot = match nan {
            NanPolicy::Boundary => &self.0.boundary,
            NanPolicy::Strict => &self.0.strict,
        };
        if let Some(engine) = slot.get() {
            return Ok(Arc::clone(engine));
        }
        let engine = Arc::new(TickingEngine::new(nan, &self.0.limits)?);
        Ok(Arc::clone(slot.get_or_init(|| engine)))
    }

    fn compile(
        &self,
        engine: &TickingEngine,
        digest: ModuleDigest,
        nan: NanPolicy,
        component: &[u8],
    ) -> Result<Component, LoadError> {
        let cache = self.0.cache.as_ref();
        if let Some(cached) = cache.and_then(|cache| cache.load(&engine.engine, digest, nan)) {
            return Ok(cached);
        }
        let compiled = self.0.compiler.compile(&engine.engine, component, &self.0.limits)?;
        if let Some(cache) = cache {
            cache.keep(&engine.engine, digest, nan, &compiled);
        }
        Ok(compiled)
    }

    /// What a module says of itself, and the instance that said it.
    fn ask_for_manifest(
        &self,
        pre: &InstancePre<GuestState>,
        indices: &ExportIndices,
    ) -> Result<(Manifest, String, Instance), LoadError> {
        let limits = &self.0.limits;
        let journal = Arc::new(Journal::new("(its manifest)"));
        // The language is not known yet, so the larger limit holds.
        let memory_limit = limits.memory_bytes.max(limits.python_memory_bytes);
        let setting = Setting { limits, journal: &journal, memory_limit };
        let mut instance = self
            .0
            .pools
            .make_room_for(limits.deadline, || Instance::new(pre, indices, &setting))
            .map_err(|failed| LoadError::ManifestCall(failed.fault))?;
        instance
            .check_types()
            .map_err(|(name, reason)| LoadError::WrongExport { name: name.to_owned(), reason })?;
        let manifest = match instance.manifest(limits.manifest.bytes.saturating_add(1)) {
            Ok(json) => Manifest::from_json_within(json.as_bytes(), &limits.manifest)
                .map(|manifest| (manifest, json))
                .map_err(LoadError::from),
            Err(failed) => Err(LoadError::ManifestCall(failed.fault)),
        };
        match manifest {
            Ok((manifest, json)) => Ok((manifest, json, instance)),
            Err(error) => {
                self.0.pools.discard(instance);
                Err(error)
            }
        }
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("config", &self.0.config).finish_non_exhaustive()
    }
}

fn link(
    engine: &TickingEngine,
    component: &Component,
) -> Result<(InstancePre<GuestState>, ExportIndices), LoadError> {
    let engine = &engine.engine;
    let mut linker = Linker::new(engine);
    crate::log::add_to(&mut linker, WIT_VERSION).map_err(|e| LoadError::Host(format!("{e:#}")))?;
    let interface = component
        .component_type()
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .find(|name| name.strip_prefix(EVALUATE_INTERFACE).is_some_and(|v| v.starts_with('@')))
        .ok_or_else(|| LoadError::WrongExport {
            name: format!("{EVALUATE_INTERFACE}@{WIT_VERSION}"),
            reason: "it is not there".to_owned(),
        })?;
    let instance = component.get_export_index(None, &interface);
    let index = |name: &str| {
        instance.and_then(|instance| component.get_export_index(Some(&instance), name)).ok_or_else(
            || LoadError::WrongExport {
                name: name.to_owned(),
                reason: "it is not there".to_owned(),
            },
        )
    };
    let [transform, partial, merge, subtract, finish] = Export::ALL.map(|e| index(e.name()));
    let indices = ExportIndices {
        manifest: index("manifest")?,
        batch: [transform?, partial?, merge?, subtract?, finish?],
    };
    let pre =
        linker.instantiate_pre(component).map_err(|e| LoadError::Compile(format!("{e:#}")))?;
    Ok((pre, indices))
}
