//! The pure-Python packages of a project, by its lock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::componentize::ComponentizePy;
use super::project::package_name;
use crate::BuildOptions;
use crate::error::BuildError;

/// The Python of the modules, which decides what packages may require.
const PYTHON: &str = "3.14";
/// Changes when what a cached folder holds does.
const FORM: &[u8] = b"unskew packages 1\n";
/// The part of the cache that holds them.
const FOLDER: &str = "python-packages";

/// The packages of a project, each in one version.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    pinned: Vec<Pinned>,
}

#[derive(Debug)]
struct Pinned {
    name: String,
    /// `name==version`, with its hashes and marker, as pip takes it.
    requirement: String,
}

impl Lock {
    /// Reads a lock as pip-compile, uv and `pip freeze` write it.
    pub(super) fn read(path: &Path) -> Result<Self, BuildError> {
        let text = fs::read_to_string(path).map_err(BuildError::io("read", path))?;
        let mut pinned: Vec<Pinned> = Vec::new();
        for (number, line) in logical_lines(&text) {
            let wrong = |what: String| BuildError::Project {
                path: path.to_owned(),
                what: format!("line {number}: {what}"),
            };
            if line.starts_with('-') {
                return Err(wrong(format!(
                    "`{line}` is an option for pip; a lock holds only lines such as name==1.2.3"
                )));
            }
            let name = package_name(&line);
            let rest = line[name.len()..].trim_start();
            let rest = match rest.strip_prefix('[').and_then(|extras| extras.split_once(']')) {
                Some((_, rest)) => rest.trim_start(),
                None => rest,
            };
            let version = rest.strip_prefix("==").map(str::trim_start).unwrap_or_default();
            let version: &str = version.split([' ', ';']).next().unwrap_or_default();
            if name.is_empty() || version.is_empty() || version.contains(['*', ',', '=']) {
                return Err(wrong(format!("`{line}` pins no version; write such as name==1.2.3")));
            }
            if name == "unskew" {
                continue; // the SDK comes with the build
            }
            if pinned.iter().any(|p| p.name == name) && !line.contains(';') {
                return Err(wrong(format!("{name} is pinned twice; leave one out")));
            }
            pinned.push(Pinned { name, requirement: line });
        }
        Ok(Self { path: path.to_owned(), pinned })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pinned.is_empty()
    }

    /// The names of the packages.
    pub(super) fn names(&self) -> Vec<String> {
        self.pinned.iter().map(|p| p.name.clone()).collect()
    }

    fn text(&self) -> String {
        self.pinned.iter().map(|p| format!("{}\n", p.requirement)).collect()
    }
}

/// Lines without comments, joined where they end in a backslash, with the
/// number of their first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = match line.find('#') {
            Some(at) if at == 0 || line[..at].ends_with(char::is_whitespace) => &line[..at],
            _ => line,
        };
        let line = line.trim();
        let (content, goes_on) = match line.strip_suffix('\\') {
            Some(content) => (content.trim_end(), true),
            None => (line, false),
        };
        let (_, joined) = open.get_or_insert_with(|| (index + 1, String::new()));
        if !joined.is_empty() && !content.is_empty() {
            joined.push(' ');
        }
        joined.push_str(content);
        if !goes_on {
            lines.extend(open.take().filter(|(_, joined)| !joined.is_empty()));
        }
    }
    lines.extend(open.filter(|(_, joined)| !joined.is_empty()));
    lines
}

/// The folder in the cache that holds the packages of a lock, if it is there.
pub(super) fn cached(lock: &Lock, options: &BuildOptions) -> Option<PathBuf> {
    Some(folder_of(lock, options)).filter(|folder| folder.is_dir())
}

fn folder_of(lock: &Lock, options: &BuildOptions) -> PathBuf {
    let mut hash = Sha256::new();
    hash.update(FORM);
    hash.update(PYTHON);
    hash.update(lock.text());
    let key: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    options.cache_dir.join(FOLDER).join(key)
}

/// The folder in the cache that holds the packages of a lock, filled by pip
/// where it is not there yet.
pub(super) fn vendored(
    lock: &Lock,
    tool: &ComponentizePy,
    options: &BuildOptions,
) -> Result<PathBuf, BuildError> {
    let folder = folder_of(lock, options);
    if folder.is_dir() {
        return Ok(folder);
    }
    let cache = options.cache_dir.join(FOLDER);
    let text = lock.text();
    if options.offline {
        return Err(BuildError::Project {
            path: lock.path.clone(),
            what: "its packages are not in the cache, and the network is not to be used; build once without --offline".to_owned(),
        });
    }
    fs::create_dir_all(&cache).map_err(BuildError::io("make", &cache))?;
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(&cache)
        .map_err(BuildError::io("make a folder in", &cache))?;
    let requirements = new.path().join("requirements.txt");
    fs::write(&requirements, &text).map_err(BuildError::io("write", &requirements))?;
    let target = new.path().join("packages");

    let pip = Pip { python: tool.python() };
    let output = pip.run(|command| {
        command
            .args(["install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"])
            // `any` fits no wheel with native code.
            .args(["--platform", "any", "--implementation", "py", "--abi", "none"])
            .args(["--python-version", PYTHON, "--target"])
            .arg(&target)
            .arg("--requirement")
            .arg(&requirements);
    })?;
    if !output.status.success() {
        return Err(pip.why(lock, &output));
    }
    refuse_native(&target)?;
    match fs::rename(&target, &folder) {
        Ok(()) => Ok(folder),
        // Another process has put the same there in between.
        Err(_) if folder.is_dir() => Ok(folder),
        Err(error) => Err(BuildError::io("write", &folder)(error)),
    }
}

struct Pip {
    python: PathBuf,
}

#[derive(Deserialize)]
struct PipReport {
    install: Vec<PipInstall>,
}

#[derive(Deserialize)]
struct PipInstall {
    download_info: PipDownload,
}

#[derive(Deserialize)]
struct PipDownload {
    url: String,
}

impl Pip {
    /// Runs pip with the user's settings for it, but none for Python itself.
    fn run(&self, arguments: impl FnOnce(&mut Command)) -> Result<Output, BuildError> {
        let mut command = Command::new(&self.python);
        command.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
        arguments(&mut command);
        for variable in ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "PIP_TARGET"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).output().map_err(|source| BuildError::Run {
            program: format!("{} -m pip", self.python.display()),
            source,
        })
    }

    /// Finds the package that could not be had as pure Python, and why.
    fn why(&self, lock: &Lock, output: &Output) -> BuildError {
        let said = last_error(output);
        for Pinned { name, requirement } in &lock.pinned {
            if !said.to_lowercase().replace('_', "-").contains(name.as_str()) {
                continue;
            }
            if let Some(wheel) = self.wheel_for_this_machine(requirement)
                && !wheel.ends_with("-none-any.whl")
            {
                return BuildError::NativeWheel { package: name.clone(), wheel };
            }
        }
        BuildError::Project {
            path: lock.path.clone(),
            what: format!(
                "its packages cannot be had as wheels of pure Python: {said}. A package that has no wheel can be copied into the project, or left out"
            ),
        }
    }

    /// The wheel that a plain `pip install` would take, without fetching it.
    fn wheel_for_this_machine(&self, requirement: &str) -> Option<String> {
        let dir = tempfile::tempdir().ok()?;
        let file = dir.path().join("requirement.txt");
        fs::write(&file, requirement).ok()?;
        let output = self
            .run(|command| {
                command
                    .args(["install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"])
                    .args(["--only-binary=:all:", "--report", "-", "--requirement"])
                    .arg(&file);
            })
            .ok()?;
        let report: PipReport = serde_json::from_slice(&output.stdout).ok()?;
        let url = &report.install.first()?.download_info.url;
        Some(url.rsplit('/').next()?.to_owned())
    }
}

fn last_error(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> =
        said.lines().filter_map(|line| line.trim().strip_prefix("ERROR: ")).collect();
    // The last is the verdict; those before it tell of the search.
    match errors.last() {
        Some(last) => (*last).to_owned(),
        None => said.lines().last().unwrap_or("pip failed without a word").trim().to_owned(),
    }
}

/// A wheel may call itself pure and hold native code all the same.
fn refuse_native(dir: &Path) -> Result<(), BuildError> {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(BuildError::io("read", &folder))? {
            let path = entry.map_err(BuildError::io("read", &folder))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_native = [".so", ".pyd", ".dylib", ".dll"].iter().any(|end| name.ends_with(end))
                || name.contains(".so.");
            if is_native {
                let inside = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
                let package = inside.split('/').next().unwrap_or_default().to_owned();
                return Err(BuildError::NativeWheel { package, wheel: inside });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("requirements.lock");
        fs::write(&path, text).unwrap();
        let lock = Lock::read(&path).map_err(|error| error.to_string())?;
        Ok(lock.pinned.into_iter().map(|pinned| pinned.requirement).collect())
    }

    #[test]
    fn locks_are_read_as_tools_write_them() {
        let text = "# made by a tool\n\nsix==1.16.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via me\n\
                    Zope.Interface[test] == 5.0 ; python_version < \"4\"  # why\nunskew==0.1.0\n";
        assert_eq!(
            read(text).unwrap(),
            [
                "six==1.16.0 --hash=sha256:aa --hash=sha256:bb",
                "Zope.Interface[test] == 5.0 ; python_version < \"4\"",
            ]
        );
        assert_eq!(read("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_pins_no_version_is_refused_with_its_line() {
        for (text, part) in [
            ("six\n", "line 1: `six` pins no version"),
            ("# x\n\nsix>=1\n", "line 3: `six>=1` pins no version"),
            ("six==1.*\n", "pins no version"),
            ("six===1\n", "pins no version"),
            ("-e .\n", "`-e .` is an option"),
            ("--index-url https://example.org\n", "is an option"),
            ("https://example.org/six.whl\n", "pins no version"),
            ("six @ file:///six.whl\n", "pins no version"),
            ("a==1\nA==2\n", "line 2: a is pinned twice"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn native_code_in_a_wheel_that_calls_itself_pure_is_found() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("fast/inner")).unwrap();
        fs::write(dir.path().join("fast/__init__.py"), "").unwrap();
        refuse_native(dir.path()).unwrap();
        fs::write(dir.path().join("fast/inner/core.abi3.so"), "").unwrap();
        let error = refuse_native(dir.path()).unwrap_err();
        assert!(matches!(&error, BuildError::NativeWheel { package, .. } if package == "fast"));
        assert!(error.to_string().contains("fast/inner/core.abi3.so"), "{error}");
    }
}
