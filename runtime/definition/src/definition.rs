use std::collections::{BTreeMap, BTreeSet};

use crate::document::Sections;
use crate::manifest::{AggregateSignature, TransformSignature};
use crate::mistake::Mistakes;
use crate::name::Name;
use crate::place::Place;

/// All that a project defines: its documents and modules in one.
///
/// It keeps the mistakes that were found while it was read, so that the plan
/// can find the others, and all are shown in one go; what could not be read is
/// remembered, so that nothing is said of it twice.
#[derive(Clone, Debug, Default)]
pub struct Definition {
    /// The functions of each module, by the module's name in the project.
    pub modules: BTreeMap<Name, ModuleFunctions>,
    /// Everything else.
    pub sections: Sections,
    pub(crate) mistakes: Mistakes,
    pub(crate) unread: Unread,
}

impl Definition {
    /// What was wrong with the documents themselves.
    pub fn mistakes(&self) -> &Mistakes {
        &self.mistakes
    }

    /// What is there in name only, since it could not be read.
    pub fn unread(&self) -> &Unread {
        &self.unread
    }
}

/// What a module can be called for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModuleFunctions {
    /// Its transforms.
    pub transforms: Vec<TransformSignature>,
    /// Its aggregates.
    pub aggregates: Vec<AggregateSignature>,
    /// Where the module was named.
    pub place: Place,
}

/// A section of a document, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `entities`
    Entity,
    /// `sources`
    Source,
    /// `feature_views` and `on_demand_feature_views`, which share their names
    View,
    /// `feature_services`
    Service,
}

/// Names whose objects had mistakes: those who refer to them are right to.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    objects: BTreeSet<(Section, String)>,
    parts: BTreeSet<(Section, String, String)>,
    /// Objects with a part whose name could not be read.
    any_part: BTreeSet<(Section, String)>,
    /// Sections with an object whose name could not be read.
    anything: BTreeSet<Section>,
    modules: BTreeSet<String>,
}

impl Unread {
    /// Whether an object of that name, or any, was written and not understood.
    pub fn has(&self, section: Section, name: &str) -> bool {
        self.anything.contains(&section) || self.objects.contains(&(section, name.to_owned()))
    }

    /// Whether a part (field, join key, column, feature) of that name was
    /// written in the object and not understood.
    pub fn has_part(&self, section: Section, object: &str, part: &str) -> bool {
        self.parts.contains(&(section, object.to_owned(), part.to_owned()))
    }

    /// Whether the object has a part that was not understood and whose name is
    /// not known.
    pub fn has_any_part(&self, section: Section, object: &str) -> bool {
        self.any_part.contains(&(section, object.to_owned()))
    }

    /// The parts of an object that were not understood.
    pub fn parts<'a>(
        &'a self,
        section: Section,
        object: &'a str,
    ) -> impl Iterator<Item = &'a str> + 'a {
        let of_object = move |(s, o, _): &&(Section, String, String)| *s == section && o == object;
        self.parts.iter().filter(of_object).map(|(_, _, part)| part.as_str())
    }

    /// Whether a module of that name is there and its manifest is not understood.
    pub fn has_module(&self, name: &str) -> bool {
        self.modules.contains(name)
    }

    /// Whether there is a module whose manifest is not understood.
    pub fn has_any_module(&self) -> bool {
        !self.modules.is_empty()
    }

    /// `None`: an object whose name could not be read either.
    pub(crate) fn add(&mut self, section: Section, name: Option<&str>) {
        match name {
            Some(name) => {
                self.objects.insert((section, name.to_owned()));
            }
            None => {
                self.anything.insert(section);
            }
        }
    }

    /// `None`: a part whose name could not be read either.
    pub(crate) fn add_part(&mut self, section: Section, object: &str, part: Option<&str>) {
        match part {
            Some(part) => {
                self.parts.insert((section, object.to_owned(), part.to_owned()));
            }
            None => {
                self.any_part.insert((section, object.to_owned()));
            }
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        let Self { objects, parts, any_part, anything, modules } = other;
        self.objects.extend(objects);
        self.parts.extend(parts);
        self.any_part.extend(any_part);
        self.anything.extend(anything);
        self.modules.extend(modules);
    }

    pub(crate) fn add_module(&mut self, name: &str) {
        self.modules.insert(name.to_owned());
    }
}
