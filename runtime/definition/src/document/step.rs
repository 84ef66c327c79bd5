use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::definition::Section;
use crate::name::Name;
use crate::place::{Place, Placed};
use crate::read::{Node, NodeValue, Object};

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

impl Step {
    const SQL_KEYS: [&'static str; 2] = ["sql", "description"];
    const MODULE_KEYS: [&'static str; 5] =
        ["transform", "module", "inputs", "outputs", "description"];

    /// Reads the steps under `key` of a view. Columns that a step would have
    /// made are noted where it cannot be read.
    pub(crate) fn read_all(view: &Object<'_>, view_name: &Name, key: &str) -> Vec<Self> {
        let mut steps = Vec::new();
        for (i, node) in view.list(key).iter().enumerate() {
            let has = |key: &str| matches!(&node.value, NodeValue::Object(members) if members.iter().any(|m| m.key == key));
            let number = i + 1;
            let subject = if key == "transforms" {
                format!("transform {number}")
            } else {
                format!("post-transform {number}")
            };
            let read = match (has("sql"), has("transform")) {
                (true, false) => view
                    .child(node, subject, &Self::SQL_KEYS)
                    .and_then(|object| SqlStep::read(&object, view_name))
                    .map(Self::Sql),
                (false, true) => view
                    .child(node, subject, &Self::MODULE_KEYS)
                    .and_then(|object| ModuleStep::read(&object, view_name))
                    .map(Self::Module),
                (both, _) => {
                    let keys = ["sql", "transform", "module", "inputs", "outputs", "description"];
                    if let Some(object) = view.child(node, subject, &keys) {
                        let what = if both {
                            "it has both \"sql\" and \"transform\""
                        } else {
                            "it has neither \"sql\" nor \"transform\""
                        };
                        let fix = "write {sql: {column: \"expression\"}} or {transform: name}, each as a step of its own";
                        object.mistake(object.place(), what, fix);
                    }
                    None
                }
            };
            match read {
                Some(step) => steps.push(step),
                // Its columns are not known, so nothing can be said of those that seem missing.
                None => view.unread_part(Section::View, view_name, None),
            }
        }
        steps
    }
}

impl SqlStep {
    fn read(object: &Object<'_>, view: &Name) -> Option<Self> {
        let mut outputs = Vec::new();
        let pairs = object.text_pairs("sql");
        if pairs.is_empty()
            && matches!(object.get_or_null("sql"), Some(Node { value: NodeValue::Object(members), .. }) if !members.is_empty())
        {
            return None;
        }
        if pairs.is_empty() {
            object.mistake(
                object.place(),
                "\"sql\" makes no column",
                "write {sql: {column: \"expression\"}}",
            );
            return None;
        }
        for (name, text) in pairs {
            match text {
                Some(text) => outputs.push((name, Placed::new(text.value.to_owned(), text.place))),
                None => object.unread_part(Section::View, view, Some(name.as_str())),
            }
        }
        Some(Self { outputs, description: object.prose("description"), place: object.place() })
    }
}

impl ModuleStep {
    fn read(object: &Object<'_>, view: &Name) -> Option<Self> {
        let transform = object.required_name("transform", "the transform's name");
        let (module, inputs) = (object.name("module"), object.name_pairs("inputs"));
        let outputs = object.name_pairs("outputs");
        let (description, place) = (object.prose("description"), object.place());
        let Some(transform) = transform else {
            outputs
                .iter()
                .for_each(|(_, to)| object.unread_part(Section::View, view, Some(to.as_str())));
            return None;
        };
        Some(Self { transform, module, inputs, outputs, description, place })
    }
}
