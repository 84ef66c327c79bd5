//! What pyproject.toml says of a project.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use unskew_definition::Name;

use super::packages::Lock;
use crate::error::BuildError;

/// A project whose description has been read and checked.
#[derive(Debug)]
pub(super) struct PythonProject {
    /// Its folder.
    pub(super) dir: PathBuf,
    /// The module's name: the project's, with underscores.
    pub(super) name: Name,
    pub(super) description: String,
    /// The Python module that holds the transforms, as `import` takes it.
    pub(super) module: String,
    /// Where that module lies: `` or `src`, from `dir`.
    pub(super) source_root: &'static str,
    /// Its data files, from `dir`, with slashes.
    pub(super) data: Vec<String>,
    /// Its packages, where it has any.
    pub(super) lock: Option<Lock>,
}

#[derive(Deserialize)]
struct PyProject {
    project: Option<ProjectTable>,
    #[serde(default)]
    tool: ToolTable,
}

#[derive(Deserialize)]
struct ProjectTable {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    dynamic: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Deserialize, Default)]
struct ToolTable {
    #[serde(default)]
    unskew: UnskewTable,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct UnskewTable {
    module: Option<String>,
    #[serde(default)]
    data: Vec<String>,
    requirements: Option<String>,
}

const LOCK: &str = "requirements.lock";
const SOURCE_ROOTS: [&str; 2] = ["", "src"];

impl PythonProject {
    /// Reads the project in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self, BuildError> {
        let path = dir.join("pyproject.toml");
        let wrong = |what: String| BuildError::Project { path: path.clone(), what };
        let text = fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
        let PyProject { project, tool: ToolTable { unskew } } =
            toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let project = project.ok_or_else(|| {
            wrong("it has no table [project]; give it one with a name and a version".to_owned())
        })?;
        let ProjectTable { name, version, dynamic, description, dependencies } = project;
        let name = name.ok_or_else(|| {
            wrong("[project] has no name; give it one, such as name = \"features\"".to_owned())
        })?;
        if version.is_none() && !dynamic.iter().any(|field| field == "version") {
            return Err(wrong(
                "[project] has no version; give it one, such as version = \"0.1.0\"".to_owned(),
            ));
        }
        let module_name = Name::new(name.replace(['-', '.'], "_"))
            .map_err(|error| wrong(format!("[project] name: {error}")))?;
        let (module, source_root) = match unskew.module {
            Some(module) => {
                let root = root_of(dir, &module).map_err(&wrong)?;
                (module, root)
            }
            None => default_module(dir, module_name.as_str()).map_err(&wrong)?,
        };
        let data = data_files(dir, &unskew.data).map_err(&wrong)?;
        let lock = read_lock(dir, unskew.requirements.as_deref(), &dependencies, &wrong)?;
        Ok(Self {
            dir: dir.to_owned(),
            name: module_name,
            description,
            module,
            source_root,
            data,
            lock,
        })
    }
}

/// Where the module of a dotted name lies.
fn root_of(dir: &Path, module: &str) -> Result<&'static str, String> {
    let parts: Vec<&str> = module.split('.').collect();
    if parts.iter().any(|part| Name::new(*part).is_err()) {
        return Err(format!(
            "[tool.unskew] module = {module:?} is no name of a Python module, such as \"features\" or \"shop.features\""
        ));
    }
    let path = parts.join("/");
    let found = SOURCE_ROOTS.into_iter().find(|root| is_module(&dir.join(root), &path));
    found.ok_or_else(|| {
        format!(
            "[tool.unskew] module = {module:?}: there is neither {path}.py nor {path}/__init__.py, here or under src; correct the name"
        )
    })
}

fn is_module(root: &Path, path: &str) -> bool {
    root.join(format!("{path}.py")).is_file() || root.join(path).join("__init__.py").is_file()
}

/// The module of the project's name, or else the only one there is.
fn default_module(dir: &Path, name: &str) -> Result<(String, &'static str), String> {
    if let Some(root) = SOURCE_ROOTS.into_iter().find(|root| is_module(&dir.join(root), name)) {
        return Ok((name.to_owned(), root));
    }
    let mut found = BTreeSet::new();
    for root in SOURCE_ROOTS {
        for module in top_level_modules(&dir.join(root)) {
            found.insert((module, root));
        }
    }
    let mut found = found.into_iter();
    match (found.next(), found.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => {
            Err(format!("there is no Python module beside it; write the transforms in {name}.py"))
        }
        (Some((first, _)), _) => {
            let names: Vec<_> = found.map(|(name, _)| name).collect();
            Err(format!(
                "which module holds the transforms: {first}, {}? Say so: [tool.unskew] module = \"{first}\"",
                names.join(", ")
            ))
        }
    }
}

fn top_level_modules(root: &Path) -> Vec<String> {
    const NO_FEATURES: [&str; 5] = ["setup", "conftest", "noxfile", "tests", "test"];
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_package = path.join("__init__.py").is_file();
            let is_file = path.extension().is_some_and(|e| e == "py") && path.is_file();
            let name = if is_package { path.file_name()? } else { path.file_stem()? }.to_str()?;
            let counts = (is_package || is_file)
                && Name::new(name).is_ok()
                && !NO_FEATURES.contains(&name)
                && !name.starts_with("test_")
                && !name.ends_with("_test");
            counts.then(|| name.to_owned())
        })
        .collect()
}

/// The files that the patterns of `[tool.unskew] data` name.
fn data_files(dir: &Path, patterns: &[String]) -> Result<Vec<String>, String> {
    let mut files = BTreeSet::new();
    for pattern in patterns {
        let wrong = |why: &str| Err(format!("[tool.unskew] data: {pattern:?} {why}"));
        let outside = Path::new(pattern)
            .components()
            .any(|part| !matches!(part, std::path::Component::Normal(_)));
        if outside || pattern.is_empty() {
            return wrong("must be a path from the project's folder, and stay in it");
        }
        let whole = format!("{}/{pattern}", glob::Pattern::escape(&dir.to_string_lossy()));
        let Ok(paths) = glob::glob(&whole) else {
            return wrong("is no pattern; use such as \"data/*.csv\"");
        };
        let before = files.len();
        for path in paths {
            let path = path.map_err(|e| format!("[tool.unskew] data: {pattern:?}: {e}"))?;
            if !path.is_file() {
                continue;
            }
            let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
            if name.ends_with(".so") || name.ends_with("componentize-py.toml") {
                return wrong(&format!("names {name}, which is code, not data"));
            }
            files.insert(name);
        }
        if files.len() == before {
            return wrong("matches no file");
        }
    }
    Ok(files.into_iter().collect())
}

fn read_lock(
    dir: &Path,
    named: Option<&str>,
    dependencies: &[String],
    wrong: &impl Fn(String) -> BuildError,
) -> Result<Option<Lock>, BuildError> {
    let path = dir.join(named.unwrap_or(LOCK));
    if path.is_file() {
        let lock = Lock::read(&path)?;
        return Ok((!lock.is_empty()).then_some(lock));
    }
    if let Some(named) = named {
        return Err(wrong(format!(
            "[tool.unskew] requirements = {named:?}: there is no such file"
        )));
    }
    // The SDK itself comes with the build.
    let others: Vec<&str> =
        dependencies.iter().map(String::as_str).filter(|d| package_name(d) != "unskew").collect();
    if others.is_empty() {
        return Ok(None);
    }
    Err(wrong(format!(
        "it depends on {}, but there is no {LOCK} that pins the versions; make one, such as with `pip install pip-tools && pip-compile --generate-hashes -o {LOCK} pyproject.toml`",
        others.join(", ")
    )))
}

/// The name at the beginning of a requirement, in its normal form.
pub(super) fn package_name(requirement: &str) -> String {
    requirement
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .map(|c| if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(pyproject: &str, files: &[&str]) -> Result<PythonProject, String> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pyproject.toml"), pyproject).unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        PythonProject::read(dir.path()).map_err(|error| error.to_string())
    }

    fn with(tool: &str, files: &[&str]) -> Result<PythonProject, String> {
        project(&format!("[project]\nname = \"my-shop\"\nversion = \"1\"\n{tool}"), files)
    }

    #[test]
    fn the_module_is_named_found_by_name_or_the_only_one() {
        let found = |tool: &str, files: &[&str]| {
            let project = with(tool, files).unwrap();
            (project.module, project.source_root)
        };
        assert_eq!(found("", &["my_shop.py", "other.py"]), ("my_shop".to_owned(), ""));
        assert_eq!(found("", &["src/my_shop/__init__.py", "x.py"]), ("my_shop".to_owned(), "src"));
        let beside =
            ["features.py", "setup.py", "conftest.py", "test_features.py", "tests/__init__.py"];
        assert_eq!(found("", &beside), ("features".to_owned(), ""));
        let named = "[tool.unskew]\nmodule = \"shop.features\"";
        let files = ["src/shop/__init__.py", "src/shop/features.py", "other.py"];
        assert_eq!(found(named, &files), ("shop.features".to_owned(), "src"));
    }

    #[test]
    fn the_name_becomes_one_of_the_manifest() {
        assert_eq!(with("", &["features.py"]).unwrap().name.as_str(), "my_shop");
        let error =
            project("[project]\nname = \"9lives\"\nversion = \"1\"", &["f.py"]).unwrap_err();
        assert!(error.contains("[project] name") && error.contains("9lives"), "{error}");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (pyproject, files, part) in [
            ("", &["f.py"][..], "no table [project]"),
            ("[project]\nversion = \"1\"", &["f.py"], "name = \"features\""),
            ("[project]\nname = \"a\"", &["f.py"], "version = \"0.1.0\""),
            ("[project", &["f.py"], "TOML parse error"),
            ("[project]\nname = 5", &["f.py"], "invalid type"),
        ] {
            let error = project(pyproject, files).unwrap_err();
            assert!(error.contains(part) && error.contains("pyproject.toml"), "{part}: {error}");
        }
        for (tool, files, part) in [
            ("", &[][..], "write the transforms in my_shop.py"),
            ("", &["a.py", "b.py"], "[tool.unskew] module = \"a\""),
            ("[tool.unskew]\nmodul = \"a\"", &["a.py"], "unknown field `modul`"),
            ("[tool.unskew]\nmodule = \"b\"", &["a.py"], "neither b.py nor b/__init__.py"),
            ("[tool.unskew]\nmodule = \"a.py\"", &["a.py"], "neither a/py.py"),
            ("[tool.unskew]\nmodule = \"../a\"", &["a.py"], "no name of a Python module"),
            ("[tool.unskew]\ndata = [\"x/*.csv\"]", &["a.py"], "\"x/*.csv\" matches no file"),
            ("[tool.unskew]\ndata = [\"../x\"]", &["a.py"], "stay in it"),
            ("[tool.unskew]\ndata = [\"/etc/passwd\"]", &["a.py"], "stay in it"),
            ("[tool.unskew]\ndata = [\"a[\"]", &["a.py"], "is no pattern"),
            ("[tool.unskew]\ndata = [\"*.so\"]", &["a.py", "x.so"], "which is code, not data"),
            ("[tool.unskew]\nrequirements = \"r.txt\"", &["a.py"], "there is no such file"),
            (
                "dependencies = [\"unskew\", \"six>=1\"]",
                &["a.py"],
                "depends on six>=1, but there is no requirements.lock",
            ),
        ] {
            let error = with(tool, files).unwrap_err();
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn data_files_are_those_of_the_patterns_once_each() {
        let tool = "[tool.unskew]\ndata = [\"data/*.csv\", \"data/**/*.csv\", \"notes.txt\"]";
        let files =
            ["a.py", "data/b.csv", "data/a.csv", "data/deep/c.csv", "data/d.json", "notes.txt"];
        let project = with(tool, &files).unwrap();
        assert_eq!(project.data, ["data/a.csv", "data/b.csv", "data/deep/c.csv", "notes.txt"]);
    }

    #[test]
    fn the_sdk_needs_no_lock() {
        let project = with("dependencies = [\"Unskew ~= 0.1\"]", &["a.py"]).unwrap();
        assert!(project.lock.is_none());
    }
}
