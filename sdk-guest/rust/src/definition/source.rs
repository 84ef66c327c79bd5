use std::panic::Location;

use super::json::{Object, described};
use crate::cell::Argument;

/// A named stream of events. Made by [`source`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Source {
    place: &'static Location<'static>,
    name: String,
    fields: Vec<Object>,
    settings: Object,
    about: Object,
    tags: Object,
}

described!(Source);

/// A source; give it its fields. Its `event_timestamp` is the field of that
/// name unless [`Source::event_timestamp`] says otherwise.
#[track_caller]
#[inline(never)]
pub fn source(name: &str) -> Source {
    Source {
        place: Location::caller(),
        name: name.to_owned(),
        fields: Vec::new(),
        settings: Object::default().with("event_timestamp", "event_timestamp"),
        about: Object::default(),
        tags: Object::default(),
    }
}

impl Source {
    /// Adds a field of the type that a transform's argument would have: an
    /// `Option` can be null.
    #[track_caller]
    #[inline(never)]
    pub fn field<T: for<'a> Argument<'a>>(mut self, name: &str) -> Self {
        self.fields.push(field::<T>(name, None, Location::caller()));
        self
    }

    /// Adds a field that files have under another name.
    #[track_caller]
    #[inline(never)]
    pub fn field_of<T: for<'a> Argument<'a>>(mut self, name: &str, column: &str) -> Self {
        self.fields.push(field::<T>(name, Some(column), Location::caller()));
        self
    }

    /// The field that says when an event happened.
    #[inline(never)]
    pub fn event_timestamp(self, field: &str) -> Self {
        self.set("event_timestamp", field)
    }

    /// The field that says when an event was known.
    #[inline(never)]
    pub fn created_timestamp(self, field: &str) -> Self {
        self.set("created_timestamp", field)
    }

    /// The field that says when the broker took an event.
    #[inline(never)]
    pub fn broker_timestamp(self, field: &str) -> Self {
        self.set("broker_timestamp", field)
    }

    /// The fields that say where an event stood in its log.
    #[inline(never)]
    pub fn log_position(self, partition: &str, offset: &str) -> Self {
        self.set("partition", partition).set("offset", offset)
    }

    /// The field that says which event it is: copies of one are dropped.
    #[inline(never)]
    pub fn event_id(self, field: &str) -> Self {
        self.set("event_id", field)
    }

    /// How far events may come out of order, as in `5s`.
    #[inline(never)]
    pub fn out_of_orderness(self, duration: &str) -> Self {
        self.set("out_of_orderness", duration)
    }

    /// How far an event's time may lie ahead of the broker's, as in `1m`.
    #[inline(never)]
    pub fn max_future_skew(self, duration: &str) -> Self {
        self.set("max_future_skew", duration)
    }

    /// How late an event may still change what was emitted, as in `1h`.
    #[inline(never)]
    pub fn allowed_lateness(self, duration: &str) -> Self {
        self.set("allowed_lateness", duration)
    }

    /// Refuses a source with a bad row, instead of setting the row aside.
    #[inline(never)]
    pub fn refuse_bad_rows(self) -> Self {
        self.set("bad_rows", "refuse")
    }

    /// Paths, folders, patterns or URLs, from the project's folder.
    #[inline(never)]
    pub fn files<'a>(mut self, files: impl IntoIterator<Item = &'a str>) -> Self {
        self.settings.set("files", files.into_iter().collect::<Vec<_>>());
        self
    }

    /// The Kafka topic that it is read from.
    #[inline(never)]
    pub fn kafka_topic(mut self, topic: &str) -> Self {
        self.settings.set("kafka", Object::default().with("topic", topic));
        self
    }

    /// Whether events may be pushed to it.
    #[inline(never)]
    pub fn push(mut self) -> Self {
        self.settings.set("push", true);
        self
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.set(key, value);
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self) -> Object {
        let head = Object::default().with("name", self.name.as_str());
        self.describe(head.with("fields", self.fields.clone()).and(&self.settings))
    }
}

/// Fields that arrive with an online request. Made by [`request_source`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RequestSource {
    place: &'static Location<'static>,
    name: String,
    fields: Vec<Object>,
    about: Object,
    tags: Object,
}

described!(RequestSource);

/// A request source; give it its fields.
#[track_caller]
#[inline(never)]
pub fn request_source(name: &str) -> RequestSource {
    RequestSource {
        place: Location::caller(),
        name: name.to_owned(),
        fields: Vec::new(),
        about: Object::default(),
        tags: Object::default(),
    }
}

impl RequestSource {
    /// Adds a field; an `Option` can be null.
    #[track_caller]
    #[inline(never)]
    pub fn field<T: for<'a> Argument<'a>>(mut self, name: &str) -> Self {
        self.fields.push(field::<T>(name, None, Location::caller()));
        self
    }

    #[inline(never)]
    pub(super) fn into_object(self) -> Object {
        let head = Object::default().with("name", self.name.as_str()).with("kind", "request");
        self.describe(head.with("fields", self.fields.clone()))
    }
}

fn field<T: for<'a> Argument<'a>>(
    name: &str,
    column: Option<&str>,
    place: &Location<'_>,
) -> Object {
    let mut written = String::new();
    T::write_type(&mut written);
    let mut field = Object::default().with("name", name).with("type", written);
    field.set("nullable", T::NULLABLE);
    if let Some(column) = column {
        field.set("column", column);
    }
    field.at(place)
}
