use serde::Serialize;

use super::About;
use crate::data_type::DataType;
use crate::name::Name;
use crate::place::{Place, Placed};

/// What a feature is where it has no value: JSON in the text form of values
/// (decimals, NaN and large integers are strings).
pub type DefaultValue = Placed<serde_json::Value>;

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
    pub default: Option<DefaultValue>,
    /// For people.
    #[serde(flatten)]
    pub about: About,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}
