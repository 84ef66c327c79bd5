use serde::Serialize;

use super::feature_view::read_on_error;
use super::step::as_map;
use super::{About, Feature, Step};
use crate::definition::Section;
use crate::name::Name;
use crate::on_error::OnError;
use crate::place::{Place, Placed};
use crate::read::{Node, Object, peek_name};
use crate::reference::FeatureReference;

/// Features computed when they are asked for, from features of other views
/// and fields of the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnDemandFeatureView {
    /// Its name; with the version unlike those of other views.
    pub name: Name,
    /// Its version, from 1.
    pub version: u32,
    /// Its columns: features of views and fields of request sources.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub inputs: Vec<OnDemandInput>,
    /// Row-wise steps, in sequence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<Step>,
    /// What is served; without it every output of a transform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<Feature>>,
    /// What becomes of rows that failed.
    pub on_error: OnError,
    /// What it reads, to be checked: `view:feature`, `request_source:field`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Vec<Placed<FeatureReference>>>,
    /// The module in whose document it stands, by its name in the project:
    /// where transforms and SQL functions are looked for first.
    #[serde(skip)]
    pub home: Option<Name>,
    /// For people.
    #[serde(flatten)]
    pub about: About,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// A column and what it holds: a feature of a view, or a field of a request
/// source.
pub type OnDemandInput = (Name, Placed<FeatureReference>);

impl OnDemandFeatureView {
    const KEYS: [&'static str; 10] = [
        "name",
        "version",
        "inputs",
        "transforms",
        "features",
        "on_error",
        "depends_on",
        "owner",
        "tags",
        "description",
    ];

    pub(crate) fn read(document: &Object<'_>, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("on-demand feature view {}", known.unwrap_or("without a name"));
        let read = || {
            let object = document.child(node, &subject, &Self::KEYS)?;
            let name = object.required_name("name", "the view's name")?.value;
            let version = object.whole("version", 1).map_or(1, |version| version.value);
            let mut inputs = Vec::new();
            for (column, text) in object.text_pairs("inputs") {
                match text.and_then(|text| object.parsed(text, str::parse)) {
                    Some(reference) => inputs.push((column, reference)),
                    None => object.unread_part(Section::View, &name, Some(column.as_str())),
                }
            }
            let transforms = Step::read_all(&object, &name, "transforms");
            let features = Feature::read_all(&object, &name);
            let on_error = read_on_error(&object);
            let depends_on = object.get("depends_on").map(|_| {
                let texts = object.texts("depends_on").into_iter();
                texts.filter_map(|text| object.parsed(text, str::parse)).collect()
            });
            let (about, place, home) = (object.about(), object.place(), None);
            Some(Self {
                name,
                version,
                inputs,
                transforms,
                features,
                on_error,
                depends_on,
                home,
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
