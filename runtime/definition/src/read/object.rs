use std::cell::RefCell;
use std::collections::BTreeMap;

use super::node::{Node, NodeValue, shown};
use super::{ManifestLimits, Member};
use crate::data_type::DataType;
use crate::definition::{Section, Unread};
use crate::document::About;
use crate::duration::parse_duration;
use crate::mistake::{Mistake, Mistakes};
use crate::name::Name;
use crate::place::{Place, Placed};
use crate::suggestion::{listed, similar};

/// No length of time in a definition is longer: a thousand years. It keeps
/// sums of times within 64 bits.
pub(crate) const MAX_DURATION_US: i64 = 365_250 * 86_400_000_000;

/// Keys for which a null is a word: of `on_error`, and of a default that is none.
const NULLABLE_KEYS: [&str; 2] = ["on_error", "default"];

/// More mistakes than anyone reads are not kept: documents come from modules,
/// too, which are not trusted.
const MAX_MISTAKES: usize = 1000;

/// What the reading of one document adds to.
pub(crate) struct Context<'a> {
    pub(crate) limits: &'a ManifestLimits,
    pub(crate) mistakes: RefCell<Mistakes>,
    pub(crate) unread: RefCell<Unread>,
    /// What stands before file names that an SDK recorded.
    pub(crate) recorded_prefix: &'a str,
}

impl Context<'_> {
    pub(crate) fn mistake(&self, place: Place, subject: &str, what: String, fix: String) {
        let mut mistakes = self.mistakes.borrow_mut();
        if mistakes.len() < MAX_MISTAKES {
            mistakes.push(Mistake { place, subject: subject.to_owned(), what, fix });
        }
    }
}

/// What places are made of: the file, and the line that an SDK recorded, which
/// then holds for all that stands within.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    file: Place,
    recorded: Option<Place>,
}

impl Scope {
    pub(crate) fn of_file(file: &str) -> Self {
        Self { file: Place::new(file, 0), recorded: None }
    }

    fn place(&self, line: u32) -> Place {
        self.recorded.clone().unwrap_or_else(|| self.file.with_line(line))
    }
}

/// An object of a document while it is read: every read is of one key, and
/// notes what is wrong with it.
pub(crate) struct Object<'a> {
    context: &'a Context<'a>,
    members: &'a [Member],
    scope: Scope,
    subject: String,
    place: Place,
}

impl<'a> Object<'a> {
    /// `None` (and a mistake) where the node is no object. Keys that are not in
    /// `known` are mistakes; `at` and `description` are always known.
    pub(crate) fn new(
        context: &'a Context<'a>,
        node: &'a Node,
        scope: &Scope,
        subject: String,
        known: &[&str],
    ) -> Option<Self> {
        let NodeValue::Object(members) = &node.value else {
            let what = format!("it is {}, and should be an object", node.kind());
            let fix = format!("write it with the keys {}", listed(known.iter().copied()));
            context.mistake(scope.place(node.line), &subject, what, fix);
            return None;
        };
        let recorded = members.iter().find_map(|member| match &member.value.value {
            NodeValue::Text(text) if member.key == "at" => {
                Some(Place::from_recorded(text).with_file_prefix(context.recorded_prefix))
            }
            _ => None,
        });
        let scope =
            Scope { file: scope.file.clone(), recorded: recorded.or(scope.recorded.clone()) };
        let place = scope.place(node.line);
        let object = Self { context, members, scope, subject, place };
        for member in members {
            let key = member.key.as_str();
            if key == "at" {
                object.text("at");
            } else if key != "description" && !known.contains(&key) {
                let fix = match similar(key, known.iter().copied()) {
                    Some(meant) => format!("did you mean {meant:?}?"),
                    None => format!("known are {}", listed(known.iter().copied())),
                };
                object.mistake(
                    object.scope.place(member.line),
                    format!("the key {} is not known", shown(key)),
                    fix,
                );
            } else if member.value.is_null() && !NULLABLE_KEYS.contains(&key) {
                let what = format!("{key:?} has no value");
                object.mistake(
                    object.scope.place(member.line),
                    what,
                    "give it one, or remove the key",
                );
            }
        }
        Some(object)
    }

    pub(crate) fn context(&self) -> &'a Context<'a> {
        self.context
    }

    /// Where the object begins.
    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    pub(crate) fn place_of(&self, node: &Node) -> Place {
        self.scope.place(node.line)
    }

    pub(crate) fn mistake(&self, place: Place, what: impl Into<String>, fix: impl Into<String>) {
        self.context.mistake(place, &self.subject, what.into(), fix.into());
    }

    /// Notes that an object of a section is there in name only, or without one.
    pub(crate) fn unread(&self, section: Section, name: Option<&str>) {
        self.context.unread.borrow_mut().add(section, name);
    }

    /// Notes that a part of an object is there in name only, or without one.
    pub(crate) fn unread_part(&self, section: Section, object: &Name, part: Option<&str>) {
        self.context.unread.borrow_mut().add_part(section, object.as_str(), part);
    }

    /// The value of a key, `None` where it is not there or null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.get_or_null(key).filter(|node| !node.is_null())
    }

    /// The value of a key, a null one, too.
    pub(crate) fn get_or_null(&self, key: &str) -> Option<&'a Node> {
        self.members.iter().find(|member| member.key == key).map(|member| &member.value)
    }

    /// The value of a key that has to be there: what to write otherwise.
    pub(crate) fn required(&self, key: &str, hint: &str) -> Option<&'a Node> {
        let found = self.get(key);
        // Of a null it has been said already.
        if found.is_none() && self.get_or_null(key).is_none() {
            self.mistake(
                self.place(),
                format!("the key {key:?} is missing"),
                format!("add it: {hint}"),
            );
        }
        found
    }

    fn wrong_kind(&self, key: &str, node: &Node, wanted: &str, fix: &str) {
        let place = self.place_of(node);
        self.mistake(place, format!("{key:?} is {}, and should be {wanted}", node.kind()), fix);
    }

    fn text_of(&self, key: &str, node: &'a Node) -> Option<Placed<&'a str>> {
        let NodeValue::Text(text) = &node.value else {
            self.wrong_kind(key, node, "a text", "write it in quotes");
            return None;
        };
        let (length, limit) = (text.len(), self.context.limits.text_bytes);
        if length > limit {
            let what = format!("{key:?} has {length} bytes; at most {limit} are allowed");
            self.mistake(self.place_of(node), what, "shorten it");
            return None;
        }
        Some(Placed::new(text, self.place_of(node)))
    }

    /// An optional text.
    pub(crate) fn text(&self, key: &str) -> Option<Placed<&'a str>> {
        self.get(key).and_then(|node| self.text_of(key, node))
    }

    /// An optional text, owned; empty where it is not there.
    pub(crate) fn prose(&self, key: &str) -> String {
        self.text(key).map(|text| text.value.to_owned()).unwrap_or_default()
    }

    /// A text that has to be there.
    pub(crate) fn required_text(&self, key: &str, hint: &str) -> Option<Placed<&'a str>> {
        self.required(key, hint).and_then(|node| self.text_of(key, node))
    }

    fn name_of(&self, key: &str, node: &'a Node) -> Option<Placed<Name>> {
        let text = self.text_of(key, node)?;
        self.parsed(text, |text| Name::new(text))
    }

    /// Reads a text further; what is wrong with it is a mistake.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &self,
        text: Placed<&'a str>,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        match parse(text.value) {
            Ok(value) => Some(Placed::new(value, text.place)),
            Err(error) => {
                self.mistake(text.place, error.to_string(), "");
                None
            }
        }
    }

    /// An optional name.
    pub(crate) fn name(&self, key: &str) -> Option<Placed<Name>> {
        self.get(key).and_then(|node| self.name_of(key, node))
    }

    /// A name that has to be there.
    pub(crate) fn required_name(&self, key: &str, hint: &str) -> Option<Placed<Name>> {
        self.required(key, hint).and_then(|node| self.name_of(key, node))
    }

    /// A type that has to be there.
    pub(crate) fn required_type(&self, key: &str) -> Option<DataType> {
        let text = self.required_text(key, "a type such as int64, float64, utf8 or timestamp")?;
        self.parsed(text, str::parse).map(|data_type| data_type.value)
    }

    /// An optional type.
    pub(crate) fn data_type(&self, key: &str) -> Option<Placed<DataType>> {
        let text = self.text(key)?;
        self.parsed(text, str::parse)
    }

    /// True or false; `default` where it is not there.
    pub(crate) fn flag(&self, key: &str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some(Node { value: NodeValue::Bool(value), .. }) => *value,
            Some(node) => {
                self.wrong_kind(key, node, "true or false", "write true or false, without quotes");
                default
            }
        }
    }

    /// An optional whole number from `least` on.
    pub(crate) fn whole(&self, key: &str, least: u32) -> Option<Placed<u32>> {
        let node = self.get(key)?;
        let number = match &node.value {
            NodeValue::Number(text) => text.parse().ok().filter(|number| *number >= least),
            _ => None,
        };
        if number.is_none() {
            let shown = match &node.value {
                NodeValue::Number(text) => shown(text).replace('"', ""),
                _ => node.kind().to_owned(),
            };
            let what = format!("{key:?} is {shown}, and should be a whole number from {least} on");
            self.mistake(
                self.place_of(node),
                what,
                format!("write it as {key}: {least}, without quotes"),
            );
        }
        number.map(|number| Placed::new(number, self.place_of(node)))
    }

    /// An optional number.
    pub(crate) fn number(&self, key: &str) -> Option<Placed<f64>> {
        let node = self.get(key)?;
        let number = match &node.value {
            NodeValue::Number(text) => text.parse::<f64>().ok().filter(|number| number.is_finite()),
            _ => None,
        };
        if number.is_none() {
            self.wrong_kind(key, node, "a number", "write a number such as 0.95, without quotes");
        }
        number.map(|number| Placed::new(number, self.place_of(node)))
    }

    fn duration_of(&self, key: &str, node: &'a Node) -> Option<Placed<i64>> {
        if let NodeValue::Number(number) = &node.value {
            let what = format!("{key:?} is a number without a unit");
            self.mistake(
                self.place_of(node),
                what,
                format!(
                    "add one, such as {}s or {}m",
                    shown(number).replace('"', ""),
                    shown(number).replace('"', "")
                ),
            );
            return None;
        }
        let text = self.text_of(key, node)?;
        let duration = self.parsed(text, |text| {
            parse_duration(text).map_err(|error| format!("{key:?}: {error}"))
        })?;
        if duration.value > MAX_DURATION_US {
            self.mistake(
                duration.place,
                format!("{key:?} is longer than a thousand years"),
                "shorten it",
            );
            return None;
        }
        Some(duration)
    }

    /// An optional length of time, in microseconds.
    pub(crate) fn duration(&self, key: &str) -> Option<Placed<i64>> {
        self.get(key).and_then(|node| self.duration_of(key, node))
    }

    /// A length of time that has to be there, in microseconds.
    pub(crate) fn required_duration(&self, key: &str) -> Option<Placed<i64>> {
        let node = self.required(key, "a length of time such as 30s, 1h30m or 7d")?;
        self.duration_of(key, node)
    }

    /// The items of a list; none where it is not there.
    pub(crate) fn list(&self, key: &str) -> &'a [Node] {
        self.get(key).map_or(&[], |node| self.items_of(key, node))
    }

    /// The items of a list whose length the caller limits.
    pub(crate) fn long_list(&self, key: &str) -> &'a [Node] {
        match self.get(key) {
            None => &[],
            Some(Node { value: NodeValue::List(items), .. }) => items,
            Some(node) => self.items_of(key, node),
        }
    }

    /// The items of a list that has to be there, with at least one item.
    pub(crate) fn required_list(&self, key: &str, hint: &str) -> Option<&'a [Node]> {
        let node = self.required(key, hint)?;
        let before = self.context.mistakes.borrow().len();
        let items = self.items_of(key, node);
        if items.is_empty() {
            if self.context.mistakes.borrow().len() == before {
                let what = format!("{key:?} is empty");
                self.mistake(self.place_of(node), what, format!("add to it: {hint}"));
            }
            return None;
        }
        Some(items)
    }

    fn items_of(&self, key: &str, node: &'a Node) -> &'a [Node] {
        let NodeValue::List(items) = &node.value else {
            self.wrong_kind(key, node, "a list", "write it as [..., ...], also for a single item");
            return &[];
        };
        let limit = self.context.limits.fields;
        if items.len() > limit {
            let what = format!("{key:?} has {} items; at most {limit} are allowed", items.len());
            self.mistake(self.place_of(node), what, "split it");
            return &items[..limit];
        }
        items
    }

    /// A list of texts.
    pub(crate) fn texts(&self, key: &str) -> Vec<Placed<&'a str>> {
        let items = self.list(key).iter();
        items.filter_map(|item| self.text_of(key, item)).collect()
    }

    /// A list of names.
    pub(crate) fn name_of_item(&self, key: &str, item: &'a Node) -> Option<Placed<Name>> {
        self.name_of(key, item)
    }

    /// The members of an object whose keys are names.
    pub(crate) fn pairs(&self, key: &str) -> Vec<(Name, &'a Node)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let NodeValue::Object(members) = &node.value else {
            self.wrong_kind(key, node, "an object", "write it as {name: value, ...}");
            return Vec::new();
        };
        let limit = self.context.limits.fields;
        if members.len() > limit {
            let what = format!("{key:?} has {} keys; at most {limit} are allowed", members.len());
            self.mistake(self.place_of(node), what, "split it");
        }
        let mut pairs = Vec::new();
        for member in members.iter().take(limit) {
            match Name::new(member.key.as_str()) {
                Ok(name) => pairs.push((name, &member.value)),
                Err(error) => {
                    self.mistake(self.scope.place(member.line), format!("{key:?}: {error}"), "")
                }
            }
        }
        pairs
    }

    /// The members of an object from names to names.
    pub(crate) fn name_pairs(&self, key: &str) -> Vec<(Name, Placed<Name>)> {
        let pairs = self.pairs(key).into_iter();
        pairs.filter_map(|(name, node)| Some((name, self.name_of(key, node)?))).collect()
    }

    /// The members of an object from names to texts.
    pub(crate) fn text_pairs(&self, key: &str) -> Vec<(Name, Option<Placed<&'a str>>)> {
        let pairs = self.pairs(key).into_iter();
        pairs.map(|(name, node)| (name, self.text_of(key, node))).collect()
    }

    /// `description`, `owner` and `tags`.
    pub(crate) fn about(&self) -> About {
        let mut tags = BTreeMap::new();
        if let Some(node) = self.get("tags") {
            match &node.value {
                NodeValue::Object(members) => {
                    let limit = self.context.limits.fields;
                    for member in members.iter().take(limit) {
                        if let Some(text) = self.text_of("tags", &member.value) {
                            tags.insert(member.key.clone(), text.value.to_owned());
                        }
                    }
                    if members.len() > limit {
                        let what = format!(
                            "\"tags\" has {} keys; at most {limit} are allowed",
                            members.len()
                        );
                        self.mistake(self.place_of(node), what, "remove some");
                    }
                }
                _ => self.wrong_kind("tags", node, "an object", "write it as {team: fraud, ...}"),
            }
        }
        About { description: self.prose("description"), owner: self.prose("owner"), tags }
    }

    /// An item of a list as an object.
    pub(crate) fn child(
        &self,
        node: &'a Node,
        subject: impl std::fmt::Display,
        known: &[&str],
    ) -> Option<Object<'a>> {
        let subject = match self.subject.as_str() {
            "" => subject.to_string(),
            outer => format!("{outer}, {subject}"),
        };
        Object::new(self.context, node, &self.scope, subject, known)
    }
}

/// The name that a node which may be no object has under `name`, if it has one:
/// for subjects of messages and for what is there in name only.
pub(crate) fn peek_name(node: &Node) -> Option<&str> {
    let NodeValue::Object(members) = &node.value else { return None };
    members.iter().find_map(|member| match &member.value.value {
        NodeValue::Text(text) if member.key == "name" && Name::new(text.as_str()).is_ok() => {
            Some(text.as_str())
        }
        _ => None,
    })
}
