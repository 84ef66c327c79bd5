//! The folders that componentize-py makes components of.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::environment;
use super::project::PythonProject;
use crate::component::WIT;
use crate::error::BuildError;
use crate::language::Language;
use crate::sdk;

/// The module that componentize-py imports.
pub(super) const ENTRY: &str = "unskew_entry";
/// Where the interpreter finds [`Stage::app`].
const MOUNT: &str = "/0";
const REPORT: &str = "report.json";
/// Written out, since it is part of what names a definer.
pub(super) const DEFINER_ENTRY: &str = "import sys\n\nsys.path.insert(0, \"/0/sdk\")\n\n\
     from unskew.definer import Evaluate, start  # noqa: E402, F401\n\nstart()\n";

/// A temporary folder with all that the interpreter will see, and nothing else.
pub(super) struct Stage {
    root: TempDir,
}

impl Stage {
    /// Copies the project, the SDK and the packages into place.
    pub(super) fn lay_out(
        project: &PythonProject,
        sdk: &Path,
        packages: Option<&Path>,
    ) -> Result<Self, BuildError> {
        let stage = Self::empty()?;
        let app = stage.app();
        copy_tree(&sdk.join("unskew"), &app.join("sdk/unskew"), &|_| true)?;
        make(&app.join("packages"))?;
        if let Some(packages) = packages {
            let is_wanted =
                |path: &Path| path.file_name().is_none_or(|n| n != "componentize-py.toml");
            copy_tree(packages, &app.join("packages"), &is_wanted)?;
        }
        let code = app.join("project");
        make(&code)?;
        copy_tree(&project.dir, &code, &is_code)?;
        for file in &project.data {
            copy(&project.dir.join(file), &code.join(file))?;
        }
        write(&app.join("start.json"), start(project).to_string())?;
        write(&app.join(format!("{ENTRY}.py")), entry())?;
        Ok(stage)
    }

    /// What the definer is made of: the SDK, and nothing of any user.
    pub(super) fn of_definer() -> Result<Self, BuildError> {
        let stage = Self::empty()?;
        let app = stage.app();
        for (name, content) in sdk::files(Language::Python) {
            write(&app.join("sdk").join(name), content)?;
        }
        write(&app.join(format!("{ENTRY}.py")), DEFINER_ENTRY)?;
        Ok(stage)
    }

    /// A stage with what every component needs.
    fn empty() -> Result<Self, BuildError> {
        let root = tempfile::Builder::new()
            .prefix("unskew-python-")
            .tempdir()
            .map_err(BuildError::io("make a folder in", std::env::temp_dir()))?;
        let stage = Self { root };
        write(&stage.wit().join("unskew.wit"), WIT)?;
        make(&stage.empty_venv().join("lib/python3/site-packages"))?;
        write(&stage.app().join(environment::FILE_NAME), environment::library())?;
        Ok(stage)
    }

    /// The folder whose content the interpreter sees.
    pub(super) fn app(&self) -> PathBuf {
        self.root.path().join("app")
    }

    /// The folder with the contract.
    pub(super) fn wit(&self) -> PathBuf {
        self.root.path().join("wit")
    }

    /// A virtual environment without packages, so that none of the tool's own
    /// environment can be imported.
    pub(super) fn empty_venv(&self) -> PathBuf {
        self.root.path().join("venv")
    }

    /// Where the component shall be written.
    pub(super) fn output(&self) -> PathBuf {
        self.root.path().join("module.wasm")
    }

    /// Where the SDK writes why the project could not be imported.
    pub(super) fn report(&self) -> PathBuf {
        self.app().join(REPORT)
    }
}

fn start(project: &PythonProject) -> serde_json::Value {
    let PythonProject { dir: _, name, description, module, source_root, data, lock: _ } = project;
    json!({
        "name": name.as_str(),
        "description": description,
        "module": module,
        "project": format!("{MOUNT}/project"),
        "source_root": source_root,
        "dependencies": format!("{MOUNT}/packages"),
        "data": data,
        "report": format!("{MOUNT}/{REPORT}"),
    })
}

fn entry() -> String {
    format!(
        "import json\nimport sys\n\nsys.path.insert(0, \"{MOUNT}/sdk\")\n\n\
         from unskew.guest import Evaluate, start  # noqa: E402\n\n\
         with open(\"{MOUNT}/start.json\", encoding=\"utf-8\") as file:\n    start(**json.load(file))\n"
    )
}

fn make(dir: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(dir).map_err(BuildError::io("make", dir))
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), BuildError> {
    make(path.parent().expect("it lies in the stage"))?;
    fs::write(path, content).map_err(BuildError::io("write", path))
}

fn copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    make(to.parent().expect("it lies in the stage"))?;
    fs::copy(from, to).map_err(BuildError::io("copy", from))?;
    Ok(())
}

/// Links may lead in circles.
const MAX_DEPTH: usize = 64;

/// Copies the wanted files of a folder, but none of what tools leave behind.
fn copy_tree(from: &Path, to: &Path, is_wanted: &dyn Fn(&Path) -> bool) -> Result<(), BuildError> {
    wanted_files(from, is_wanted, &mut |path| {
        copy(path, &to.join(path.strip_prefix(from).expect("it lies in the folder")))
    })
}

/// Whether a file of a project is Python code.
pub(super) fn is_code(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

/// Visits the wanted files of a folder, but none of what tools leave behind.
pub(super) fn wanted_files(
    from: &Path,
    is_wanted: &dyn Fn(&Path) -> bool,
    visit: &mut dyn FnMut(&Path) -> Result<(), BuildError>,
) -> Result<(), BuildError> {
    visit_folder(from, is_wanted, visit, 0)
}

fn visit_folder(
    from: &Path,
    is_wanted: &dyn Fn(&Path) -> bool,
    visit: &mut dyn FnMut(&Path) -> Result<(), BuildError>,
    depth: usize,
) -> Result<(), BuildError> {
    if depth > MAX_DEPTH {
        let what =
            format!("folders are nested deeper than {MAX_DEPTH}, or a link leads in a circle");
        return Err(BuildError::Project { path: from.to_owned(), what });
    }
    for entry in fs::read_dir(from).map_err(BuildError::io("read", from))? {
        let path = entry.map_err(BuildError::io("read", from))?.path();
        let Some(name) = path.file_name() else { continue };
        let shown = name.to_string_lossy();
        if shown.starts_with('.') || matches!(&*shown, "__pycache__" | "node_modules") {
            continue;
        }
        if path.is_dir() {
            if !path.join("pyvenv.cfg").is_file() {
                visit_folder(&path, is_wanted, visit, depth + 1)?;
            }
        } else if path.is_file() && is_wanted(&path) {
            visit(&path)?;
        }
    }
    Ok(())
}
