use serde::Serialize;

use super::{About, is_false};
use crate::data_type::DataType;
use crate::duration;
use crate::name::Name;
use crate::place::{Place, Placed};

/// A named stream of events, or the fields that arrive with a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// Events with their times.
    Event(EventSource),
    /// Fields of an online request.
    Request(RequestSource),
}

impl Source {
    /// Its name, unlike those of other sources.
    pub fn name(&self) -> &Name {
        match self {
            Self::Event(source) => &source.name,
            Self::Request(source) => &source.name,
        }
    }

    /// Where it was written.
    pub fn place(&self) -> &Place {
        match self {
            Self::Event(source) => &source.place,
            Self::Request(source) => &source.place,
        }
    }

    /// Its schema.
    pub fn fields(&self) -> &[SourceField] {
        match self {
            Self::Event(source) => &source.fields,
            Self::Request(source) => &source.fields,
        }
    }
}

/// A stream of events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventSource {
    /// Its name.
    pub name: Name,
    /// Its schema; the order decides the canonical bytes of a row.
    pub fields: Vec<SourceField>,
    /// The field that says when it happened.
    pub event_timestamp: Placed<Name>,
    /// The field that says when it was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_timestamp: Option<Placed<Name>>,
    /// The field that holds the time of the Kafka record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker_timestamp: Option<Placed<Name>>,
    /// The field that holds the partition; there with `offset` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<Placed<Name>>,
    /// The field that holds the offset within the partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<Placed<Name>>,
    /// The field by which copies of an event are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Placed<Name>>,
    /// How far behind the newest event the watermark stays, in microseconds.
    #[serde(rename = "out_of_orderness", serialize_with = "duration::serialize")]
    pub out_of_orderness_us: i64,
    /// How far ahead of the broker's time an event may move the watermark, in
    /// microseconds.
    #[serde(rename = "max_future_skew", serialize_with = "duration::serialize")]
    pub max_future_skew_us: i64,
    /// How far behind the watermark an event still counts, in microseconds.
    #[serde(rename = "allowed_lateness", serialize_with = "duration::serialize")]
    pub allowed_lateness_us: i64,
    /// What becomes of rows without a readable time.
    pub bad_rows: BadRows,
    /// Paths, folders, globs and URLs, relative to the project.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Placed<String>>,
    /// The Kafka topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaBinding>,
    /// Whether events are taken by a push endpoint.
    #[serde(skip_serializing_if = "is_false")]
    pub push: bool,
    /// For people.
    #[serde(flatten)]
    pub about: About,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// Fields that arrive with an online request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestSource {
    /// Its name.
    pub name: Name,
    /// Its fields.
    pub fields: Vec<SourceField>,
    /// For people.
    #[serde(flatten)]
    pub about: About,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// A field of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceField {
    /// Its name in definitions.
    pub name: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its name in files and messages.
    pub column: String,
    /// What it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// What becomes of rows whose event or created time is null or unreadable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BadRows {
    /// They go to the dead letters and are counted.
    #[default]
    DeadLetter,
    /// The work stops.
    Refuse,
}

/// The Kafka topic of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KafkaBinding {
    /// The topic's name.
    pub topic: String,
    /// `host:port` of some brokers; without them the project's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub brokers: Vec<String>,
}
