use serde::Serialize;

use super::step::as_map;
use super::{About, Aggregate, Feature, SqlText, Step, Window};
use crate::duration;
use crate::name::Name;
use crate::on_error::OnError;
use crate::place::{Place, Placed};

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
