//! Where the definitions and modules of a project lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use unskew_definition::Name;

use super::shown;
use crate::config::{PROJECT_FILE, ProjectConfig};
use crate::failure::UserError;
use crate::project::Project;

const MODULE_FILES: [&str; 2] = ["pyproject.toml", "Cargo.toml"];
const DOCUMENTS: [&str; 3] = ["yaml", "yml", "json"];
/// Where a project does not say which files hold definitions.
const DEFAULT_DEFINITIONS: [&str; 2] = ["*.yaml", "*.yml"];

/// What a project consists of.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) dir: PathBuf,
    /// Files of definitions by hand.
    pub(super) documents: Vec<PathBuf>,
    /// Modules by the name that the project gives them.
    pub(super) modules: BTreeMap<Name, ModulePlace>,
    /// How it is set up.
    pub(super) config: ProjectConfig,
}

/// Where a module comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ModulePlace {
    /// The folder of a project that builds into one.
    Folder(PathBuf),
    /// A module that was built.
    File(PathBuf),
}

impl Layout {
    /// Finds out what lies at `path`.
    pub(super) fn of(path: &Path, settings: &[(String, String)]) -> anyhow::Result<Self> {
        if path.is_file() {
            return Self::of_file(path, settings);
        }
        let place = || path.display().to_string();
        if !path.exists() {
            let help = format!(
                "check the path, or begin a project: `unskew new --lang python {}`",
                path.display()
            );
            return Err(UserError::new("no such folder").at(place()).help(help).into());
        }
        if path.join(PROJECT_FILE).is_file() {
            return Self::of_project(path, settings);
        }
        if MODULE_FILES.iter().any(|file| path.join(file).is_file()) {
            let project = Project::open(path)?;
            let name = module_name(&project.name)?;
            let modules = BTreeMap::from([(name, ModulePlace::Folder(path.to_owned()))]);
            let config = ProjectConfig::of(path, settings)?;
            let dir = path.to_owned();
            return Ok(Self { dir, documents: Vec::new(), modules, config });
        }
        let documents = matching(path, &DEFAULT_DEFINITIONS.map(str::to_owned), false)?;
        if documents.is_empty() {
            let help = format!(
                "a project is a folder with {PROJECT_FILE}, with the pyproject.toml or Cargo.toml of a module, or with definitions in YAML; `unskew new` begins one"
            );
            return Err(UserError::new("the folder holds no definitions")
                .at(place())
                .help(help)
                .into());
        }
        let (dir, modules) = (path.to_owned(), BTreeMap::new());
        Ok(Self { dir, documents, modules, config: ProjectConfig::of(path, settings)? })
    }

    fn of_file(path: &Path, settings: &[(String, String)]) -> anyhow::Result<Self> {
        let parent = path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
        if path.file_name().is_some_and(|name| name == PROJECT_FILE) {
            return Self::of_project(parent, settings);
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let (mut documents, mut modules) = (Vec::new(), BTreeMap::new());
        match extension {
            "wasm" => {
                let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
                let name = module_name(&stem.unwrap_or_default())?;
                modules.insert(name, ModulePlace::File(path.to_owned()));
            }
            extension if DOCUMENTS.contains(&extension) => documents.push(path.to_owned()),
            _ => {
                let help = "give a folder, a file with definitions (.yaml, .yml or .json), or a module (.wasm)";
                return Err(UserError::new("this file holds no definitions")
                    .at(path.display().to_string())
                    .help(help)
                    .into());
            }
        }
        let config = ProjectConfig::of(parent, settings)?;
        Ok(Self { dir: parent.to_owned(), documents, modules, config })
    }

    fn of_project(dir: &Path, settings: &[(String, String)]) -> anyhow::Result<Self> {
        let config = ProjectConfig::of(dir, settings)?;
        let file = shown(&dir.join(PROJECT_FILE));
        let wrong = |line: Option<u32>, what: String, help: &str| -> anyhow::Error {
            let place = line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
            UserError::new(what).at(place).help(help).into()
        };
        if let Some(name) = &config.project.name
            && let Err(error) = Name::new(name.clone())
        {
            return Err(UserError::new(format!("[project] name: {error}"))
                .at(config.place_of("project.name"))
                .help("correct the name")
                .into());
        }
        let (patterns, must_match) = match &config.project.definitions {
            Some(patterns) => (patterns.clone(), true),
            None => (DEFAULT_DEFINITIONS.map(str::to_owned).to_vec(), false),
        };
        let documents = matching(dir, &patterns, must_match).map_err(|what| {
            UserError::new(format!("[project] definitions: {what}"))
                .at(config.place_of("project.definitions"))
                .help("correct the pattern")
        })?;
        let mut modules = BTreeMap::new();
        for (name, path, line) in &config.modules {
            let place = dir.join(path);
            let name = Name::new(name.clone()).map_err(|error| {
                wrong(Some(*line), format!("[modules]: {error}"), "correct the name")
            })?;
            let place = match path.ends_with(".wasm") {
                true if place.is_file() => ModulePlace::File(place),
                false if place.is_dir() => ModulePlace::Folder(place),
                _ => {
                    let what = format!("[modules] {name} = {path:?}: there is no such module");
                    let help = "give the folder of a module, or the .wasm file that `unskew build` made, from the project's folder";
                    return Err(wrong(Some(*line), what, help));
                }
            };
            modules.insert(name, place);
        }
        if documents.is_empty() && modules.is_empty() {
            let help =
                "write definitions into a YAML file beside it, or name a module under [modules]";
            let what = "the project has neither definitions nor modules".to_owned();
            return Err(wrong(None, what, help));
        }
        Ok(Self { dir: dir.to_owned(), documents, modules, config })
    }
}

fn module_name(name: &str) -> anyhow::Result<Name> {
    Ok(Name::new(name).map_err(|error| {
        UserError::new(format!("the module's name: {error}"))
            .help("name it in Cargo.toml or pyproject.toml; for a file, rename it")
    })?)
}

/// The files that patterns name, sorted, each once.
fn matching(dir: &Path, patterns: &[String], must_match: bool) -> Result<Vec<PathBuf>, UserError> {
    let mut found = Vec::new();
    for pattern in patterns {
        let wrong = |why: String| UserError::new(format!("{pattern:?} {why}"));
        let whole = format!("{}/{pattern}", glob::Pattern::escape(&dir.to_string_lossy()));
        let paths = glob::glob(&whole)
            .map_err(|error| wrong(format!("is no pattern ({error}); use such as \"*.yaml\"")))?;
        let before = found.len();
        for path in paths {
            let path = path.map_err(|error| wrong(format!("cannot be read: {error}")))?;
            if path.is_file() {
                found.push(path);
            }
        }
        if must_match && found.len() == before {
            return Err(wrong("matches no file".to_owned()));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    #[test]
    fn a_project_names_its_definitions_and_modules() {
        let toml = "[project]\nname = \"shop\"\ndefinitions = [\"definitions/*.yaml\"]\ndefault_ttl = \"30d\"\n[modules]\nfast = \"modules/fast\"\nold = \"old.wasm\"";
        let dir = folder(&[
            (PROJECT_FILE, toml),
            ("definitions/b.yaml", ""),
            ("definitions/a.yaml", ""),
            ("other.yaml", ""),
            ("modules/fast/Cargo.toml", ""),
            ("old.wasm", ""),
        ]);
        for path in [dir.path().to_owned(), dir.path().join(PROJECT_FILE)] {
            let layout = Layout::of(&path, &[]).unwrap();
            let names: Vec<_> = layout.documents.iter().map(|d| d.file_name().unwrap()).collect();
            assert_eq!(names, ["a.yaml", "b.yaml"]);
            assert_eq!(layout.config.project.default_ttl_us, Some(30 * 86_400_000_000));
            let place = |name: &str| layout.modules[&Name::new(name).unwrap()].clone();
            assert_eq!(place("fast"), ModulePlace::Folder(dir.path().join("modules/fast")));
            assert_eq!(place("old"), ModulePlace::File(dir.path().join("old.wasm")));
        }
    }

    #[test]
    fn folders_and_files_of_yaml_are_projects_too() {
        let dir = folder(&[("b.yml", ""), ("a.yaml", ""), ("notes.txt", ""), ("c.json", "{}")]);
        assert_eq!(Layout::of(dir.path(), &[]).unwrap().documents.len(), 2);
        let one = Layout::of(&dir.path().join("c.json"), &[]).unwrap();
        assert_eq!((one.documents.len(), one.dir.as_path()), (1, dir.path()));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (toml, part) in [
            ("[project", "unskew.toml:1"),
            ("[projekt]", "there is no section [projekt]"),
            ("[project]\nname = \"a b\"", "[project] name"),
            ("[project]\ndefinitions = [\"x/*.yaml\"]", "\"x/*.yaml\" matches no file"),
            ("[project]\ndefault_ttl = \"soon\"", "project.default_ttl: \"soon\""),
            ("[project]\ndefault_ttl = \"0s\"", "above 0"),
            ("[modules]\nfast = \"modules/fast\"", "there is no such module"),
            ("[modules]\n\"a b\" = \"modules\"", "[modules]"),
            ("", "neither definitions nor modules"),
        ] {
            let dir = folder(&[(PROJECT_FILE, toml)]);
            let error = Layout::of(dir.path(), &[]).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(PROJECT_FILE), "{part}: {error}");
        }
        let dir = folder(&[("notes.txt", "")]);
        for (path, part) in [
            (dir.path().to_owned(), "holds no definitions"),
            (dir.path().join("notes.txt"), "this file holds no definitions"),
            (dir.path().join("nowhere"), "no such folder"),
        ] {
            let error = Layout::of(&path, &[]).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
