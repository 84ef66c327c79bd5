use serde::Serialize;

use super::{About, is_false};
use crate::data_type::DataType;
use crate::definition::Section;
use crate::duration;
use crate::name::Name;
use crate::place::{Place, Placed};
use crate::read::{Node, NodeValue, Object, peek_name};

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

impl Source {
    const EVENT_KEYS: [&'static str; 19] = [
        "name",
        "kind",
        "fields",
        "event_timestamp",
        "created_timestamp",
        "broker_timestamp",
        "partition",
        "offset",
        "event_id",
        "out_of_orderness",
        "max_future_skew",
        "allowed_lateness",
        "bad_rows",
        "files",
        "kafka",
        "push",
        "owner",
        "tags",
        "description",
    ];
    const REQUEST_KEYS: [&'static str; 6] =
        ["name", "kind", "fields", "owner", "tags", "description"];

    pub(crate) fn read(document: &Object<'_>, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("source {}", known.unwrap_or("without a name"));
        let is_request = matches!(&node.value, NodeValue::Object(members) if members.iter().any(
            |member| member.key == "kind" && member.value.value == NodeValue::Text("request".to_owned())
        ));
        let keys: &[&str] = if is_request { &Self::REQUEST_KEYS } else { &Self::EVENT_KEYS };
        let read = || {
            let object = document.child(node, &subject, keys)?;
            if is_request {
                RequestSource::read(&object).map(Self::Request)
            } else {
                EventSource::read(&object).map(Self::Event)
            }
        };
        let read = read();
        if read.is_none() {
            document.unread(Section::Source, known);
        }
        read
    }
}

impl RequestSource {
    fn read(object: &Object<'_>) -> Option<Self> {
        let name = object.required_name("name", "the source's name")?.value;
        let fields = SourceField::read_all(object, &name);
        Some(Self { fields: fields?, about: object.about(), place: object.place(), name })
    }
}

impl EventSource {
    fn read(object: &Object<'_>) -> Option<Self> {
        if let Some(kind) = object.text("kind")
            && kind.value != "event"
        {
            let what = format!("\"kind\" is {:?}", kind.value);
            object.mistake(kind.place, what, "write event or request");
        }
        let name = object.required_name("name", "the source's name")?.value;
        let fields = SourceField::read_all(object, &name);
        let hint = "the name of the field that says when an event happened";
        let event_timestamp = object.required_name("event_timestamp", hint);
        let duration = |key, default| object.duration(key).map_or(default, |found| found.value);
        let bad_rows = match object.text("bad_rows") {
            None => BadRows::DeadLetter,
            Some(text) => match text.value {
                "dead_letter" => BadRows::DeadLetter,
                "refuse" => BadRows::Refuse,
                other => {
                    let what = format!("\"bad_rows\" is {other:?}");
                    object.mistake(text.place, what, "write dead_letter or refuse");
                    BadRows::DeadLetter
                }
            },
        };
        let mut files = Vec::new();
        for file in object.texts("files") {
            if file.value.is_empty() {
                object.mistake(
                    file.place,
                    "a path in \"files\" is empty",
                    "name a file, a folder or a pattern",
                );
            } else {
                files.push(Placed::new(file.value.to_owned(), file.place));
            }
        }
        let (created_timestamp, broker_timestamp) =
            (object.name("created_timestamp"), object.name("broker_timestamp"));
        let (partition, offset, event_id) =
            (object.name("partition"), object.name("offset"), object.name("event_id"));
        let out_of_orderness_us = duration("out_of_orderness", Self::OUT_OF_ORDERNESS_US);
        let max_future_skew_us = duration("max_future_skew", Self::MAX_FUTURE_SKEW_US);
        let allowed_lateness_us = duration("allowed_lateness", Self::ALLOWED_LATENESS_US);
        let kafka = object.get("kafka").and_then(|node| KafkaBinding::read(object, node));
        let push = object.flag("push", false);
        let (about, place) = (object.about(), object.place());
        Some(Self {
            name,
            fields: fields?,
            event_timestamp: event_timestamp?,
            created_timestamp,
            broker_timestamp,
            partition,
            offset,
            event_id,
            out_of_orderness_us,
            max_future_skew_us,
            allowed_lateness_us,
            bad_rows,
            files,
            kafka,
            push,
            about,
            place,
        })
    }

    /// Of `out_of_orderness`: 5 seconds (DESIGN, section 5).
    pub const OUT_OF_ORDERNESS_US: i64 = 5_000_000;
    /// Of `max_future_skew`: a minute.
    pub const MAX_FUTURE_SKEW_US: i64 = 60_000_000;
    /// Of `allowed_lateness`: an hour.
    pub const ALLOWED_LATENESS_US: i64 = 3_600_000_000;
}

impl SourceField {
    fn read_all(source: &Object<'_>, of: &Name) -> Option<Vec<Self>> {
        let items = source.required_list("fields", "[{name: user_id, type: utf8}, ...]")?;
        Some(items.iter().filter_map(|item| Self::read(source, of, item)).collect())
    }

    fn read(source: &Object<'_>, of: &Name, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("field {}", known.unwrap_or("without a name"));
        let keys = ["name", "type", "nullable", "column", "description"];
        let read = || {
            let object = source.child(node, &subject, &keys)?;
            let name = object.required_name("name", "the field's name");
            let data_type = object.required_type("type");
            let nullable = object.flag("nullable", false);
            let column = object.text("column").map(|column| column.value.to_owned());
            let (description, place) = (object.prose("description"), object.place());
            if column.as_deref() == Some("") {
                object.mistake(
                    object.place(),
                    "\"column\" is empty",
                    "write the field's name in files, or leave the key out",
                );
            }
            let (name, data_type) = (name?.value, data_type?);
            let column = column.unwrap_or_else(|| name.as_str().to_owned());
            Some(Self { name, data_type, nullable, column, description, place })
        };
        let read = read();
        if read.is_none() {
            source.unread_part(Section::Source, of, known);
        }
        read
    }
}

impl KafkaBinding {
    fn read(source: &Object<'_>, node: &Node) -> Option<Self> {
        let object = source.child(node, "kafka", &["topic", "brokers"])?;
        let topic = object.required_text("topic", "the topic's name");
        let brokers =
            object.texts("brokers").into_iter().map(|text| text.value.to_owned()).collect();
        let topic = topic?;
        // Kafka's own rule for topics.
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let wrong =
            topic.value.is_empty() || topic.value.len() > 249 || !topic.value.bytes().all(fits);
        if wrong || matches!(topic.value, "." | "..") {
            let what = format!(
                "{:?} is no name of a topic",
                topic.value.chars().take(60).collect::<String>()
            );
            object.mistake(
                topic.place,
                what,
                "use up to 249 ASCII letters, digits, points, underscores and hyphens",
            );
            return None;
        }
        Some(Self { topic: topic.value.to_owned(), brokers })
    }
}
