use serde::Serialize;

use super::About;
use crate::data_type::DataType;
use crate::definition::Section;
use crate::name::Name;
use crate::place::{Place, Placed};
use crate::read::{Node, Object, peek_name};

/// What a feature is where it has no value: JSON in the text form of values
/// (NaN and infinities are texts; numbers keep all their digits).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultValue(String);

impl DefaultValue {
    /// The JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl Serialize for DefaultValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &serde_json::value::RawValue =
            serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// A served column of a view.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feature {
    /// Its name.
    pub name: Name,
    /// The column of the view, where its name differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<Placed<Name>>,
    /// Its type; checked, where it is there.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub data_type: Option<Placed<DataType>>,
    /// What it is where it has no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Placed<DefaultValue>>,
    /// For people.
    #[serde(flatten)]
    pub about: About,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

impl Feature {
    const KEYS: [&'static str; 7] =
        ["name", "column", "type", "default", "owner", "tags", "description"];

    /// The features of a view; `None` where the key is not there.
    pub(crate) fn read_all(view: &Object<'_>, view_name: &Name) -> Option<Vec<Self>> {
        view.get("features")?;
        let items = view.list("features").iter();
        Some(items.filter_map(|item| Self::read(view, view_name, item)).collect())
    }

    fn read(view: &Object<'_>, view_name: &Name, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("feature {}", known.unwrap_or("without a name"));
        let read = || {
            let object = view.child(node, &subject, &Self::KEYS)?;
            let name = object.required_name("name", "the feature's name");
            let (column, data_type) = (object.name("column"), object.data_type("type"));
            let default = object
                .get("default")
                .map(|node| Placed::new(DefaultValue(node.to_json()), object.place_of(node)));
            let (about, place) = (object.about(), object.place());
            Some(Self { name: name?.value, column, data_type, default, about, place })
        };
        let read = read();
        if read.is_none() {
            view.unread_part(Section::View, view_name, known);
        }
        read
    }
}
