//! Every key of the configuration, once: what it is called, what it may hold,
//! what it is where nobody says.

/// What a key may hold. Everywhere a value can also be given as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A file or folder; one that is relative begins in the project's folder.
    Path,
    /// Several texts; as text, with commas between them.
    List,
    /// A length of time, above 0: `90ms`, `5s`, `1h30m`.
    Duration,
    /// Bytes: a whole number, or with `KiB`, `MiB`, `GiB`.
    Size,
    /// A whole number within these bounds.
    Count(u64, u64),
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A share from 0 to 1.
    Share,
    /// An address to listen at: `127.0.0.1:6566`, `[::1]:6566`, `localhost:6566`.
    Listen,
    /// A URL of one of these schemes.
    Url(&'static [&'static str]),
    /// Rules of alerts, as tables; as text, a JSON list of objects.
    Alerts,
}

/// A key of `unskew.toml`.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As text; without one the value is absent unless somebody gives it.
    pub(crate) default: Option<&'static str>,
    /// Whether the value is never shown.
    pub(crate) is_secret: bool,
    /// What it decides.
    pub(crate) what: &'static str,
}

impl Key {
    /// Its name with its section: `serve.listen`.
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("UNSKEW_{}_{}", self.section, self.name).to_uppercase()
    }
}

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    what: &'static str,
) -> Key {
    Key { section, name, kind, default, is_secret: false, what }
}

const fn secret(section: &'static str, name: &'static str, what: &'static str) -> Key {
    Key { section, name, kind: Kind::Text, default: None, is_secret: true, what }
}

/// The sections, in the order in which they are shown. `[modules]` stands
/// beside them: its keys are the modules' names.
pub(crate) const SECTIONS: [&str; 6] =
    ["project", "online_store", "offline_store", "registry", "serve", "batch"];

/// All keys, by section.
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    key("project", "name", Kind::Text, None, "the project's name, for people"),
    key("project", "definitions", Kind::List, None, "the files of definitions, as patterns from the project's folder; by default *.yaml and *.yml"),
    key("project", "default_ttl", Kind::Duration, None, "the ttl of feature views that have none; without it their values hold for ever"),

    key("online_store", "type", Kind::Choice(&["embedded", "redis"]), Some("embedded"), "where features are served from: a folder of this machine, or Redis"),
    key("online_store", "path", Kind::Path, Some(".unskew/online"), "the folder of the embedded store"),
    Key { is_secret: true, ..key("online_store", "url", Kind::Url(&["redis"]), Some("redis://127.0.0.1:6379"), "where Redis is; of a cluster, any of its nodes") },
    key("online_store", "cluster", Kind::Switch, Some("false"), "whether Redis is a Redis Cluster"),
    key("online_store", "timeout", Kind::Duration, Some("1s"), "how long one call of the store may take"),
    key("online_store", "pool", Kind::Count(1, 256), Some("32"), "connections to each Redis server, made as they are needed"),

    key("offline_store", "url", Kind::Text, Some("data/offline"), "where features are kept for training: a folder, file://, or s3://bucket/prefix"),
    key("offline_store", "endpoint", Kind::Url(&["http", "https"]), None, "of another S3-compatible server than Amazon's; by default AWS_ENDPOINT_URL"),
    key("offline_store", "region", Kind::Text, None, "the region of the bucket; by default AWS_REGION"),

    key("registry", "path", Kind::Path, Some(".unskew/registry.sqlite"), "the file of processing state and registered features"),

    key("serve", "listen", Kind::Listen, Some("127.0.0.1:6566"), "the address to serve at; beyond this machine it needs a token"),
    secret("serve", "token", "what clients must send as `Authorization: Bearer TOKEN`; without it nobody is asked"),
    key("serve", "deadline", Kind::Duration, Some("1s"), "how long a request may take; what is not known by then is answered with the status ERROR"),
    key("serve", "max_body", Kind::Size, Some("16MiB"), "the largest body of a request"),
    key("serve", "max_entities", Kind::Count(1, 10_000_000), Some("10000"), "the most entities of one request"),
    key("serve", "max_connections", Kind::Count(1, 1_000_000), Some("20000"), "the most connections at a time; later ones wait"),
    key("serve", "idle_timeout", Kind::Duration, Some("75s"), "how long a connection may be silent, or a client take to send one request"),
    key("serve", "shutdown_timeout", Kind::Duration, Some("10s"), "how long requests may still take when the server is told to end"),
    key("serve", "threads", Kind::Count(1, 1024), None, "threads that serve; by default the number of cores"),
    key("serve", "tls_cert", Kind::Path, None, "the certificate chain (PEM) for https, with serve.tls_key"),
    key("serve", "tls_key", Kind::Path, None, "the private key (PEM) of serve.tls_cert"),
    key("serve", "log_level", Kind::Text, Some("info"), "what is logged to stderr: error, warn, info, debug, trace, or tracing filters"),
    key("serve", "log_format", Kind::Choice(&["text", "json"]), Some("text"), "how it is logged"),
    key("serve", "push_log", Kind::Path, Some(".unskew/push"), "the folder of the write-ahead log of /push?mode=log"),
    key("serve", "served_log", Kind::Share, Some("0"), "the share of entities (by a hash of their keys) whose answers are kept in the offline store, for `unskew replay`; 0 keeps none"),
    key("serve", "alerts", Kind::Alerts, Some("[]"), "rules of alerts: tables [[serve.alerts]] with name, measure, above, over, view, webhook"),

    key("batch", "memory_limit", Kind::Size, Some("2GiB"), "memory of a batch job; what is more is spilled to files"),
    key("batch", "threads", Kind::Count(1, 1024), None, "threads of a batch job; by default the number of cores"),
    key("batch", "temp_dir", Kind::Path, None, "the folder of spilled files; by default the system's"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_listed_once_and_by_section() {
        let mut paths: Vec<String> = KEYS.iter().map(Key::path).collect();
        let sections: Vec<&str> = KEYS.iter().map(|key| key.section).collect();
        assert!(sections.is_sorted_by_key(|s| SECTIONS.iter().position(|known| known == s)));
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), KEYS.len());
        let mut variables: Vec<String> = KEYS.iter().map(Key::variable).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), KEYS.len());
    }

    #[test]
    fn the_documentation_lists_every_key() {
        let text = include_str!("../../../../docs/configuration.md");
        for key in KEYS {
            let row = format!("| `{}` |", key.name);
            assert!(text.contains(&row), "docs/configuration.md lacks {}", key.path());
            assert!(text.contains(key.what), "docs/configuration.md says other of {}", key.path());
        }
    }
}
