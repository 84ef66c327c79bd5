//! The definer: one component for all Python projects, which evaluates their
//! definitions in the sandbox.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::check_imports;
use super::componentize::{ComponentizePy, Report, VERSION};
use super::stage::{DEFINER_ENTRY, Stage};
use crate::BuildOptions;
use crate::component::WIT;
use crate::error::BuildError;
use crate::language::Language;
use crate::sdk;

/// Changes when the way to build a definer does.
const FORM: &[u8] = b"unskew definer 1\n";

/// The definer's component.
#[derive(Clone, Debug)]
pub struct Definer {
    /// Its bytes. It exports the world of `wit/unskew.wit`; its one transform
    /// takes a project as [`super::python_sources`] packs it and gives what
    /// [`DefinerAnswer::read`] reads.
    pub component: Vec<u8>,
    /// Where it is kept.
    pub path: PathBuf,
}

/// The definer of this version: from the cache, or else built, after
/// `announce` was called. It is named by all that it is made of.
pub fn definer(options: &BuildOptions, announce: impl FnOnce()) -> Result<Definer, BuildError> {
    let folder = options.cache_dir.join("definer");
    let path = folder.join(format!("{}.wasm", digest()));
    match fs::read(&path) {
        Ok(component) => return Ok(Definer { component, path }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(BuildError::io("read", &path)(error)),
    }
    announce();
    let tool = ComponentizePy::find(options)?;
    let component = tool.run_own(&Stage::of_definer()?)?;
    check_imports(&component)?;
    keep(&folder, &path, &component)?;
    Ok(Definer { component, path })
}

fn digest() -> String {
    let mut hash = Sha256::new();
    hash.update(FORM);
    hash.update(VERSION);
    for part in [WIT, DEFINER_ENTRY] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(sdk::digest(Language::Python));
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Puts the new definer in its place as a whole, and removes those of other
/// versions: each is large, and one is enough.
fn keep(folder: &Path, path: &Path, component: &[u8]) -> Result<(), BuildError> {
    fs::create_dir_all(folder).map_err(BuildError::io("make", folder))?;
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(folder)
        .map_err(BuildError::io("make a file in", folder))?;
    fs::write(new.path(), component).map_err(BuildError::io("write", new.path()))?;
    new.persist(path).map_err(|error| BuildError::io("write", path)(error.error))?;
    let others = fs::read_dir(folder).map_err(BuildError::io("read", folder))?;
    for other in others.flatten().map(|entry| entry.path()) {
        if other.extension().is_some_and(|e| e == "wasm") && other != path {
            // Another version may be in use; then it stays until the next time.
            let _ = fs::remove_file(other);
        }
    }
    Ok(())
}

/// What the definer says of a project.
#[derive(Clone, Debug, Default)]
pub struct DefinerAnswer {
    /// The manifest as JSON, where the code could be imported. Beside mistakes
    /// it lacks what is wrong.
    pub manifest: Option<String>,
    /// What only Python could see to be wrong: each begins with file and line.
    pub mistakes: Vec<String>,
}

impl DefinerAnswer {
    /// Reads the definer's reply.
    pub fn read(json: &str) -> Result<Self, BuildError> {
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(borrow)]
            manifest: Option<&'a RawValue>,
            mistakes: Vec<Report>,
        }
        let Document { manifest, mistakes } = serde_json::from_str(json)
            .map_err(|error| BuildError::Internal(format!("the definer's reply: {error}")))?;
        Ok(Self {
            manifest: manifest.map(|raw| raw.get().to_owned()).filter(|text| text != "null"),
            mistakes: mistakes.iter().map(Report::to_text).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let json = r#"{"manifest":null,"mistakes":[
            {"file":"a.py","line":2,"message":"SyntaxError: never closed","code":"x = (","trace":["a.py:1 in f"]},
            {"message":"a.py:3: entity x: no"}]}"#;
        let DefinerAnswer { manifest, mistakes } = DefinerAnswer::read(json).unwrap();
        assert_eq!(manifest, None);
        assert_eq!(
            mistakes,
            [
                "a.py:2: SyntaxError: never closed\n    x = (\n  called from a.py:1 in f",
                "a.py:3: entity x: no"
            ]
        );
        let answer = DefinerAnswer::read(r#"{"manifest":{"name": "a"},"mistakes":[]}"#).unwrap();
        assert_eq!(answer.manifest.as_deref(), Some(r#"{"name": "a"}"#));
        assert!(DefinerAnswer::read("{}").is_err());
    }

    #[test]
    fn a_definer_that_is_there_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let options = BuildOptions { cache_dir: dir.path().to_owned(), offline: true };
        let folder = dir.path().join("definer");
        let path = folder.join(format!("{}.wasm", digest()));
        keep(&folder, &folder.join("old.wasm"), b"old").unwrap();
        keep(&folder, &path, b"new").unwrap();
        assert!(!folder.join("old.wasm").exists());
        let found = definer(&options, || panic!("it is there")).unwrap();
        assert_eq!((found.component.as_slice(), found.path), (&b"new"[..], path));
    }
}
