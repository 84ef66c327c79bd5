use serde::Serialize;

use super::About;
use crate::data_type::DataType;
use crate::definition::Section;
use crate::name::Name;
use crate::place::Place;
use crate::read::{Node, Object, peek_name};

/// What features describe: a user, a product.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entity {
    /// Its name, unlike those of other entities.
    pub name: Name,
    /// The columns that name one of its kind, at least one, in this order.
    pub join_keys: Vec<JoinKey>,
    /// For people.
    #[serde(flatten)]
    pub about: About,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// One of an entity's columns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JoinKey {
    /// Its name.
    pub name: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// What it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

impl Entity {
    const KEYS: [&'static str; 5] = ["name", "join_keys", "owner", "tags", "description"];

    pub(crate) fn read(document: &Object<'_>, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("entity {}", known.unwrap_or("without a name"));
        let read = || {
            let object = document.child(node, &subject, &Self::KEYS)?;
            let name = object.required_name("name", "the entity's name")?.value;
            let hint = "[{name: user_id, type: utf8}]";
            let items = object.required_list("join_keys", hint);
            let keys = items.unwrap_or_default();
            let join_keys: Vec<_> =
                keys.iter().filter_map(|item| JoinKey::read(&object, &name, item)).collect();
            items?;
            let (about, place) = (object.about(), object.place());
            Some(Self { name, join_keys, about, place })
        };
        let read = read();
        if read.is_none() {
            document.unread(Section::Entity, known);
        }
        read
    }
}

impl JoinKey {
    fn read(entity: &Object<'_>, of: &crate::name::Name, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("join key {}", known.unwrap_or("without a name"));
        let read = || {
            let object = entity.child(node, &subject, &["name", "type", "description"])?;
            let name = object.required_name("name", "the join key's name");
            let data_type = object.required_type("type");
            let description = object.prose("description");
            Some(Self {
                name: name?.value,
                data_type: data_type?,
                description,
                place: object.place(),
            })
        };
        let read = read();
        if read.is_none() {
            entity.unread_part(Section::Entity, of, known);
        }
        read
    }
}
