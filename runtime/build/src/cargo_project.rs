//! What a `Cargo.toml` says that a build must know before Cargo runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use crate::error::BuildError;

/// A Rust project, read from its `Cargo.toml`.
#[derive(Debug)]
pub(crate) struct CargoProject {
    /// The crate's name.
    pub(crate) package: String,
    /// The folder of the workspace that it belongs to; its own if it is none.
    pub(crate) workspace_root: PathBuf,
    /// Folders outside of the project that it depends on by `path`, also
    /// through others.
    pub(crate) outside: Vec<PathBuf>,
    /// Whether it depends on the SDK that Unskew lays beside it.
    pub(crate) uses_unpacked_sdk: bool,
    /// Whether its release profile says how to treat overflow.
    pub(crate) sets_overflow_checks: bool,
}

impl CargoProject {
    /// Reads the project in `dir`, an absolute path without links.
    pub(crate) fn read(dir: &Path) -> Result<Self, BuildError> {
        let path = dir.join("Cargo.toml");
        let manifest = parse(&path)?;
        let wrong = |what: String| BuildError::Project { path: path.clone(), what };
        let Some(package) = text_at(&manifest, &["package", "name"]) else {
            return Err(wrong(
                "it has no [package] with a `name`; build a folder that holds one crate".to_owned(),
            ));
        };
        let workspace_root = workspace_root(dir)?;
        let root_manifest = if workspace_root == dir {
            manifest.clone()
        } else {
            parse(&workspace_root.join("Cargo.toml"))?
        };

        let mut seen = BTreeSet::from([dir.to_owned()]);
        let mut to_read = vec![dir.to_owned()];
        let mut uses_unpacked_sdk = false;
        while let Some(folder) = to_read.pop() {
            let path = folder.join("Cargo.toml");
            for dependency in path_dependencies(&path, &workspace_root, &root_manifest)? {
                if dependency.components().any(|c| c.as_os_str() == crate::sdk::FOLDER) {
                    uses_unpacked_sdk |= dependency.starts_with(dir);
                } else if seen.insert(dependency.clone()) {
                    if !dependency.join("Cargo.toml").is_file() {
                        return Err(BuildError::Project {
                            path,
                            what: format!(
                                "it depends on {}, where there is no Cargo.toml; correct the `path`",
                                dependency.display()
                            ),
                        });
                    }
                    to_read.push(dependency);
                }
            }
        }
        let outside = seen.into_iter().filter(|folder| !folder.starts_with(dir)).collect();
        let sets_overflow_checks = root_manifest
            .get("profile")
            .and_then(|p| p.get("release"))
            .is_some_and(|release| release.get("overflow-checks").is_some());
        Ok(Self {
            package: package.to_owned(),
            workspace_root,
            outside,
            uses_unpacked_sdk,
            sets_overflow_checks,
        })
    }

    /// Files outside of the project that decide what is built.
    pub(crate) fn workspace_files(&self, dir: &Path) -> Vec<PathBuf> {
        if self.workspace_root == dir {
            return Vec::new();
        }
        let files = ["Cargo.toml", "Cargo.lock"].map(|name| self.workspace_root.join(name));
        files.into_iter().filter(|file| file.is_file()).collect()
    }
}

fn parse(path: &Path) -> Result<Table, BuildError> {
    let text = fs::read_to_string(path).map_err(BuildError::io("read", path))?;
    text.parse().map_err(|error: toml::de::Error| BuildError::Project {
        path: path.to_owned(),
        what: format!("not valid TOML: {error}"),
    })
}

fn text_at<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a str> {
    let (last, before) = keys.split_last()?;
    let mut table = table;
    for key in before {
        table = table.get(*key)?.as_table()?;
    }
    table.get(*last)?.as_str()
}

/// As Cargo finds it: the folder itself, what `package.workspace` names, or
/// the nearest one above that has a `[workspace]` which does not exclude it.
fn workspace_root(dir: &Path) -> Result<PathBuf, BuildError> {
    let own = parse(&dir.join("Cargo.toml"))?;
    if own.contains_key("workspace") {
        return Ok(dir.to_owned());
    }
    if let Some(root) = text_at(&own, &["package", "workspace"]) {
        return Ok(resolve(dir, root));
    }
    for above in dir.ancestors().skip(1) {
        let path = above.join("Cargo.toml");
        if !path.is_file() {
            continue;
        }
        let Some(Value::Table(workspace)) = parse(&path)?.remove("workspace") else { continue };
        let excluded = workspace.get("exclude").and_then(Value::as_array).is_some_and(|list| {
            list.iter().filter_map(Value::as_str).any(|e| dir.starts_with(resolve(above, e)))
        });
        return Ok(if excluded { dir.to_owned() } else { above.to_owned() });
    }
    Ok(dir.to_owned())
}

/// The folders that the crate at `path` names as its dependencies.
fn path_dependencies(
    path: &Path,
    workspace_root: &Path,
    root_manifest: &Table,
) -> Result<Vec<PathBuf>, BuildError> {
    let manifest = parse(path)?;
    let dir = path.parent().expect("a file lies in a folder");
    let inherited = root_manifest.get("workspace").and_then(|w| w.get("dependencies"));
    let mut tables: Vec<&Value> = Vec::new();
    // Dev-dependencies are of no account for a module.
    let kinds = ["dependencies", "build-dependencies"];
    tables.extend(kinds.iter().filter_map(|kind| manifest.get(*kind)));
    if let Some(Value::Table(targets)) = manifest.get("target") {
        for target in targets.values() {
            tables.extend(kinds.iter().filter_map(|kind| target.get(kind)));
        }
    }
    let mut found = Vec::new();
    for (name, dependency) in tables.into_iter().filter_map(Value::as_table).flatten() {
        let is_inherited = dependency.get("workspace").and_then(Value::as_bool) == Some(true);
        let (base, dependency) = if is_inherited {
            (workspace_root, inherited.and_then(|table| table.get(name)))
        } else {
            (dir, Some(dependency))
        };
        if let Some(at) = dependency.and_then(|d| d.get("path")).and_then(Value::as_str) {
            found.push(resolve(base, at));
        }
    }
    Ok(found)
}

/// `path` from `base`, without `.` and `..`: the folder need not exist.
fn resolve(base: &Path, path: &str) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                resolved.pop();
            }
            other => resolved.push(other),
        }
    }
    resolved
}
