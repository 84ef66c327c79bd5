//! A Python project as bytes, for the definer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::componentize::ComponentizePy;
use super::packages;
use super::project::PythonProject;
use super::stage::{is_code, wanted_files};
use crate::BuildOptions;
use crate::error::BuildError;

/// Where files seem to lie in the definer: `definer/project.py` of the SDK.
const PROJECT: &str = "/project";
const PACKAGES: &str = "/packages";

/// Bytes of all files: a definer has some memory, and definitions need little.
const MOST_BYTES: usize = 64 << 20;

/// Packs the Python project in `dir` for the definer: its code, its data files
/// and the packages of its lock, which are fetched if they are not in the
/// cache. Without the network the definer is told which are missing.
pub fn python_sources(dir: &Path, options: &BuildOptions) -> Result<Vec<u8>, BuildError> {
    let dir = dir.canonicalize().map_err(BuildError::io("read", dir))?;
    let project = PythonProject::read(&dir)?;
    let mut files = BTreeMap::new();
    add(&mut files, PROJECT, &dir, &is_code)?;
    for name in &project.data {
        let path = dir.join(name);
        let content = fs::read(&path).map_err(BuildError::io("read", &path))?;
        files.insert(format!("{PROJECT}/{name}"), content);
    }
    let mut missing = Vec::new();
    if let Some(lock) = &project.lock {
        let folder = match packages::cached(lock, options) {
            Some(folder) => Some(folder),
            None if options.offline => None,
            None => Some(packages::vendored(lock, &ComponentizePy::find(options)?, options)?),
        };
        match folder {
            Some(folder) => add(&mut files, PACKAGES, &folder, &|_| true)?,
            None => missing = lock.names(),
        }
    }
    let total: usize = files.values().map(Vec::len).sum();
    if total > MOST_BYTES {
        let what = format!(
            "its code, data and packages have {total} bytes; definitions are read of at most {MOST_BYTES}. List fewer data files"
        );
        return Err(BuildError::Project { path: dir.join("pyproject.toml"), what });
    }
    Ok(pack(&project, &files, &missing))
}

fn pack(project: &PythonProject, files: &BTreeMap<String, Vec<u8>>, missing: &[String]) -> Vec<u8> {
    let PythonProject { dir: _, name, description, module, source_root, data, lock: _ } = project;
    let header = json!({
        "name": name.as_str(),
        "description": description,
        "module": module,
        "source_root": source_root,
        "data": data,
        "missing": missing,
        "files": files.iter().map(|(path, content)| (path, content.len())).collect::<Vec<_>>(),
    })
    .to_string();
    let mut bytes = (header.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    for content in files.values() {
        bytes.extend_from_slice(content);
    }
    bytes
}

/// Adds the wanted files of a folder under another.
fn add(
    files: &mut BTreeMap<String, Vec<u8>>,
    root: &str,
    folder: &Path,
    is_wanted: &dyn Fn(&Path) -> bool,
) -> Result<(), BuildError> {
    wanted_files(folder, is_wanted, &mut |path| {
        let inside = path.strip_prefix(folder).expect("it lies in the folder");
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        let content = fs::read(path).map_err(BuildError::io("read", path))?;
        files.insert(format!("{root}/{}", parts.join("/")), content);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_packed_with_all_that_it_imports() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let project = "[project]\nname = \"my-shop\"\nversion = \"1\"\n[tool.unskew]\nmodule = \"shop.features\"\ndata = [\"data/*.csv\"]";
        write("pyproject.toml", project);
        write("src/shop/__init__.py", "");
        write("src/shop/features.py", "code");
        write("data/a.csv", "1,2");
        write("notes.txt", "not code");
        write(".venv/x.py", "not theirs");
        write("requirements.lock", "six==1.17.0\n");
        let options = BuildOptions { cache_dir: dir.path().join("cache"), offline: true };
        let bytes = python_sources(dir.path(), &options).unwrap();
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&bytes[4..4 + length]).unwrap();
        assert_eq!(
            header,
            json!({
                "name": "my_shop", "description": "", "module": "shop.features",
                "source_root": "src", "data": ["data/a.csv"], "missing": ["six"],
                "files": [
                    ["/project/data/a.csv", 3],
                    ["/project/src/shop/__init__.py", 0],
                    ["/project/src/shop/features.py", 4],
                ],
            })
        );
        assert_eq!(&bytes[4 + length..], b"1,2code");
    }
}
