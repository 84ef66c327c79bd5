//! Definitions: entities, sources, feature views, on-demand views and services.
//!
//! A function returns them, and [`module!`](crate::module!) names it; the
//! module's manifest then carries them. Transforms and aggregates are named by
//! their Rust paths, so that a wrong one is a compiler error; everything else
//! is checked when the module is built or explained, with the file and line of
//! each mistake.
//!
//! ```
//! use unskew::definition::*;
//!
//! /// What an order is worth.
//! #[unskew::transform]
//! fn order_value(amount: f64, quantity: i32) -> f64 {
//!     amount * f64::from(quantity)
//! }
//!
//! fn definitions() -> Definitions {
//!     Definitions::new()
//!         .entity(entity("user").join_key::<String>("user_id"))
//!         .source(
//!             source("orders")
//!                 .field::<Option<String>>("user_id")
//!                 .field::<Option<f64>>("amount")
//!                 .field::<Option<i32>>("quantity")
//!                 .field::<unskew::Timestamp>("event_timestamp")
//!                 .files(["data/orders/*.parquet"]),
//!         )
//!         .feature_view(
//!             feature_view("user_orders")
//!                 .entity("user")
//!                 .source("orders")
//!                 .filter("amount > 0")
//!                 .step(call::<order_value>())
//!                 .aggregate("spend_7d", sum("order_value").over("7d").hop("1h"))
//!                 .aggregate("orders_7d", count().over("7d"))
//!                 .feature(feature("spend_7d").default_value(0.0))
//!                 .feature(feature("orders_7d"))
//!                 .ttl("30d"),
//!         )
//!         .feature_service(feature_service("fraud").feature("user_orders"))
//! }
//!
//! unskew::module!(name = "shop", transforms = [order_value], definitions = definitions);
//! # fn main() { assert!(unskew_manifest().contains("user_orders")) }
//! ```

// No builder is inlined: a function that defines many views would become one
// that hosts refuse to compile, and nobody waits for a manifest.

mod aggregation;
mod entity;
mod json;
mod on_demand;
mod service;
mod source;
mod step;
mod view;

pub use aggregation::{
    Aggregation, approx_distinct, avg, count, count_distinct, count_of, first, last, last_n, max,
    min, most_frequent, percentile, stddev, stddev_pop, sum, top_k, user_aggregate,
    user_aggregate_of, variance, variance_pop,
};
pub use entity::{Entity, entity};
pub use json::DefaultValue;
pub use on_demand::{OnDemandFeatureView, on_demand_feature_view};
pub use service::{FeatureService, feature_service};
pub use source::{RequestSource, Source, request_source, source};
pub use step::{Step, call, call_of, sql};
pub use view::{Feature, FeatureView, Window, feature, feature_view};

use json::Object;

/// All that a module defines, in order.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    entities: Vec<Object>,
    sources: Vec<Object>,
    feature_views: Vec<Object>,
    on_demand_feature_views: Vec<Object>,
    feature_services: Vec<Object>,
}

impl Definitions {
    /// None yet.
    #[inline(never)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what features describe.
    #[inline(never)]
    pub fn entity(mut self, entity: Entity) -> Self {
        self.entities.push(entity.into_object());
        self
    }

    /// Adds a stream of events.
    #[inline(never)]
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source.into_object());
        self
    }

    /// Adds fields that arrive with an online request.
    #[inline(never)]
    pub fn request_source(mut self, source: RequestSource) -> Self {
        self.sources.push(source.into_object());
        self
    }

    /// Adds features of an entity.
    #[inline(never)]
    pub fn feature_view(mut self, view: FeatureView) -> Self {
        self.feature_views.push(view.into_object());
        self
    }

    /// Adds features that are computed when they are asked for.
    #[inline(never)]
    pub fn on_demand_feature_view(mut self, view: OnDemandFeatureView) -> Self {
        self.on_demand_feature_views.push(view.into_object());
        self
    }

    /// Adds what one model reads.
    #[inline(never)]
    pub fn feature_service(mut self, service: FeatureService) -> Self {
        self.feature_services.push(service.into_object());
        self
    }

    /// The sections of the manifest, each with a comma before it; those
    /// without content are left out.
    #[inline(never)]
    pub(crate) fn write_sections(&self, to: &mut String) {
        let Self { entities, sources, feature_views, on_demand_feature_views, feature_services } =
            self;
        for (name, objects) in [
            ("entities", entities),
            ("sources", sources),
            ("feature_views", feature_views),
            ("on_demand_feature_views", on_demand_feature_views),
            ("feature_services", feature_services),
        ] {
            if !objects.is_empty() {
                to.push(',');
                json::write_member(name, &json::Json::from(objects.clone()), to);
            }
        }
    }
}
