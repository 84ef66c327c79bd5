use serde::Serialize;

use super::step::{SqlText, as_map};
use crate::duration;
use crate::name::Name;
use crate::place::{Place, Placed};

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
