use serde::Serialize;

use super::step::{SqlText, as_map};
use super::window::{above_zero, hop_within, positive};
use crate::definition::Section;
use crate::duration;
use crate::name::Name;
use crate::place::{Place, Placed};
use crate::read::{Node, NodeValue, Object, peek_name};

/// One aggregate of a view.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Aggregate {
    /// The column that it becomes.
    pub name: Name,
    /// What is computed.
    #[serde(flatten)]
    pub function: AggregateFunctionName,
    /// Which rows it sees; without it all.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<SqlText>,
    /// The last of the moment of asking; only without a window of the view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<TrailingOver>,
    /// What it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// Which aggregate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AggregateFunctionName {
    /// One of DESIGN, section 6.
    BuiltIn {
        /// its name: `sum`, `percentile`, ...
        function: Placed<String>,
        /// its column; `count` may do without
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<Placed<Name>>,
        /// of `percentile`: which, above 0 and at most 1
        #[serde(skip_serializing_if = "Option::is_none")]
        q: Option<Placed<f64>>,
        /// of `last_n`: how many
        #[serde(skip_serializing_if = "Option::is_none")]
        n: Option<Placed<u32>>,
        /// of `top_k` and `most_frequent`: how many
        #[serde(skip_serializing_if = "Option::is_none")]
        k: Option<Placed<u32>>,
    },
    /// One of a module's.
    Module {
        /// its name
        aggregate: Placed<Name>,
        /// the module's name in the project; without it the document's own
        #[serde(skip_serializing_if = "Option::is_none")]
        module: Option<Placed<Name>>,
        /// which column feeds an argument, where their names differ
        #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
        inputs: Vec<(Name, Placed<Name>)>,
    },
}

/// A trailing window, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrailingOver {
    /// How far it reaches back.
    #[serde(rename = "size", serialize_with = "duration::serialize")]
    pub size_us: i64,
    /// What its tail is aligned to, where it was written.
    #[serde(
        rename = "hop",
        skip_serializing_if = "Option::is_none",
        serialize_with = "duration::serialize_some"
    )]
    pub hop_us: Option<i64>,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

impl Aggregate {
    const BUILT_IN_KEYS: [&'static str; 9] =
        ["name", "function", "column", "q", "n", "k", "where", "over", "description"];
    const MODULE_KEYS: [&'static str; 7] =
        ["name", "aggregate", "module", "inputs", "where", "over", "description"];

    pub(crate) fn read(view: &Object<'_>, view_name: &Name, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("aggregate {}", known.unwrap_or("without a name"));
        let of_module = matches!(&node.value, NodeValue::Object(members)
            if members.iter().any(|member| member.key == "aggregate"));
        let keys: &[&str] = if of_module { &Self::MODULE_KEYS } else { &Self::BUILT_IN_KEYS };
        let read = || {
            let object = view.child(node, &subject, keys)?;
            let name = object.required_name("name", "the column that it becomes");
            let function = AggregateFunctionName::read(&object, of_module);
            let filter =
                object.text("where").map(|sql| Placed::new(sql.value.to_owned(), sql.place));
            // For the placeholder see `FeatureView::read`.
            let over = object.get("over").map(|node| {
                TrailingOver::read(&object, node).unwrap_or_else(|| TrailingOver {
                    size_us: 1,
                    hop_us: None,
                    place: object.place_of(node),
                })
            });
            let (description, place) = (object.prose("description"), object.place());
            Some(Self { name: name?.value, function: function?, filter, over, description, place })
        };
        let read = read();
        if read.is_none() {
            view.unread_part(Section::View, view_name, known);
        }
        read
    }
}

impl AggregateFunctionName {
    fn read(object: &Object<'_>, of_module: bool) -> Option<Self> {
        if of_module {
            let aggregate = object.required_name("aggregate", "the name of a module's aggregate");
            let (module, inputs) = (object.name("module"), object.name_pairs("inputs"));
            return Some(Self::Module { aggregate: aggregate?, module, inputs });
        }
        let hint = "such as sum, count, avg or last; or the key \"aggregate\" with the name of a module's aggregate";
        let function = object.required_text("function", hint);
        let column = object.name("column");
        let (q, n, k) = (object.number("q"), object.whole("n", 1), object.whole("k", 1));
        let function = function?;
        let function = Placed::new(function.value.to_owned(), function.place);
        Some(Self::BuiltIn { function, column, q, n, k })
    }
}

impl TrailingOver {
    fn read(aggregate: &Object<'_>, node: &Node) -> Option<Self> {
        let object = aggregate.child(node, "over", &["size", "hop"])?;
        let size = positive(&object, "size");
        let hop = match object.duration("hop") {
            None if object.get("hop").is_some() => return None,
            None => None,
            Some(hop) => Some(above_zero(&object, "hop", hop)?),
        };
        let size = size?;
        if let Some(hop) = &hop {
            hop_within(&object, hop, size.value)?;
        }
        Some(Self { size_us: size.value, hop_us: hop.map(|hop| hop.value), place: object.place() })
    }
}
