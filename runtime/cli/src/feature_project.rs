//! A project: the definitions of a folder and of its modules, made into one
//! plan. What `explain` shows and what every driver runs.

mod definitions;
mod layout;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use unskew_definition::{DefinitionReader, Mistake, Mistakes, Name, Place};
use unskew_host::CompiledModule;
use unskew_plan::FeaturePlan;

use crate::build;
use crate::config::ProjectConfig;
use crate::context::Context;
use crate::failure::UserError;
use crate::project::Project;
use definitions::ModuleDefinitions;
use layout::{Layout, ModulePlace};

/// A project whose definitions have been read and resolved.
pub(crate) struct FeatureProject {
    /// Its folder: paths in its definitions begin there.
    pub(crate) dir: PathBuf,
    /// How it is set up.
    #[allow(dead_code, reason = "the commands that open stores come with them")]
    pub(crate) config: ProjectConfig,
    /// All that it defines.
    pub(crate) plan: FeaturePlan,
    places: BTreeMap<Name, ModulePlace>,
    /// The modules that were needed so far.
    compiled: RefCell<BTreeMap<Name, CompiledModule>>,
}

impl FeatureProject {
    /// Opens what lies at `path`: a folder with `unskew.toml`, the folder of a
    /// module (with pyproject.toml or Cargo.toml), a folder with YAML files,
    /// or one such file. All mistakes of all its definitions are one error.
    pub(crate) fn open(path: &Path, context: &Context) -> anyhow::Result<Self> {
        let Layout { dir, documents, modules, config } = Layout::of(path, &context.settings)?;
        let mut reader = DefinitionReader::new();
        let mut mistakes = Mistakes::new();
        for file in &documents {
            let bytes = std::fs::read(file)
                .with_context(|| format!("{} could not be read", file.display()))?;
            reader.read_document(&shown(file), &bytes);
        }
        let mut compiled = BTreeMap::new();
        for (name, place) in &modules {
            let ModuleDefinitions { manifest, prefix, mistakes: of_module, module } =
                ModuleDefinitions::of(place, context)?;
            mistakes.extend(of_module);
            if let Some(manifest) = manifest {
                reader.read_manifest(name, &prefix, manifest.as_bytes());
            }
            compiled.extend(module.map(|module| (name.clone(), module)));
        }
        let definition = reader.finish(config.project.default_ttl_us);
        let plan = match FeaturePlan::new(&definition) {
            Ok(plan) => mistakes.or(plan)?,
            Err(found) => {
                mistakes.extend(found);
                return Err(mistakes.or(()).unwrap_err().into());
            }
        };
        Ok(Self { dir, config, plan, places: modules, compiled: RefCell::new(compiled) })
    }

    /// The modules that were needed so far.
    pub(crate) fn loaded_modules(&self) -> Vec<CompiledModule> {
        self.compiled.borrow().values().cloned().collect()
    }

    /// The modules of the project, by the names that it gives them.
    pub(crate) fn module_names(&self) -> impl Iterator<Item = &Name> {
        self.places.keys()
    }

    /// Whether the project has a module of this name.
    pub(crate) fn has_module(&self, name: &Name) -> bool {
        self.places.contains_key(name)
    }

    /// A module of the project, ready to be called: built where its source
    /// changed, compiled at its first use.
    pub(crate) fn module(&self, name: &Name, context: &Context) -> anyhow::Result<CompiledModule> {
        if let Some(module) = self.compiled.borrow().get(name) {
            return Ok(module.clone());
        }
        let place = self.places.get(name).ok_or_else(|| {
            UserError::new(format!("the project has no module {name}"))
                .at(self.dir.display().to_string())
                .help("name it under [modules] in unskew.toml")
        })?;
        let module = match place {
            ModulePlace::File(path) => context.load(path)?,
            ModulePlace::Folder(dir) => {
                build::build(&Project::open(dir)?, None, false, context)?.module
            }
        };
        self.compiled.borrow_mut().insert(name.clone(), module.clone());
        Ok(module)
    }
}

/// A path as messages show it: without a `./` that nobody typed.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// What stands before the file names that a module in `dir` recorded.
fn prefix_of(dir: &Path) -> String {
    match shown(dir) {
        dir if dir.is_empty() => dir,
        dir if dir.ends_with('/') => dir,
        dir => format!("{dir}/"),
    }
}

/// A mistake that an SDK told as text, which begins with file and line.
fn told_mistake(text: &str, prefix: &str, otherwise: &Path) -> Mistake {
    let (place, what) = text
        .split_once(':')
        .and_then(|(file, rest)| {
            let (line, what) = rest.split_once(':')?;
            let line: u32 = line.parse().ok()?;
            Some((Place::new(format!("{prefix}{file}"), line), what.trim_start()))
        })
        .unwrap_or_else(|| (Place::new(shown(otherwise), 0), text));
    // What Python says of the way there names the project's own files.
    let what = what.replace("\n  called from ", &format!("\n  called from {prefix}"));
    Mistake { place, subject: String::new(), what, fix: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_sdk_told_gets_its_place() {
        let told = |text: &str| told_mistake(text, "shop/", Path::new("shop")).to_string();
        assert_eq!(told("features.py:12: entity x: no"), "shop/features.py:12: entity x: no");
        assert_eq!(told("nothing: to offer"), "shop: nothing: to offer");
        let frames = told("a.py:1: ValueError: no\n    f()\n  called from b.py:3 in g");
        assert_eq!(frames, "shop/a.py:1: ValueError: no\n    f()\n  called from shop/b.py:3 in g");
        assert_eq!(prefix_of(Path::new(".")), "");
        assert_eq!(prefix_of(Path::new("./a")), "a/");
        assert_eq!(prefix_of(Path::new("/a/b")), "/a/b/");
    }
}
