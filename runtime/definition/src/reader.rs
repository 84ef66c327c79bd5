//! From the bytes of a document to its object, and all documents of a project
//! in one [`Definition`].

use std::cell::RefCell;
use std::collections::HashMap;

use crate::definition::{Definition, ModuleFunctions, Section, Unread};
use crate::document::Sections;
use crate::manifest::{Document, Manifest, READ_VERSIONS};
use crate::mistake::{Mistake, Mistakes};
use crate::name::Name;
use crate::place::Place;
use crate::read::{Context, Form, ManifestLimits, Node, Object, Scope, tree};

/// A document with its mistakes and what could not be read.
pub(crate) struct Read<T> {
    pub(crate) document: T,
    pub(crate) mistakes: Mistakes,
    pub(crate) unread: Unread,
}

/// Why nothing of a document can be read.
pub(crate) enum ReadError {
    TooLarge { found: usize, limit: usize },
    Syntax(Mistake),
    Version { found: String, place: Place },
}

const SECTIONS: [&str; 5] =
    ["entities", "sources", "feature_views", "on_demand_feature_views", "feature_services"];

/// Keys of a module's manifest that a file by hand does not have.
const MODULE_KEYS: [&str; 5] = ["language", "sdk", "source_digest", "transforms", "aggregates"];

pub(crate) fn read_text<T>(
    file: &str,
    recorded_prefix: &str,
    bytes: &[u8],
    is_manifest: bool,
    limits: &ManifestLimits,
    read: impl FnOnce(&Object<'_>) -> T,
) -> Result<Read<T>, ReadError> {
    let (found, limit) = (bytes.len(), limits.bytes);
    if found > limit {
        return Err(ReadError::TooLarge { found, limit });
    }
    let syntax = |line, what: String, fix: String| {
        ReadError::Syntax(Mistake {
            place: Place::new(file, line),
            subject: String::new(),
            what,
            fix,
        })
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        syntax(line as u32, "it is not UTF-8".to_owned(), "save it as UTF-8".to_owned())
    })?;
    let is_json = is_manifest || file.to_ascii_lowercase().ends_with(".json");
    let form = if is_json { Form::Json } else { Form::Yaml };
    let mut slips = Vec::new();
    // A byte order mark is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let node = tree(text, form, limits, &mut slips)
        .map_err(|error| syntax(error.line, error.what, error.fix))?;
    let context = Context {
        limits,
        mistakes: RefCell::default(),
        unread: RefCell::default(),
        recorded_prefix,
    };
    for slip in slips {
        context.mistake(Place::new(file, slip.line), "", slip.what, slip.fix);
    }
    let scope = Scope::of_file(file);
    let mut known = vec!["manifest_version", "name"];
    known.extend(SECTIONS);
    known.extend(MODULE_KEYS);
    let Some(object) = Object::new(&context, &node, &scope, String::new(), &known) else {
        let mistakes = context.mistakes.take();
        let first = mistakes.iter().next().cloned();
        return Err(match first {
            Some(mistake) => ReadError::Syntax(mistake),
            None => syntax(0, "it is no object".to_owned(), String::new()),
        });
    };
    check_version(&object, is_manifest)?;
    if !is_manifest {
        for key in MODULE_KEYS {
            if let Some(node) = object.get_or_null(key) {
                let what = format!(
                    "the key {key:?} belongs into a module's manifest, which its SDK writes"
                );
                let fix = "remove it; name the module under [modules] in unskew.toml";
                object.mistake(object.place_of(node), what, fix);
            }
        }
    }
    let document = read(&object);
    drop(object);
    let (mistakes, unread) = (context.mistakes.take(), context.unread.take());
    Ok(Read { document, mistakes, unread })
}

/// A version that is not known may mean anything, so nothing else is said.
fn check_version(object: &Object<'_>, is_manifest: bool) -> Result<(), ReadError> {
    let node = match object.get("manifest_version") {
        Some(node) => node,
        None if is_manifest => {
            let hint = format!("{:?}", crate::manifest::MANIFEST_VERSION);
            object.required("manifest_version", &hint);
            return Ok(());
        }
        None => return Ok(()),
    };
    match object.text("manifest_version") {
        Some(version) if !READ_VERSIONS.contains(&version.value) => Err(ReadError::Version {
            found: version.value.chars().take(32).collect(),
            place: object.place_of(node),
        }),
        _ => Ok(()),
    }
}

impl Sections {
    /// Reads all sections; every object of them that can be read.
    pub(crate) fn read(document: &Object<'_>) -> Self {
        let limit = document.context().limits.objects;
        let lists = SECTIONS.map(|key| document.long_list(key));
        let found: usize = lists.iter().map(|list| list.len()).sum();
        if found > limit {
            let what = format!(
                "{found} entities, sources, views and services; at most {limit} are allowed"
            );
            document.mistake(document.place(), what, "split the document");
            return Self::default();
        }
        fn each<T>(nodes: &[Node], read: impl Fn(&Node) -> Option<T>) -> Vec<T> {
            nodes.iter().filter_map(read).collect()
        }
        let [entities, sources, views, on_demand, services] = lists;
        use crate::document as d;
        Self {
            entities: each(entities, |node| d::Entity::read(document, node)),
            sources: each(sources, |node| d::Source::read(document, node)),
            feature_views: each(views, |node| d::FeatureView::read(document, node)),
            on_demand_feature_views: each(on_demand, |node| {
                d::OnDemandFeatureView::read(document, node)
            }),
            feature_services: each(services, |node| d::FeatureService::read(document, node)),
        }
    }
}

/// Reads the documents of a project one by one, and makes one [`Definition`]
/// of them. What is wrong with one does not keep the others from being read.
#[derive(Debug, Default)]
pub struct DefinitionReader {
    limits: ManifestLimits,
    definition: Definition,
}

impl DefinitionReader {
    /// Under the default limits, with nothing read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file by hand: JSON where the name ends with `.json`, YAML
    /// otherwise. `file` is what messages name it.
    pub fn read_document(&mut self, file: &str, bytes: &[u8]) {
        match Document::read(file, bytes, &self.limits) {
            Ok(Read { document, mistakes, unread }) => {
                self.note(mistakes, unread);
                self.add(document.sections, None);
            }
            Err(error) => self.unreadable(file, error),
        }
    }

    /// Reads the manifest of a module that the project calls `module`.
    /// `recorded_prefix` (such as `modules/shop/`) stands before the file names
    /// that its SDK recorded.
    pub fn read_manifest(&mut self, module: &Name, recorded_prefix: &str, json: &[u8]) {
        let file = format!("module {module}");
        let taken = self.definition.modules.contains_key(module);
        if taken || self.definition.unread.has_module(module.as_str()) {
            let what = format!("two modules are called {module}");
            let fix = "rename one of them under [modules] in unskew.toml".to_owned();
            let place = Place::new(file.as_str(), 0);
            self.definition.mistakes.push(Mistake { place, subject: String::new(), what, fix });
            return;
        }
        match Manifest::read(&file, recorded_prefix, json, &self.limits) {
            Ok(Read { document, mistakes, unread }) => {
                self.note(mistakes, unread);
                match document {
                    Some(manifest) => self.add_module(module, file, manifest),
                    None => self.definition.unread.add_module(module.as_str()),
                }
            }
            Err(error) => {
                self.definition.unread.add_module(module.as_str());
                self.unreadable(&file, error);
            }
        }
    }

    fn add_module(&mut self, module: &Name, file: String, manifest: Manifest) {
        let Manifest {
            manifest_version: _,
            name: _,
            description: _,
            language: _,
            sdk: _,
            source_digest: _,
            transforms,
            aggregates,
            sections,
        } = manifest;
        let functions = ModuleFunctions { transforms, aggregates, place: Place::new(file, 0) };
        self.definition.modules.insert(module.clone(), functions);
        self.add(sections, Some(module));
    }

    fn note(&mut self, mistakes: Mistakes, unread: Unread) {
        self.definition.mistakes.extend(mistakes);
        self.definition.unread.extend(unread);
    }

    /// Nothing of the document is known, so anything may be in it.
    fn unreadable(&mut self, file: &str, error: ReadError) {
        let mistake = |place, what, fix: &str| Mistake {
            place,
            subject: String::new(),
            what,
            fix: fix.to_owned(),
        };
        let mistake = match error {
            ReadError::Syntax(mistake) => mistake,
            ReadError::TooLarge { found, limit } => mistake(
                Place::new(file, 0),
                format!("it has {found} bytes; at most {limit} are allowed"),
                "split it",
            ),
            ReadError::Version { found, place } => mistake(
                place,
                format!(
                    "it has version {found:?}; this build reads {}",
                    READ_VERSIONS.join(" and ")
                ),
                "build the module again with this version's SDK, or install the Unskew that wrote it",
            ),
        };
        self.definition.mistakes.push(mistake);
        for section in [Section::Entity, Section::Source, Section::View, Section::Service] {
            self.definition.unread.add(section, None);
        }
    }

    fn add(&mut self, sections: Sections, home: Option<&Name>) {
        let Sections {
            entities,
            sources,
            feature_views,
            on_demand_feature_views,
            feature_services,
        } = sections;
        let all = &mut self.definition.sections;
        all.entities.extend(entities);
        all.sources.extend(sources);
        all.feature_views.extend(feature_views.into_iter().map(|mut view| {
            view.home = home.cloned();
            view
        }));
        all.on_demand_feature_views.extend(on_demand_feature_views.into_iter().map(|mut view| {
            view.home = home.cloned();
            view
        }));
        all.feature_services.extend(feature_services);
    }

    /// All of it as one. A feature view without a `ttl` gets the project's
    /// default, in microseconds, where there is one. Of two objects with one
    /// name the first is kept, and both places are named.
    pub fn finish(self, default_ttl_us: Option<i64>) -> Definition {
        let Definition { modules, sections, mut mistakes, unread } = self.definition;
        let Sections {
            mut entities,
            mut sources,
            mut feature_views,
            mut on_demand_feature_views,
            mut feature_services,
        } = sections;
        keep_first(&mut entities, "entity", |e| (e.name.to_string(), &e.place), &mut mistakes);
        keep_first(&mut sources, "source", |s| (s.name().to_string(), s.place()), &mut mistakes);
        // Views of both kinds share their names, since references do not say which.
        let mut seen = HashMap::new();
        keep_unseen(
            &mut feature_views,
            "feature view",
            |v| (format!("{} of version {}", v.name, v.version), &v.place),
            &mut seen,
            &mut mistakes,
        );
        keep_unseen(
            &mut on_demand_feature_views,
            "on-demand feature view",
            |v| (format!("{} of version {}", v.name, v.version), &v.place),
            &mut seen,
            &mut mistakes,
        );
        keep_first(
            &mut feature_services,
            "feature service",
            |s| (s.name.to_string(), &s.place),
            &mut mistakes,
        );
        for view in &mut feature_views {
            view.ttl_us = view.ttl_us.or(default_ttl_us);
        }
        let sections = Sections {
            entities,
            sources,
            feature_views,
            on_demand_feature_views,
            feature_services,
        };
        Definition { modules, sections, mistakes, unread }
    }
}

fn keep_first<T>(
    objects: &mut Vec<T>,
    what: &str,
    key: impl Fn(&T) -> (String, &Place),
    mistakes: &mut Mistakes,
) {
    keep_unseen(objects, what, key, &mut HashMap::new(), mistakes);
}

fn keep_unseen<T>(
    objects: &mut Vec<T>,
    what: &str,
    key: impl Fn(&T) -> (String, &Place),
    seen: &mut HashMap<String, Place>,
    mistakes: &mut Mistakes,
) {
    objects.retain(|object| {
        let (name, place) = key(object);
        match seen.get(&name) {
            None => {
                seen.insert(name, place.clone());
                true
            }
            Some(first) => {
                mistakes.push(Mistake {
                    place: place.clone(),
                    subject: format!("{what} {name}"),
                    what: format!("it is defined twice, first at {first}"),
                    fix: "rename one of them, or give a view another version".to_owned(),
                });
                false
            }
        }
    });
}
