use serde::Serialize;

use super::About;
use crate::definition::Section;
use crate::name::Name;
use crate::place::{Place, Placed};
use crate::read::{Node, Object, peek_name};
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

impl FeatureService {
    const KEYS: [&'static str; 5] = ["name", "features", "owner", "tags", "description"];

    pub(crate) fn read(document: &Object<'_>, node: &Node) -> Option<Self> {
        let known = peek_name(node);
        let subject = format!("feature service {}", known.unwrap_or("without a name"));
        let read = || {
            let object = document.child(node, &subject, &Self::KEYS)?;
            let name = object.required_name("name", "the service's name");
            let hint = "[\"view\", \"view:feature\", \"view:feature@v2\"]";
            let items = object.required_list("features", hint);
            let texts = object.texts("features").into_iter();
            let features: Vec<_> =
                texts.filter_map(|text| object.parsed(text, str::parse)).collect();
            let (about, place) = (object.about(), object.place());
            items?;
            Some(Self { name: name?.value, features, about, place })
        };
        let read = read();
        if read.is_none() {
            document.unread(Section::Service, known);
        }
        read
    }
}
