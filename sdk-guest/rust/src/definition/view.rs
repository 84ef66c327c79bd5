use std::panic::Location;

use super::aggregation::Aggregation;
use super::json::{DefaultValue, Object, default_json, described};
use super::step::Step;
use crate::cell::Typed;

/// A window that emits: aligned to the epoch, half-open.
#[derive(Clone, Debug)]
#[must_use]
pub struct Window(Object);

impl Window {
    /// Windows of `size`, one after the other.
    #[inline(never)]
    pub fn tumbling(size: &str) -> Self {
        Self::of("tumbling", Object::default().with("size", size))
    }

    /// Windows of `size`, one beginning each `hop`.
    #[inline(never)]
    pub fn sliding(size: &str, hop: &str) -> Self {
        Self::of("sliding", Object::default().with("size", size).with("hop", hop))
    }

    /// Windows that go on until nothing has come for `gap`.
    #[inline(never)]
    pub fn session(gap: &str) -> Self {
        Self::of("session", Object::default().with("gap", gap))
    }

    /// Tumbling windows of `size` that begin `offset` after the epoch's.
    #[inline(never)]
    pub fn tumbling_from(size: &str, offset: &str) -> Self {
        Self::of("tumbling", Object::default().with("size", size).with("offset", offset))
    }

    /// Sliding windows that begin `offset` after the epoch's.
    #[inline(never)]
    pub fn sliding_from(size: &str, hop: &str, offset: &str) -> Self {
        let lengths = Object::default().with("size", size).with("hop", hop).with("offset", offset);
        Self::of("sliding", lengths)
    }

    fn of(kind: &str, lengths: Object) -> Self {
        Self(Object::default().with(kind, lengths))
    }
}

/// One feature of a view. Made by [`feature`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Feature {
    place: &'static Location<'static>,
    head: Object,
    about: Object,
    tags: Object,
}

described!(Feature);

/// The feature of a column: of an aggregate, or of a step's output.
#[track_caller]
#[inline(never)]
pub fn feature(name: &str) -> Feature {
    Feature {
        place: Location::caller(),
        head: Object::default().with("name", name),
        about: Object::default(),
        tags: Object::default(),
    }
}

impl Feature {
    /// The column, where it has another name.
    #[inline(never)]
    pub fn column(mut self, column: &str) -> Self {
        self.head.set("column", column);
        self
    }

    /// A type that its own must match.
    #[inline(never)]
    pub fn data_type<T: Typed>(mut self) -> Self {
        let mut written = String::new();
        T::write_type(&mut written);
        self.head.set("type", written);
        self
    }

    /// What stands for it where there is nothing to serve.
    #[inline(never)]
    pub fn default_value(mut self, value: impl DefaultValue) -> Self {
        self.head.set("default", default_json(&value));
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self) -> Object {
        self.describe(self.head.clone())
    }
}

/// Features of an entity, from the events of one source. Made by
/// [`feature_view`].
#[derive(Clone, Debug)]
#[must_use]
pub struct FeatureView {
    place: &'static Location<'static>,
    name: String,
    version: Option<u64>,
    entities: Vec<String>,
    join_keys: Object,
    source: String,
    filter: Option<String>,
    steps: Vec<Object>,
    window: Option<Window>,
    aggregates: Vec<Object>,
    post_steps: Vec<Object>,
    features: Vec<Object>,
    policies: Object,
    depends_on: Vec<String>,
    about: Object,
    tags: Object,
}

described!(FeatureView);

/// A feature view; give it its entity and its source. Without features every
/// aggregate and every output of a post-transform is one.
#[track_caller]
#[inline(never)]
pub fn feature_view(name: &str) -> FeatureView {
    FeatureView {
        place: Location::caller(),
        name: name.to_owned(),
        version: None,
        entities: Vec::new(),
        join_keys: Object::default(),
        source: String::new(),
        filter: None,
        steps: Vec::new(),
        window: None,
        aggregates: Vec::new(),
        post_steps: Vec::new(),
        features: Vec::new(),
        policies: Object::default(),
        depends_on: Vec::new(),
        about: Object::default(),
        tags: Object::default(),
    }
}

impl FeatureView {
    /// Its version, 1 if none is given.
    #[inline(never)]
    pub fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds an entity that it describes.
    #[inline(never)]
    pub fn entity(mut self, name: &str) -> Self {
        self.entities.push(name.to_owned());
        self
    }

    /// The field of the source that holds a join key, where it has another
    /// name.
    #[inline(never)]
    pub fn join_key(mut self, key: &str, field: &str) -> Self {
        self.join_keys.set(key, field);
        self
    }

    /// The source of its events.
    #[inline(never)]
    pub fn source(mut self, name: &str) -> Self {
        self.source = name.to_owned();
        self
    }

    /// Only the rows for which the SQL expression is true.
    #[inline(never)]
    pub fn filter(mut self, expression: &str) -> Self {
        self.filter = Some(expression.to_owned());
        self
    }

    /// Adds what is computed of each row.
    #[inline(never)]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step.into_object());
        self
    }

    /// One window that emits, for all aggregates.
    #[inline(never)]
    pub fn window(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// Adds an aggregate.
    #[inline(never)]
    pub fn aggregate(mut self, name: &str, aggregation: Aggregation) -> Self {
        self.aggregates.push(aggregation.into_object(name));
        self
    }

    /// Adds what is computed of the aggregates' values.
    #[inline(never)]
    pub fn post_step(mut self, step: Step) -> Self {
        self.post_steps.push(step.into_object());
        self
    }

    /// Adds a feature. As soon as one is given, only those given are served.
    #[inline(never)]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.features.push(feature.into_object());
        self
    }

    /// How old a value may be; for ever if none is given.
    #[inline(never)]
    pub fn ttl(mut self, ttl: &str) -> Self {
        self.policies.set("ttl", ttl);
        self
    }

    /// `null` (as if not given), `default` or `fail`.
    #[inline(never)]
    pub fn on_error(mut self, policy: &str) -> Self {
        self.policies.set("on_error", policy);
        self
    }

    /// Checks that it reads a field of its source, as in `orders.amount`.
    #[inline(never)]
    pub fn depends_on(mut self, field: &str) -> Self {
        self.depends_on.push(field.to_owned());
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self) -> Object {
        let mut object = Object::default().with("name", self.name.as_str());
        if let Some(version) = self.version {
            object.set("version", version);
        }
        object.set("entities", self.entities.clone());
        object = object.with_any("join_keys", self.join_keys.clone());
        object.set("source", self.source.as_str());
        if let Some(filter) = &self.filter {
            object.set("filter", filter.as_str());
        }
        object = object.with_any("transforms", self.steps.clone());
        if let Some(Window(window)) = &self.window {
            object.set("window", window.clone());
        }
        object = object
            .with_any("aggregates", self.aggregates.clone())
            .with_any("post_transforms", self.post_steps.clone())
            .with_any("features", self.features.clone())
            .and(&self.policies)
            .with_any("depends_on", self.depends_on.clone());
        self.describe(object)
    }
}
