use std::panic::Location;

use super::json::{Object, described};
use super::step::Step;
use super::view::Feature;

/// Features that are computed when they are asked for. Made by
/// [`on_demand_feature_view`].
#[derive(Clone, Debug)]
#[must_use]
pub struct OnDemandFeatureView {
    place: &'static Location<'static>,
    name: String,
    version: Option<u64>,
    inputs: Object,
    steps: Vec<Object>,
    features: Vec<Object>,
    on_error: Option<String>,
    depends_on: Vec<String>,
    about: Object,
    tags: Object,
}

described!(OnDemandFeatureView);

/// An on-demand view; give it its inputs and steps. Without features every
/// output of a step is one.
#[track_caller]
#[inline(never)]
pub fn on_demand_feature_view(name: &str) -> OnDemandFeatureView {
    OnDemandFeatureView {
        place: Location::caller(),
        name: name.to_owned(),
        version: None,
        inputs: Object::default(),
        steps: Vec::new(),
        features: Vec::new(),
        on_error: None,
        depends_on: Vec::new(),
        about: Object::default(),
        tags: Object::default(),
    }
}

impl OnDemandFeatureView {
    /// Its version, 1 if none is given.
    #[inline(never)]
    pub fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// A column that holds a feature (`user_orders:spend_7d`) or a request
    /// field (`checkout:amount`). `request_timestamp` is always a column.
    #[inline(never)]
    pub fn input(mut self, column: &str, of: &str) -> Self {
        self.inputs.set(column, of);
        self
    }

    /// Adds what is computed. SQL may also name a feature directly:
    /// `{{user_orders.spend_7d}}`.
    #[inline(never)]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step.into_object());
        self
    }

    /// Adds a feature. As soon as one is given, only those given are served.
    #[inline(never)]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.features.push(feature.into_object());
        self
    }

    /// `null` (as if not given), `default` or `fail`.
    #[inline(never)]
    pub fn on_error(mut self, policy: &str) -> Self {
        self.on_error = Some(policy.to_owned());
        self
    }

    /// Checks that it reads a feature, as in `user_orders:spend_7d`.
    #[inline(never)]
    pub fn depends_on(mut self, feature: &str) -> Self {
        self.depends_on.push(feature.to_owned());
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self) -> Object {
        let mut object = Object::default().with("name", self.name.as_str());
        if let Some(version) = self.version {
            object.set("version", version);
        }
        object = object.with_any("inputs", self.inputs.clone());
        object.set("transforms", self.steps.clone());
        object = object.with_any("features", self.features.clone());
        if let Some(policy) = &self.on_error {
            object.set("on_error", policy.as_str());
        }
        object = object.with_any("depends_on", self.depends_on.clone());
        self.describe(object)
    }
}
