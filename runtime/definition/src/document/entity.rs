use serde::Serialize;

use super::About;
use crate::data_type::DataType;
use crate::name::Name;
use crate::place::Place;

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
