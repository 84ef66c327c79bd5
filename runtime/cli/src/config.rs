//! The configuration of a project: defaults, `unskew.toml`, environment
//! variables and `--set`, each before those named ahead of it; every value
//! with where it came from.

mod command;
mod file;
mod keys;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use unskew_definition::{Mistake, Mistakes, Place};
use unskew_online::AlertRule;

pub(crate) use command::{ConfigArguments, EXAMPLES, run};
use keys::{KEYS, Key, Kind};
use value::Value;
pub(crate) use value::size as parse_size;

use crate::failure::UserError;

/// The file that makes a folder a project.
pub(crate) const PROJECT_FILE: &str = "unskew.toml";

/// How a project is set up. Paths are whole: those that were relative begin in
/// the project's folder.
#[derive(Debug)]
pub(crate) struct ProjectConfig {
    pub(crate) project: ProjectSection,
    /// What stands under `[modules]`: name and path as written, and the line.
    pub(crate) modules: Vec<(String, String, u32)>,
    pub(crate) online_store: OnlineStoreSection,
    pub(crate) offline_store: OfflineStoreSection,
    /// The SQLite file of the registry.
    pub(crate) registry_path: PathBuf,
    pub(crate) serve: ServeSection,
    pub(crate) batch: BatchSection,
    settings: Settings,
}

/// `[project]`.
#[derive(Debug)]
pub(crate) struct ProjectSection {
    pub(crate) name: Option<String>,
    /// Patterns, if the project gives any.
    pub(crate) definitions: Option<Vec<String>>,
    /// In microseconds.
    pub(crate) default_ttl_us: Option<i64>,
}

/// `[online_store]`.
#[derive(Clone, Debug)]
pub(crate) struct OnlineStoreSection {
    pub(crate) kind: OnlineStoreKind,
    pub(crate) path: PathBuf,
    pub(crate) url: String,
    pub(crate) cluster: bool,
    pub(crate) timeout: Duration,
    pub(crate) pool: usize,
}

/// Which online store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnlineStoreKind {
    Embedded,
    Redis,
}

/// `[offline_store]`.
#[derive(Clone, Debug)]
pub(crate) struct OfflineStoreSection {
    /// A path, whole, or a URL (`file://`, `s3://`).
    pub(crate) url: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
}

/// `[serve]`.
#[derive(Clone, Debug)]
pub(crate) struct ServeSection {
    pub(crate) listen: SocketAddr,
    pub(crate) token: Option<String>,
    pub(crate) deadline: Duration,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_entities: usize,
    pub(crate) max_connections: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) threads: Option<usize>,
    /// Certificate and key, both PEM files.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) log_level: String,
    pub(crate) log_as_json: bool,
    pub(crate) push_log: PathBuf,
    /// The share of entities whose answers are kept.
    pub(crate) served_log: f64,
    pub(crate) alerts: Vec<AlertRule>,
}

/// `[batch]`.
#[derive(Clone, Debug)]
pub(crate) struct BatchSection {
    pub(crate) memory_limit_bytes: u64,
    pub(crate) threads: Option<usize>,
    pub(crate) temp_dir: Option<PathBuf>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    /// File and line.
    File(String, u32),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file, line) => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// The value of a key, as text and as what it is.
#[derive(Clone, Debug)]
struct Setting {
    text: String,
    value: Value,
    origin: Origin,
}

/// The values of all keys that have one, by `section.name`.
#[derive(Debug, Default)]
struct Settings(BTreeMap<String, Setting>);

impl ProjectConfig {
    /// The configuration of the project in the folder `dir`, which may have no
    /// `unskew.toml`. `flags` are `section.name` and value.
    pub(crate) fn of(dir: &Path, flags: &[(String, String)]) -> anyhow::Result<Self> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            if let Some(name) = name.to_str()
                && name.starts_with("UNSKEW_")
            {
                variables.push((name.to_owned(), value.to_string_lossy().into_owned()));
            }
        }
        variables.sort();
        Self::from_parts(dir, &variables, flags)
    }

    fn from_parts(
        dir: &Path,
        variables: &[(String, String)],
        flags: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let path = dir.join(PROJECT_FILE);
        let shown = path.strip_prefix(".").unwrap_or(&path).display().to_string();
        let mut mistakes = Mistakes::new();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(UserError::new(format!("it cannot be read: {error}"))
                    .at(shown)
                    .help("check the file")
                    .into());
            }
        };
        let mut settings = Settings::default();
        for key in KEYS {
            if let Some(text) = key.default {
                settings.set(key, text, Origin::Default, &mut mistakes);
            }
        }
        let mut modules = Vec::new();
        for file::Written { section, name, text, line } in file::read(&shown, &text, &mut mistakes)
        {
            match find(&format!("{section}.{name}")) {
                Some(key) => {
                    settings.set(key, &text, Origin::File(shown.clone(), line), &mut mistakes);
                }
                None => modules.push((name, text, line)),
            }
        }
        for (name, text) in variables {
            match KEYS.iter().find(|key| key.variable() == *name) {
                Some(key) => {
                    settings.set(key, text, Origin::Variable(name.clone()), &mut mistakes);
                }
                None => {
                    if let Some(mistake) = unknown_variable(name) {
                        mistakes.push(mistake);
                    }
                }
            }
        }
        for (name, text) in flags {
            let origin = Origin::Flag(format!("--set {name}"));
            match find(name) {
                Some(key) => settings.set(key, text, origin, &mut mistakes),
                None => {
                    let paths: Vec<String> = KEYS.iter().map(Key::path).collect();
                    let fix = unskew_definition::meant(name, paths.iter().map(String::as_str));
                    let what = "there is no such key".to_owned();
                    mistakes.push(Mistake {
                        place: place(&origin),
                        subject: name.clone(),
                        what,
                        fix,
                    });
                }
            }
        }
        let config = Self::resolved(dir, modules, settings, &mut mistakes);
        Ok(mistakes.or(config)?)
    }

    fn resolved(
        dir: &Path,
        modules: Vec<(String, String, u32)>,
        settings: Settings,
        mistakes: &mut Mistakes,
    ) -> Self {
        let of = &settings;
        let path = |name: &str| of.text(name).map(|text| dir.join(text));
        let count = |name: &str| of.number(name).map(|number| number as usize);
        let required = "a key with a default has a value";
        let project = ProjectSection {
            name: of.text("project.name"),
            definitions: of.get("project.definitions").and_then(|value| match value {
                Value::List(items) => Some(items.clone()),
                _ => None,
            }),
            default_ttl_us: of
                .duration("project.default_ttl")
                .map(|ttl| i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)),
        };
        let online_store = OnlineStoreSection {
            kind: match of.text("online_store.type").as_deref() {
                Some("redis") => OnlineStoreKind::Redis,
                _ => OnlineStoreKind::Embedded,
            },
            path: path("online_store.path").expect(required),
            url: of.text("online_store.url").expect(required),
            cluster: of.switch("online_store.cluster"),
            timeout: of.duration("online_store.timeout").expect(required),
            pool: count("online_store.pool").expect(required),
        };
        let url = of.text("offline_store.url").expect(required);
        let offline_store = OfflineStoreSection {
            url: match url.contains("://") {
                true => url,
                false => dir.join(url).display().to_string(),
            },
            endpoint: of.text("offline_store.endpoint"),
            region: of.text("offline_store.region"),
        };
        let tls = match (path("serve.tls_cert"), path("serve.tls_key")) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (cert, _) => {
                let (given, missing) = match cert {
                    Some(_) => ("serve.tls_cert", "serve.tls_key"),
                    None => ("serve.tls_key", "serve.tls_cert"),
                };
                let origin = &of.0[given].origin;
                let what = format!("it needs {missing} beside it");
                let fix = format!("give {missing}, or leave both out");
                let subject = given.to_owned();
                mistakes.push(Mistake { place: place(origin), subject, what, fix });
                None
            }
        };
        let listen = match of.get("serve.listen") {
            Some(Value::Listen(address)) => *address,
            _ => unreachable!("{required}"),
        };
        let serve = ServeSection {
            listen,
            token: of.text("serve.token"),
            deadline: of.duration("serve.deadline").expect(required),
            max_body_bytes: count("serve.max_body").expect(required),
            max_entities: count("serve.max_entities").expect(required),
            max_connections: count("serve.max_connections").expect(required),
            idle_timeout: of.duration("serve.idle_timeout").expect(required),
            shutdown_timeout: of.duration("serve.shutdown_timeout").expect(required),
            threads: count("serve.threads"),
            tls,
            log_level: of.text("serve.log_level").expect(required),
            log_as_json: of.text("serve.log_format").as_deref() == Some("json"),
            push_log: path("serve.push_log").expect(required),
            served_log: match of.get("serve.served_log") {
                Some(Value::Share(share)) => *share,
                _ => 0.0,
            },
            alerts: match of.get("serve.alerts") {
                Some(Value::Alerts(rules)) => rules.clone(),
                _ => Vec::new(),
            },
        };
        let batch = BatchSection {
            memory_limit_bytes: of.number("batch.memory_limit").expect(required),
            threads: count("batch.threads"),
            temp_dir: path("batch.temp_dir"),
        };
        let registry_path = path("registry.path").expect(required);
        Self {
            project,
            modules,
            online_store,
            offline_store,
            registry_path,
            serve,
            batch,
            settings,
        }
    }

    /// Where the value of `section.name` came from, as a place in messages.
    pub(crate) fn place_of(&self, name: &str) -> String {
        self.settings.0.get(name).map_or_else(|| name.to_owned(), |s| s.origin.to_string())
    }
}

impl Settings {
    fn set(&mut self, key: &Key, text: &str, origin: Origin, mistakes: &mut Mistakes) {
        match value::parse(key.kind, text) {
            Ok(value) => {
                let setting = Setting { text: text.to_owned(), value, origin };
                self.0.insert(key.path(), setting);
            }
            Err((why, fix)) => {
                let shown = match (key.is_secret, key.kind) {
                    (true, _) | (_, Kind::Alerts) => why,
                    _ => format!("{text:?}: {why}"),
                };
                let subject = key.path();
                mistakes.push(Mistake { place: place(&origin), subject, what: shown, fix });
            }
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(|setting| &setting.value)
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn duration(&self, name: &str) -> Option<Duration> {
        match self.get(name) {
            Some(Value::Duration(length)) => Some(*length),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn switch(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Switch(true)))
    }
}

fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path() == path)
}

fn place(origin: &Origin) -> Place {
    match origin {
        Origin::File(file, line) => Place::new(file.clone(), *line),
        other => Place::new(other.to_string(), 0),
    }
}

/// The mistake of a variable that looks like a key of a section and is none.
fn unknown_variable(name: &str) -> Option<Mistake> {
    let section = keys::SECTIONS
        .iter()
        .find(|section| name.starts_with(&format!("UNSKEW_{}_", section.to_uppercase())))?;
    let of_section = KEYS.iter().filter(|key| key.section == *section);
    let known: Vec<String> = of_section.map(Key::variable).collect();
    Some(Mistake {
        place: place(&Origin::Variable(name.to_owned())),
        subject: String::new(),
        what: "there is no such key of the configuration".to_owned(),
        fix: unskew_definition::meant(name, known.iter().map(String::as_str)),
    })
}

#[cfg(test)]
mod tests;
