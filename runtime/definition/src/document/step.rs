use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::name::Name;
use crate::place::{Place, Placed};

/// A SQL expression as it was written.
pub type SqlText = Placed<String>;

/// One row-wise step of a view.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// SQL expressions, which all see the columns before this step.
    Sql(SqlStep),
    /// A module's transform.
    Module(ModuleStep),
}

impl Step {
    /// Where it was written.
    pub fn place(&self) -> &Place {
        match self {
            Self::Sql(step) => &step.place,
            Self::Module(step) => &step.place,
        }
    }
}

/// Columns made by SQL.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SqlStep {
    /// Each new column and its expression.
    #[serde(rename = "sql", serialize_with = "as_map")]
    pub outputs: Vec<(Name, SqlText)>,
    /// What it computes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// Columns made by a module's transform.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModuleStep {
    /// The transform's name.
    pub transform: Placed<Name>,
    /// The module's name in the project; without it the document's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<Placed<Name>>,
    /// Which column feeds an argument, where their names differ.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub inputs: Vec<(Name, Placed<Name>)>,
    /// Which column an output becomes, where their names differ.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub outputs: Vec<(Name, Placed<Name>)>,
    /// What it computes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// Pairs as an object, in their order.
pub(super) fn as_map<K: Serialize, V: Serialize, S: Serializer>(
    pairs: &[(K, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    pairs.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
    map.end()
}
