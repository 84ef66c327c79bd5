use serde::Serialize;

use super::step::as_map;
use super::window::above_zero;
use super::{About, Aggregate, Feature, SqlText, Step, Window};
use crate::definition::Section;
use crate::duration;
use crate::name::Name;
use crate::on_error::OnError;
use crate::place::{Place, Placed};
use crate::read::{Node, NodeValue, Object, peek_name};

/// Features from the events of one source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureView {
    /// Its name; with the version unlike those of other views.
    pub name: Name,
    /// Its version, from 1.
    pub version: u32,
    /// What the features describe, at least one.
    pub entities: Vec<Placed<Name>>,
    /// Which field of the source holds a join key, where their names differ.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub join_keys: Vec<(Name, Placed<Name>)>,
    /// Where the events come from.
    pub source: Placed<Name>,
    /// Which rows exist for the view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<SqlText>,
    /// Row-wise steps over events, in sequence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<Step>,
    /// A window that emits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Placed<Window>>,
    /// Folds over events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aggregates: Vec<Aggregate>,
    /// Row-wise steps over the aggregates' values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_transforms: Vec<Step>,
    /// What is served; without it every aggregate and output of a
    /// post-transform, in a latest view every output of a transform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<Feature>>,
    /// How old a value may be, in microseconds; without it as old as it is.
    #[serde(
        rename = "ttl",
        skip_serializing_if = "Option::is_none",
        serialize_with = "duration::serialize_some"
    )]
    pub ttl_us: Option<i64>,
    /// What becomes of rows that failed.
    pub on_error: OnError,
    /// The fields that it depends on, to be checked: `source.field`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Vec<Placed<String>>>,
    /// The module in whose document it stands, by its name in the project:
    /// where transforms, aggregates and SQL functions are looked for first.
    #[serde(skip)]
    pub home: Option<Name>,
    /// For people.
    #[serde(flatten)]
    pub about: About,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

impl FeatureView {
    const KEYS: [&'static str; 17] = [
        "name",
        "version",
        "entities",
        "join_keys",
        "source",
        "filter",
        "transforms",
        "window",
        "aggregates",
        "post_transforms",
        "features",
        "ttl",
        "on_error",
        "depends_on",
        "owner",
        "tags",
        "description",
    ];

    pub(crate) fn read(document: &Object<'_>, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("feature view {}", known.unwrap_or("without a name"));
        let read = || {
            let object = document.child(node, &subject, &Self::KEYS)?;
            let name = object.required_name("name", "the view's name")?.value;
            let version = object.whole("version", 1).map_or(1, |version| version.value);
            let items = object.required_list("entities", "[user], the names of entities");
            let names = items.unwrap_or_default().iter();
            let entities: Vec<_> =
                names.filter_map(|item| object.name_of_item("entities", item)).collect();
            let join_keys = object.name_pairs("join_keys");
            let source = object.required_name("source", "the name of a source of events");
            let filter =
                object.text("filter").map(|sql| Placed::new(sql.value.to_owned(), sql.place));
            let transforms = Step::read_all(&object, &name, "transforms");
            // In place of a window or an `over` that cannot be read stands any
            // other: with a mistake noted there is no plan, and what depends on
            // there being one is judged as it was meant.
            let window = object.get("window").map(|node| {
                Window::read(&object, node).unwrap_or_else(|| {
                    let window = Window::Session { gap_us: 1 };
                    Placed::new(window, object.place_of(node))
                })
            });
            let aggregates = object.list("aggregates").iter();
            let aggregates =
                aggregates.filter_map(|node| Aggregate::read(&object, &name, node)).collect();
            let post_transforms = Step::read_all(&object, &name, "post_transforms");
            let features = Feature::read_all(&object, &name);
            let ttl = object.duration("ttl").and_then(|ttl| above_zero(&object, "ttl", ttl));
            let on_error = read_on_error(&object);
            let depends_on = object.get("depends_on").map(|_| {
                let texts = object.texts("depends_on").into_iter();
                texts.map(|text| Placed::new(text.value.to_owned(), text.place)).collect()
            });
            let (about, place) = (object.about(), object.place());
            if items.unwrap_or_default().len() != entities.len() {
                object.unread_part(Section::View, &name, None);
            }
            Some(Self {
                name,
                version,
                entities,
                join_keys,
                source: source?,
                filter,
                transforms,
                window,
                aggregates,
                post_transforms,
                features,
                ttl_us: ttl.map(|ttl| ttl.value),
                on_error,
                depends_on,
                home: None,
                about,
                place,
            })
        };
        let read = read();
        if read.is_none() {
            document.unread(Section::View, known);
        }
        read
    }
}

/// `on_error` of a view; YAML's null is the word `null`.
pub(super) fn read_on_error(view: &Object<'_>) -> OnError {
    match view.get_or_null("on_error") {
        None | Some(Node { value: NodeValue::Null, .. }) => OnError::Null,
        Some(_) => {
            let text = view.text("on_error");
            let parse = |text: &str| {
                text.parse::<OnError>().map_err(|error| format!("\"on_error\": {error}"))
            };
            text.and_then(|text| view.parsed(text, parse))
                .map_or(OnError::Null, |found| found.value)
        }
    }
}
