//! The guest SDKs, which the binary carries and lays beside the user's code.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::BuildError;
use crate::language::Language;

mod files {
    include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));
}

/// The folder of a project that holds what Unskew puts there. Git ignores it.
pub(crate) const FOLDER: &str = ".unskew";

/// Names the SDK that an unpacked folder holds, whatever happened to its files.
const STAMP: &str = ".digest";

/// The files of the SDK of a language, by their paths.
pub(crate) fn files(language: Language) -> &'static [(&'static str, &'static [u8])] {
    match language {
        Language::Rust => files::RUST,
        Language::Python => files::PYTHON,
    }
}

/// Names the SDK of a language: the SHA-256 over its files.
pub(crate) fn digest(language: Language) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (name, content) in files(language) {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    hash.finalize().into()
}

/// Where [`unpack_sdk`] puts the SDK of a language.
pub(crate) fn folder(dir: &Path, language: Language) -> PathBuf {
    dir.join(FOLDER).join(format!("sdk-{language}"))
}

/// Puts the SDK of `language` into the project in `dir`, as
/// `.unskew/sdk-rust` or `.unskew/sdk-python`, and gives that folder.
///
/// Nothing is written where it is there already. An SDK of another version is
/// replaced as a whole, so that no mixture is ever seen.
pub fn unpack_sdk(dir: &Path, language: Language) -> Result<PathBuf, BuildError> {
    let target = folder(dir, language);
    if is_current(&target, language) {
        return Ok(target);
    }
    let parent = dir.join(FOLDER);
    fs::create_dir_all(&parent).map_err(BuildError::io("make", &parent))?;
    let new = tempfile::Builder::new()
        .prefix(".new-sdk-")
        .tempdir_in(&parent)
        .map_err(BuildError::io("make a folder in", &parent))?;
    for (name, content) in files(language) {
        let path = new.path().join(name);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).map_err(BuildError::io("make", folder))?;
        fs::write(&path, content).map_err(BuildError::io("write", &path))?;
    }
    let stamp = new.path().join(STAMP);
    fs::write(&stamp, digest(language)).map_err(BuildError::io("write", &stamp))?;
    // Git shall not see it even where the project's own ignore file is gone.
    let ignore = parent.join(".gitignore");
    fs::write(&ignore, "*\n").map_err(BuildError::io("write", &ignore))?;

    let old = tempfile::Builder::new()
        .prefix(".old-sdk-")
        .tempdir_in(&parent)
        .map_err(BuildError::io("make a folder in", &parent))?;
    match fs::rename(&target, old.path().join("sdk")) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(BuildError::io("replace", &target)(error)),
    }
    match fs::rename(new.path(), &target) {
        Ok(()) => {
            // It has become the target, which must not be removed.
            let _ = new.keep();
            Ok(target)
        }
        // Another process has put the same there in between.
        Err(_) if is_current(&target, language) => Ok(target),
        Err(error) => Err(BuildError::io("write", &target)(error)),
    }
}

/// Whether the folder holds exactly this SDK. The files are compared, too: a
/// compiler error in one that someone has edited would be a riddle.
fn is_current(target: &Path, language: Language) -> bool {
    let holds = |name: &str, content: &[u8]| {
        fs::read(target.join(name)).is_ok_and(|found| found == content)
    };
    holds(STAMP, &digest(language)) && files(language).iter().all(|(name, c)| holds(name, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_laid_out_whole_and_mended() {
        let dir = tempfile::tempdir().unwrap();
        let sdk = unpack_sdk(dir.path(), Language::Rust).unwrap();
        assert_eq!(sdk, dir.path().join(".unskew/sdk-rust"));
        for file in [
            "Cargo.toml",
            "src/lib.rs",
            "macros/Cargo.toml",
            "macros/src/lib.rs",
            "aggregate/Cargo.toml",
            "aggregate/src/groups/mod.rs",
        ] {
            assert!(sdk.join(file).is_file(), "{file} is missing");
        }
        // Nothing in it lies elsewhere or comes from a registry.
        for file in ["Cargo.toml", "aggregate/Cargo.toml"] {
            let manifest = fs::read_to_string(sdk.join(file)).unwrap();
            assert!(!manifest.contains("..") && !manifest.contains("dev-dependencies"), "{file}");
        }

        let edited = sdk.join("src/lib.rs");
        let whole = fs::read(&edited).unwrap();
        fs::write(&edited, "edited").unwrap();
        fs::write(sdk.join("src/more.rs"), "more").unwrap();
        unpack_sdk(dir.path(), Language::Rust).unwrap();
        assert_eq!(fs::read(&edited).unwrap(), whole);
        assert!(!sdk.join("src/more.rs").exists(), "the folder was not replaced as a whole");

        let left: Vec<_> = fs::read_dir(dir.path().join(".unskew"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("new") || name.contains("old"))
            .collect();
        assert_eq!(left, Vec::<String>::new());
    }

    #[test]
    fn unpacking_again_touches_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let sdk = unpack_sdk(dir.path(), Language::Rust).unwrap();
        let written = |file: &str| fs::metadata(sdk.join(file)).unwrap().modified().unwrap();
        let before = written("src/lib.rs");
        unpack_sdk(dir.path(), Language::Rust).unwrap();
        assert_eq!(written("src/lib.rs"), before);
    }
}
