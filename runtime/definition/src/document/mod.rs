//! The objects of a document, each as it was written: names are checked,
//! texts parsed, defaults filled in; nothing refers to anything yet.

mod aggregate;
mod entity;
mod feature;
mod feature_view;
mod on_demand_feature_view;
mod service;
mod source;
mod step;
mod window;

pub use aggregate::{Aggregate, AggregateFunctionName, TrailingOver};
pub use entity::{Entity, JoinKey};
pub use feature::{DefaultValue, Feature};
pub use feature_view::FeatureView;
pub use on_demand_feature_view::{OnDemandFeatureView, OnDemandInput};
pub use service::FeatureService;
pub use source::{BadRows, EventSource, KafkaBinding, RequestSource, Source, SourceField};
pub use step::{ModuleStep, SqlStep, SqlText, Step};
pub use window::Window;

use std::collections::BTreeMap;

use serde::Serialize;

/// What people say of an object: no part of any value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// What it is, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Anything else, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The sections of a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sections {
    /// What features describe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Entity>,
    /// Where events and request fields come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Features from events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feature_views: Vec<FeatureView>,
    /// Features computed when they are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_demand_feature_views: Vec<OnDemandFeatureView>,
    /// What models read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feature_services: Vec<FeatureService>,
}

impl Sections {
    /// Whether nothing is defined.
    pub fn is_empty(&self) -> bool {
        let Self { entities, sources, feature_views, on_demand_feature_views, feature_services } =
            self;
        entities.is_empty()
            && sources.is_empty()
            && feature_views.is_empty()
            && on_demand_feature_views.is_empty()
            && feature_services.is_empty()
    }
}

/// Of serde's `skip_serializing_if`.
fn is_false(value: &bool) -> bool {
    !value
}
