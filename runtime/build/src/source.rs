//! Names what a module is built from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use unskew_definition::SourceDigest;

use crate::cargo_project::CargoProject;
use crate::error::BuildError;
use crate::language::Language;
use crate::sdk;

/// Changes when the way to compute a digest does.
const FORM: &[u8] = b"unskew source 1\n";

/// The digest of the project in `dir`: the SHA-256 over the paths and
/// contents of its files, and over the SDK. It finds the language, but runs
/// no toolchain.
///
/// Not counted are `target`, `__pycache__`, `node_modules`, `*.wasm`, `*.pyc`,
/// and everything whose name begins with a dot but `.cargo/config.toml`.
pub fn source_digest(dir: &Path) -> Result<SourceDigest, BuildError> {
    digest(dir, Language::of(dir)?)
}

pub(crate) fn digest(dir: &Path, language: Language) -> Result<SourceDigest, BuildError> {
    let dir = dir.canonicalize().map_err(BuildError::io("read", dir))?;
    let mut entries = BTreeMap::new();
    collect(&dir, &dir, "", &mut entries)?;
    add_file(&dir, ".cargo/config.toml", &mut entries);
    if language == Language::Rust {
        let project = CargoProject::read(&dir)?;
        for folder in &project.outside {
            collect(folder, folder, &label_outside(&dir, folder), &mut entries)?;
        }
        for file in project.workspace_files(&dir) {
            entries.insert(label_outside(&dir, &file), Entry::File(file));
        }
    }
    let mut hash = Sha256::new();
    hash.update(FORM);
    hash.update(language.as_str());
    hash.update(sdk::digest(language));
    for (label, entry) in entries {
        let (kind, content) = match entry {
            Entry::File(path) => (b'f', hash_file(&path)?),
            Entry::Link(target) => (b'l', Sha256::digest(target.as_bytes()).into()),
        };
        hash.update((label.len() as u64).to_le_bytes());
        hash.update(label.as_bytes());
        hash.update([kind]);
        hash.update(content);
    }
    Ok(SourceDigest::from_bytes(hash.finalize().into()))
}

enum Entry {
    File(PathBuf),
    /// A link, by what it points to: inside of the project, so that the
    /// content is counted where it lies.
    Link(String),
}

fn hash_file(path: &Path) -> Result<[u8; 32], BuildError> {
    let mut file = File::open(path).map_err(BuildError::io("read", path))?;
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash).map_err(BuildError::io("read", path))?;
    Ok(hash.finalize().into())
}

fn add_file(dir: &Path, name: &str, entries: &mut BTreeMap<String, Entry>) {
    let path = dir.join(name);
    if path.is_file() {
        entries.insert(name.to_owned(), Entry::File(path));
    }
}

/// Adds the files in `dir`, a folder of the project at `root`, each under its
/// path from `root` with `prefix` before it.
fn collect(
    root: &Path,
    dir: &Path,
    prefix: &str,
    entries: &mut BTreeMap<String, Entry>,
) -> Result<(), BuildError> {
    let is_crate = dir.join("Cargo.toml").is_file();
    for entry in fs::read_dir(dir).map_err(BuildError::io("read", dir))? {
        let entry = entry.map_err(BuildError::io("read", dir))?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(BuildError::Project {
                path,
                what: "its name is not UTF-8; rename it".to_owned(),
            });
        };
        if is_left_out(&name, is_crate) {
            continue;
        }
        let label = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(BuildError::io("read", &path))?;
        if kind.is_symlink() {
            entries.insert(label, Entry::Link(link_target(root, &path)?));
        } else if kind.is_dir() {
            collect(root, &path, &format!("{label}/"), entries)?;
        } else if kind.is_file() {
            entries.insert(label, Entry::File(path));
        } else {
            return Err(BuildError::Project {
                path,
                what: "neither a file nor a folder; move it out of the project".to_owned(),
            });
        }
    }
    Ok(())
}

fn is_left_out(name: &str, is_crate: bool) -> bool {
    name.starts_with('.')
        || matches!(name, "__pycache__" | "node_modules")
        || (is_crate && name == "target")
        || name.ends_with(".wasm")
        || name.ends_with(".pyc")
        || name.ends_with(".egg-info")
}

/// Where a link points to. Outside of the project lies what its digest would
/// not name.
fn link_target(root: &Path, path: &Path) -> Result<String, BuildError> {
    let wrong = |what: String| BuildError::Project { path: path.to_owned(), what };
    let target = path
        .canonicalize()
        .map_err(|error| wrong(format!("a link that leads nowhere ({error}); remove it")))?;
    let root = root.canonicalize().map_err(BuildError::io("read", root))?;
    let Ok(inside) = target.strip_prefix(&root) else {
        return Err(wrong(format!(
            "a link that leaves the project, to {}; copy what it points to into the project",
            target.display()
        )));
    };
    Ok(inside.to_string_lossy().into_owned())
}

/// How to name something outside of the project: by the way to it from there.
fn label_outside(dir: &Path, path: &Path) -> String {
    let shared = dir.ancestors().find(|above| path.starts_with(above)).unwrap_or(Path::new("/"));
    let up = dir.strip_prefix(shared).map_or(0, |rest| rest.components().count());
    let down = path.strip_prefix(shared).unwrap_or(path);
    let down = down.to_string_lossy();
    if path.is_dir() {
        format!("{}{down}/", "../".repeat(up))
    } else {
        format!("{}{down}", "../".repeat(up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: &str = "[package]\nname = \"a\"\n";

    fn write(dir: &Path, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[("Cargo.toml", PACKAGE), ("src/lib.rs", "code")]);
        write(dir.path(), files);
        dir
    }

    fn digest_of(files: &[(&str, &str)]) -> SourceDigest {
        source_digest(project(files).path()).unwrap()
    }

    #[test]
    fn what_is_built_from_counts_and_nothing_else() {
        let plain = digest_of(&[]);
        for (name, content) in [
            ("target/release/x", "built"),
            (".git/HEAD", "x"),
            (".unskew/sdk-rust/src/lib.rs", "x"),
            (".venv/lib/x.py", "x"),
            ("src/__pycache__/x.py", "x"),
            ("src/.lib.rs.swp", "x"),
            ("shop.wasm", "x"),
        ] {
            assert_eq!(digest_of(&[(name, content)]), plain, "{name} counts");
        }
        for (name, content) in [
            ("src/lib.rs", "other code"),
            ("src/more.rs", ""),
            ("src/target/mod.rs", "a module called target"),
            ("Cargo.lock", "locked"),
            ("data/prices.csv", "1,2"),
            (".cargo/config.toml", "[build]"),
        ] {
            assert_ne!(digest_of(&[(name, content)]), plain, "{name} does not count");
        }
        assert_ne!(digest_of(&[("a", "bc")]), digest_of(&[("ab", "c")]));
    }

    #[test]
    fn dependencies_by_path_count_from_where_they_lie() {
        let dir = tempfile::tempdir().unwrap();
        let (one, shared) = (dir.path().join("one"), dir.path().join("shared"));
        let depends = format!("{PACKAGE}[dependencies]\nshared = {{ path = \"../shared\" }}\n");
        write(&one, &[("Cargo.toml", &depends), ("src/lib.rs", "code")]);
        let wrong = source_digest(&one).unwrap_err().to_string();
        assert!(wrong.contains("correct the `path`"), "{wrong}");

        write(&shared, &[("Cargo.toml", PACKAGE), ("src/lib.rs", "shared")]);
        let before = source_digest(&one).unwrap();
        write(&shared, &[("src/lib.rs", "changed")]);
        assert_ne!(source_digest(&one).unwrap(), before);
    }

    #[test]
    fn a_workspace_above_counts_too() {
        let dir = tempfile::tempdir().unwrap();
        let one = dir.path().join("one");
        write(dir.path(), &[("Cargo.toml", "[workspace]\nmembers = [\"one\"]\n")]);
        write(&one, &[("Cargo.toml", PACKAGE), ("src/lib.rs", "code")]);
        let before = source_digest(&one).unwrap();
        write(dir.path(), &[("Cargo.lock", "locked")]);
        assert_ne!(source_digest(&one).unwrap(), before);
    }

    #[test]
    fn wrong_project_files_are_named() {
        for (toml, part) in [
            ("not toml", "not valid TOML"),
            ("[workspace]", "no [package]"),
            ("[package]\nname = 3", "no [package]"),
        ] {
            let dir = project(&[("Cargo.toml", toml)]);
            let error = source_digest(dir.path()).unwrap_err();
            assert!(error.is_users(), "{error}");
            let message = error.to_string();
            assert!(message.contains(part) && message.contains("Cargo.toml"), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside() {
        use std::os::unix::fs::symlink;

        let dir = project(&[("data/a.csv", "1")]);
        let before = source_digest(dir.path()).unwrap();
        symlink("a.csv", dir.path().join("data/b.csv")).unwrap();
        assert_ne!(source_digest(dir.path()).unwrap(), before);
        // Around in a circle, which must not be followed.
        symlink(dir.path(), dir.path().join("data/all")).unwrap();
        source_digest(dir.path()).unwrap();

        for (target, part) in [("/etc/hostname", "leaves the project"), ("nothing", "nowhere")] {
            let link = dir.path().join("data/out");
            symlink(target, &link).unwrap();
            let message = source_digest(dir.path()).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("data/out"), "{message}");
            fs::remove_file(&link).unwrap();
        }
    }
}
