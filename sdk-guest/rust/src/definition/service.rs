use std::panic::Location;

use super::json::{Object, described};

/// What one model reads. Made by [`feature_service`].
#[derive(Clone, Debug)]
#[must_use]
pub struct FeatureService {
    place: &'static Location<'static>,
    name: String,
    features: Vec<String>,
    about: Object,
    tags: Object,
}

described!(FeatureService);

/// A service; give it its features.
#[track_caller]
#[inline(never)]
pub fn feature_service(name: &str) -> FeatureService {
    FeatureService {
        place: Location::caller(),
        name: name.to_owned(),
        features: Vec::new(),
        about: Object::default(),
        tags: Object::default(),
    }
}

impl FeatureService {
    /// Adds a view, which stands for all of its features (`user_orders`), or
    /// a feature (`user_orders:spend_7d`); `@v2` behind it pins the version.
    #[inline(never)]
    pub fn feature(mut self, name: &str) -> Self {
        self.features.push(name.to_owned());
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self) -> Object {
        let head = Object::default().with("name", self.name.as_str());
        self.describe(head.with("features", self.features.clone()))
    }
}
