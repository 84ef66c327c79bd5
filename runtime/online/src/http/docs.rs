//! The OpenAPI document, made from the types below, and a page that shows it.
//!
//! The types say what requests and answers look like; they are not what reads
//! them, since values are read straight into columns.

#![allow(dead_code, reason = "these types and functions exist to be described")]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::response::Response;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use crate::http::reply;

/// A request of Feast's clients.
#[derive(ToSchema)]
struct GetOnlineFeatures {
    /// By join key or request field a list, one value for each entity.
    #[schema(example = json!({"user_id": ["u1", "u2"]}))]
    entities: BTreeMap<String, Vec<Value>>,
    /// The service whose features are asked for; or `features`.
    feature_service: Option<String>,
    /// `view`, `view:feature`, each with `@vN` behind it for a version.
    features: Option<Vec<String>>,
    /// Name features `view__feature`.
    full_feature_names: Option<bool>,
    /// Tell the version of each view.
    include_feature_view_version_metadata: Option<bool>,
}

/// Names, and for each a column of values, statuses and times.
#[derive(ToSchema)]
struct OnlineFeatures {
    metadata: FeatureNames,
    results: Vec<FeatureVector>,
}

#[derive(ToSchema)]
struct FeatureNames {
    feature_names: Vec<String>,
}

#[derive(ToSchema)]
struct FeatureVector {
    values: Vec<Value>,
    /// PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE; a default is PRESENT.
    statuses: Vec<String>,
    event_timestamps: Vec<String>,
}

/// A request to our own API: what, of whom, as of when.
#[derive(ToSchema)]
struct Features {
    /// The service; or `features`.
    service: Option<String>,
    /// `view`, `view:feature`, each with `@vN` behind it for a version.
    features: Option<Vec<String>>,
    /// By join key or request field a list; or `rows`.
    entities: Option<BTreeMap<String, Vec<Value>>>,
    /// An object for each entity.
    rows: Option<Vec<BTreeMap<String, Value>>>,
    /// Request fields, which may also stand among the entities.
    request: Option<BTreeMap<String, Vec<Value>>>,
    /// As of when, RFC 3339; now if not given.
    time: Option<String>,
    /// As of when, for each entity.
    times: Option<Vec<String>>,
    /// Several requests in one; then nothing else is given.
    #[schema(no_recursion)]
    requests: Option<Vec<Features>>,
}

#[derive(ToSchema)]
struct FeaturesAnswer {
    request_id: String,
    /// What decides values beside modules.
    evaluator: String,
    /// Of one request; of several `answers`.
    answer: Option<EntityAnswer>,
    answers: Option<Vec<EntityAnswer>>,
}

#[derive(ToSchema)]
struct EntityAnswer {
    /// Whether some of it could not be had: see `missing`.
    partial: bool,
    missing: Option<Vec<String>>,
    time: Option<String>,
    times: Option<Vec<String>>,
    entities: BTreeMap<String, Vec<Value>>,
    features: Vec<FeatureAnswer>,
}

#[derive(ToSchema)]
struct FeatureAnswer {
    /// `view:feature@vN`.
    feature: String,
    view: String,
    name: String,
    version: u32,
    #[schema(rename = "type")]
    data_type: String,
    /// The modules that computed it, by name and digest.
    modules: BTreeMap<String, String>,
    values: Vec<Value>,
    /// PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE or ERROR; true also where a default stands in.
    statuses: Vec<String>,
    event_timestamps: Vec<Option<String>>,
    ages_seconds: Vec<Option<f64>>,
    errors: Option<Vec<RowFailure>>,
}

#[derive(ToSchema)]
struct RowFailure {
    row: u64,
    message: String,
}

/// Raw rows of a source.
#[derive(ToSchema)]
struct Push {
    /// The source.
    push_source_name: String,
    /// By column a list.
    df: BTreeMap<String, Vec<Value>>,
    /// online, offline or online_and_offline (the default).
    to: Option<String>,
}

#[derive(ToSchema)]
struct PushAnswer {
    accepted: u64,
    dead_letters: Vec<RejectedRow>,
    written: u64,
    older: u64,
    unchanged: u64,
    logged: Option<bool>,
}

#[derive(ToSchema)]
struct RejectedRow {
    row: u64,
    reason: String,
}

/// Values of a latest view, computed elsewhere.
#[derive(ToSchema)]
struct WriteToOnlineStore {
    feature_view_name: String,
    /// By join key, feature and time a list.
    df: BTreeMap<String, Vec<Value>>,
}

#[derive(ToSchema)]
struct Materialize {
    start_ts: Option<String>,
    end_ts: Option<String>,
    feature_views: Option<Vec<String>>,
    version: Option<String>,
}

#[derive(ToSchema)]
struct RegisterFeature {
    name: String,
    description: Option<String>,
    #[schema(rename = "valueType", example = "float64")]
    value_type: String,
    entity: String,
    version: Option<u32>,
    tags: Option<Vec<String>>,
}

#[derive(ToSchema)]
struct RegisteredFeature {
    /// `entity.feature.vN`.
    id: String,
    name: String,
    description: String,
    #[schema(rename = "valueType")]
    value_type: String,
    entity: String,
    version: u32,
    tags: Vec<String>,
    #[schema(rename = "createdAt")]
    created_at: String,
    #[schema(rename = "updatedAt")]
    updated_at: String,
}

#[derive(ToSchema)]
struct RegisteredFeatureList {
    features: Vec<RegisteredFeature>,
}

#[derive(ToSchema)]
struct WriteFeature {
    #[schema(rename = "featureId")]
    feature_id: String,
    #[schema(rename = "entityId")]
    entity_id: String,
    value: Value,
    /// RFC 3339 or milliseconds since the epoch; now if not given.
    timestamp: Option<String>,
}

#[derive(ToSchema)]
struct WriteFeatures {
    values: Vec<WriteFeature>,
}

#[derive(ToSchema)]
struct WriteAnswer {
    success: bool,
    count: u64,
}

#[derive(ToSchema)]
struct ServeFeatures {
    #[schema(rename = "entityIds")]
    entity_ids: Vec<String>,
    /// `entity.feature.vN`, or without the version its newest.
    features: Vec<String>,
}

#[derive(ToSchema)]
struct ServedFeatures {
    results: Vec<ServedEntity>,
}

#[derive(ToSchema)]
struct ServedEntity {
    #[schema(rename = "entityId")]
    entity_id: String,
    features: BTreeMap<String, Value>,
    statuses: BTreeMap<String, String>,
    timestamp: Option<String>,
}

macro_rules! routes {
    ($($name:ident, $method:ident, $path:literal, $tag:literal, $summary:literal
        $(, takes $body:ty)? $(, gives $answer:ty)? $(, query $query:tt)?;)*) => {
        $(
            #[utoipa::path(
                $method, path = $path, tag = $tag, summary = $summary,
                $(request_body = $body,)?
                $(params($query),)?
                responses((status = 200, description = "done" $(, body = $answer)?))
            )]
            fn $name() {}
        )*

        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "Unskew",
                description = "Features online: what training saw is what serving returns. Errors are JSON with `error.code` and `error.message`; where the server has a token, send `Authorization: Bearer TOKEN`."
            ),
            paths($($name),*)
        )]
        struct Api;

        /// All routes that are described: method and path.
        #[cfg(test)]
        const DESCRIBED: &[(&str, &str)] = &[$((stringify!($method), $path)),*];
    };
}

routes! {
    get_online_features, post, "/get-online-features", "Feast", "Features of entities, as Feast's server gives them", takes GetOnlineFeatures, gives OnlineFeatures;
    push, post, "/push", "Feast", "Raw rows of a source in", takes Push, gives PushAnswer, query ("mode" = Option<String>, Query, description = "store: answered when the store has it; log: when the write-ahead log has it");
    write_to_online_store, post, "/write-to-online-store", "Feast", "Feature values in", takes WriteToOnlineStore, gives PushAnswer;
    materialize, post, "/materialize", "Feast", "Compute views over files into the stores", takes Materialize, query ("async" = Option<bool>, Query, description = "answer at once");
    materialize_incremental, post, "/materialize-incremental", "Feast", "The same from where the last run ended", takes Materialize, query ("async" = Option<bool>, Query, description = "answer at once");
    health, get, "/health", "Operation", "Each part, and how it is";
    livez, get, "/livez", "Operation", "Whether the process lives";
    readyz, get, "/readyz", "Operation", "Whether requests may be sent";
    metrics, get, "/metrics", "Operation", "Counters and latencies for Prometheus";
    performance, get, "/v1/performance", "Operation", "Hit rate, latencies by stage, slowest modules";
    features, post, "/v1/features", "Unskew", "Features with true statuses and where they come from", takes Features, gives FeaturesAnswer;
    openapi_document, get, "/openapi.json", "Operation", "This document";
    docs_page, get, "/docs", "Operation", "This document as a page";
    register, post, "/features/register", "Registered features", "Register a feature", takes RegisterFeature, gives RegisteredFeature;
    list_registered, get, "/features", "Registered features", "Features of an entity, with all of some tags", gives RegisteredFeatureList, query ("entity" = Option<String>, Query, description = "the entity; `tags=a,b` may stand beside it");
    write_registered, post, "/features/write", "Registered features", "Write one value", takes WriteFeature, gives WriteAnswer;
    write_many, post, "/features/write-batch", "Registered features", "Write many values", takes WriteFeatures, gives WriteAnswer;
    serve_registered, post, "/features/serve", "Registered features", "Values of entities", takes ServeFeatures, gives ServedFeatures;
}

/// Answers `/openapi.json`.
pub(super) fn openapi() -> Response {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| Api::openapi().to_json().unwrap_or_default());
    reply::of_type("application/json", document.as_str())
}

/// Answers `/docs`.
pub(super) fn page() -> Response {
    reply::of_type("text/html; charset=utf-8", PAGE)
}

const PAGE: &str = include_str!("docs.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described() {
        let document: Value = serde_json::from_str(&Api::openapi().to_json().unwrap()).unwrap();
        for (method, path) in DESCRIBED {
            assert!(document["paths"][path][method]["summary"].is_string(), "{method} {path}");
        }
        // The router's own list is in its source: a route that is added must be described.
        let sources = [include_str!("mod.rs"), include_str!("registered.rs")].concat();
        let routed: Vec<&str> =
            sources.split(".route(").skip(1).map(|rest| rest.split('"').nth(1).unwrap()).collect();
        assert_eq!(routed.len(), DESCRIBED.len());
        for path in routed {
            assert!(DESCRIBED.iter().any(|(_, known)| *known == path), "{path}");
        }
    }
}
