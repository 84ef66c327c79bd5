use serde::Serialize;

use super::step::as_map;
use super::{About, Feature, Step};
use crate::name::Name;
use crate::on_error::OnError;
use crate::place::{Place, Placed};
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
