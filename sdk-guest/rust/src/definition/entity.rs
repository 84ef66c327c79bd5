use std::panic::Location;

use super::json::{Object, described};
use crate::cell::Typed;

/// What features describe, such as a user, and the columns that tell one from
/// another. Made by [`entity`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Entity {
    place: &'static Location<'static>,
    name: String,
    join_keys: Vec<Object>,
    about: Object,
    tags: Object,
}

described!(Entity);

/// An entity; give it its join keys.
#[track_caller]
#[inline(never)]
pub fn entity(name: &str) -> Entity {
    Entity {
        place: Location::caller(),
        name: name.to_owned(),
        join_keys: Vec::new(),
        about: Object::default(),
        tags: Object::default(),
    }
}

impl Entity {
    /// Adds a column that tells one from another.
    #[inline(never)]
    pub fn join_key<T: Typed>(mut self, name: &str) -> Self {
        let mut written = String::new();
        T::write_type(&mut written);
        self.join_keys.push(Object::default().with("name", name).with("type", written));
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self) -> Object {
        let head = Object::default().with("name", self.name.as_str());
        self.describe(head.with("join_keys", self.join_keys.clone()))
    }
}
