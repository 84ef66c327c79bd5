use serde::Serialize;

use super::About;
use crate::name::Name;
use crate::place::{Place, Placed};
use crate::reference::ServiceReference;

/// The features that one model reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureService {
    /// Its name, unlike those of other services.
    pub name: Name,
    /// Whole views and single features, in the order in which they are served.
    pub features: Vec<Placed<ServiceReference>>,
    /// For people.
    #[serde(flatten)]
    pub about: About,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}
