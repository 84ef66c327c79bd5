//! Features that small teams register by REST: each is a latest view over a
//! source of its own, so that writing and serving them is the very code that
//! serves definitions.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::json;
use unskew_definition::{DataType, DefinitionReader, Name};
use unskew_executor::NoModules;
use unskew_plan::FeaturePlan;
use unskew_registry::{RegisteredFeature, Registry, RegistryError};
use unskew_store::OnlineStore;

use crate::engine::Engine;
use crate::error::{OnlineError, UnknownKind};
use crate::project::OnlineProject;

/// The field of a registered feature's source that holds its entity.
pub(crate) const ENTITY: &str = "entity_id";
/// The field that holds its value.
pub(crate) const VALUE: &str = "value";
/// When the value holds from.
pub(crate) const TIME: &str = "event_timestamp";
/// When it was written: of two values of one time the later counts.
pub(crate) const WRITTEN: &str = "written_at";

/// The registered features, and what serves them.
pub(crate) struct RegisteredFeatures {
    registry: Registry,
    store: Arc<dyn OnlineStore>,
    evaluator: String,
    now: RwLock<Served>,
}

/// The features as they are served at present.
#[derive(Clone)]
struct Served {
    features: Arc<BTreeMap<String, RegisteredFeature>>,
    engine: Arc<Engine>,
}

/// `entity.feature.vN`.
pub(crate) fn id_of(feature: &RegisteredFeature) -> String {
    format!("{}.{}.v{}", feature.entity, feature.name, feature.version)
}

/// The view (and source) of a registered feature. Names of entities have no
/// double underscore, so no two features share one.
pub(crate) fn view_of(entity: &str, name: &str) -> String {
    format!("registered_{entity}__{name}")
}

impl RegisteredFeatures {
    pub(crate) async fn open(
        registry: Registry,
        store: Arc<dyn OnlineStore>,
        evaluator: String,
    ) -> Result<Self, OnlineError> {
        let features = registry.registered_features().await.map_err(told)?;
        let served = served(features, &store, &evaluator)?;
        Ok(Self { registry, store, evaluator, now: RwLock::new(served) })
    }

    /// Whether the registry answers.
    pub(crate) async fn check(&self) -> Result<(), OnlineError> {
        self.registry.check().await.map_err(told)
    }

    /// What answers for them.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner).engine)
    }

    /// All of them, by id.
    pub(crate) fn features(&self) -> Arc<BTreeMap<String, RegisteredFeature>> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner).features)
    }

    /// Registers a feature; it can be written and served from then on.
    pub(crate) async fn register(
        &self,
        feature: RegisteredFeature,
    ) -> Result<RegisteredFeature, OnlineError> {
        check_names(&feature)?;
        let there = self.registry.register_feature(&feature).await.map_err(told)?;
        self.refresh().await?;
        Ok(there)
    }

    /// Takes what another process registered.
    pub(crate) async fn refresh(&self) -> Result<(), OnlineError> {
        let features = self.registry.registered_features().await.map_err(told)?;
        let served = served(features, &self.store, &self.evaluator)?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = served;
        Ok(())
    }

    /// The feature of this id: `entity.feature.vN`, or without the version its
    /// newest.
    pub(crate) async fn find(&self, id: &str) -> Result<RegisteredFeature, OnlineError> {
        if let Some(found) = found(&self.features(), id) {
            return Ok(found);
        }
        // Another process may have registered it.
        self.refresh().await?;
        let features = self.features();
        found(&features, id).ok_or_else(|| OnlineError::Unknown {
            kind: UnknownKind::Other,
            what: format!("there is no registered feature {id:?}"),
            fix: match features.is_empty() {
                true => "register it: POST /features/register".to_owned(),
                false => unskew_definition::meant(id, features.keys().map(String::as_str)),
            },
        })
    }
}

fn found(features: &BTreeMap<String, RegisteredFeature>, id: &str) -> Option<RegisteredFeature> {
    if let Some(feature) = features.get(id) {
        return Some(feature.clone());
    }
    let (entity, name) = id.split_once('.')?;
    let of = features.values().filter(|f| f.entity == entity && f.name == name);
    of.max_by_key(|feature| feature.version).cloned()
}

fn told(error: RegistryError) -> OnlineError {
    match error {
        RegistryError::OtherType { .. } => OnlineError::Conflict(error.to_string()),
        _ => OnlineError::Unavailable(error.to_string()),
    }
}

fn check_names(feature: &RegisteredFeature) -> Result<(), OnlineError> {
    for (what, name) in [("entity", &feature.entity), ("name", &feature.name)] {
        if let Err(error) = Name::new(name.clone()) {
            return Err(OnlineError::Invalid(format!("{what}: {error}")));
        }
    }
    if feature.entity.contains("__") {
        return Err(OnlineError::Invalid(format!(
            "entity: {:?} has two underscores in a row, which a registered feature's entity cannot",
            feature.entity
        )));
    }
    // Together they name a view.
    if let Err(error) = Name::new(view_of(&feature.entity, &feature.name)) {
        return Err(OnlineError::Invalid(format!("entity and name together: {error}")));
    }
    Ok(())
}

/// The type that `valueType` names: as definitions write it, or by a word that
/// other systems use.
pub(crate) fn value_type(text: &str) -> Result<DataType, OnlineError> {
    let word = text.trim().to_ascii_lowercase();
    let ours = match word.as_str() {
        "string" | "str" | "text" | "varchar" => "utf8",
        "int" | "integer" | "long" | "bigint" => "int64",
        "float" | "double" | "number" | "numeric" => "float64",
        "boolean" => "bool",
        "bytes" => "binary",
        "datetime" | "unix_timestamp" => "timestamp",
        "date" => "date32",
        _ => text.trim(),
    };
    ours.parse().or_else(|_| ours.to_ascii_lowercase().parse()).map_err(|error| {
        OnlineError::Invalid(format!(
            "valueType: {error}; such as int64, float64, utf8, bool, timestamp, list<float64>, or string, int, float"
        ))
    })
}

fn served(
    features: Vec<RegisteredFeature>,
    store: &Arc<dyn OnlineStore>,
    evaluator: &str,
) -> Result<Served, OnlineError> {
    let plan = match features.is_empty() {
        true => FeaturePlan::default(),
        false => plan_of(&features)?,
    };
    let project = OnlineProject {
        plan,
        modules: Arc::new(NoModules),
        digests: BTreeMap::new(),
        evaluator: evaluator.to_owned(),
    };
    let engine = Engine::new(project, Arc::clone(store))
        .map_err(|error| OnlineError::Internal(error.to_string()))?;
    let features = features.into_iter().map(|feature| (id_of(&feature), feature)).collect();
    Ok(Served { features: Arc::new(features), engine: Arc::new(engine) })
}

/// The definitions that features come to.
fn plan_of(features: &[RegisteredFeature]) -> Result<FeaturePlan, OnlineError> {
    let mut entities: Vec<&str> = features.iter().map(|f| f.entity.as_str()).collect();
    entities.dedup();
    let entities: Vec<_> = entities
        .iter()
        .map(|name| json!({ "name": name, "join_keys": [{ "name": ENTITY, "type": "utf8" }] }))
        .collect();
    let (mut sources, mut views) = (Vec::new(), Vec::new());
    for feature in features {
        let view = view_of(&feature.entity, &feature.name);
        let source = format!("{view}_v{}", feature.version);
        sources.push(json!({
            "name": source,
            "fields": [
                { "name": ENTITY, "type": "utf8" },
                { "name": VALUE, "type": feature.value_type, "nullable": true },
                { "name": TIME, "type": "timestamp" },
                { "name": WRITTEN, "type": "timestamp" },
            ],
            "event_timestamp": TIME,
            "created_timestamp": WRITTEN,
            "push": true,
        }));
        views.push(json!({
            "name": view,
            "version": feature.version,
            "entities": [feature.entity],
            "source": source,
            "features": [{ "name": VALUE, "description": feature.description }],
        }));
    }
    let document = json!({
        "manifest_version": "1.1",
        "entities": entities,
        "sources": sources,
        "feature_views": views,
    });
    let mut reader = DefinitionReader::new();
    reader.read_document("registered features", document.to_string().as_bytes());
    let definition = reader.finish(None);
    FeaturePlan::new(&definition).map_err(|mistakes| OnlineError::Internal(mistakes.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(entity: &str, name: &str, version: u32) -> RegisteredFeature {
        RegisteredFeature {
            entity: entity.to_owned(),
            name: name.to_owned(),
            version,
            value_type: "int64".to_owned(),
            description: String::new(),
            tags: Vec::new(),
            created_at: 0,
            updated_at: 0,
        }
    }

    #[test]
    fn features_come_to_views_side_by_side() {
        let features =
            [feature("user", "age", 1), feature("user", "age", 2), feature("item", "age", 1)];
        let plan = plan_of(&features).unwrap();
        assert_eq!(plan.views.len(), 3);
        assert!(plan.sources.iter().all(|source| source.push));
        let known: BTreeMap<_, _> = features.iter().map(|f| (id_of(f), f.clone())).collect();
        assert_eq!(found(&known, "user.age").unwrap().version, 2);
        assert_eq!(found(&known, "user.age.v1").unwrap().version, 1);
        assert_eq!(found(&known, "user.age.v3"), None);
    }

    #[test]
    fn names_and_types_are_checked() {
        assert!(check_names(&feature("user", "age", 1)).is_ok());
        for (entity, name) in [("a b", "x"), ("a__b", "x"), ("a", ""), ("a", &"x".repeat(120))] {
            assert!(check_names(&feature(entity, name, 1)).is_err(), "{entity} {name}");
        }
        assert_eq!(value_type("FLOAT").unwrap(), DataType::Float64);
        assert_eq!(value_type("Utf8").unwrap(), DataType::Utf8);
        assert!(value_type("list<float64>").is_ok());
        assert!(value_type("money").unwrap_err().to_string().contains("valueType"));
    }
}
