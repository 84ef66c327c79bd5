//! The program componentize-py: where it is, how it is run, and what its
//! failures mean.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::project::PythonProject;
use super::stage::{ENTRY, Stage};
use crate::BuildOptions;
use crate::error::BuildError;

/// The version that the SDK is made for: it decides which CPython a module has.
pub(super) const VERSION: &str = "0.25.1";
/// Names another componentize-py than that of the cache.
const VARIABLE: &str = "UNSKEW_COMPONENTIZE_PY";
/// Importing the project runs its code, which may never end.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// A componentize-py of the right version.
#[derive(Debug)]
pub(super) struct ComponentizePy {
    program: PathBuf,
}

impl ComponentizePy {
    /// Finds it by the variable, in the cache folder, or on the PATH.
    pub(super) fn find(options: &BuildOptions) -> Result<Self, BuildError> {
        Self::find_by(options, env::var_os(VARIABLE), env::var_os("PATH"))
    }

    fn find_by(
        options: &BuildOptions,
        named: Option<OsString>,
        path: Option<OsString>,
    ) -> Result<Self, BuildError> {
        if let Some(named) = named.filter(|value| !value.is_empty()) {
            let program = PathBuf::from(named);
            if !program.is_file() {
                return Err(missing(
                    options,
                    &format!("{VARIABLE} is {}, where no program is", program.display()),
                ));
            }
            return Self::checked(program, options);
        }
        let cached = options.cache_dir.join("python/bin/componentize-py");
        if cached.is_file() {
            if has_package(&options.cache_dir.join("python")) {
                return Ok(Self { program: cached });
            }
            return Self::checked(cached, options);
        }
        let on_path = path.and_then(|path| {
            env::split_paths(&path).map(|dir| dir.join("componentize-py")).find(|p| p.is_file())
        });
        match on_path {
            Some(program) => Self::checked(program, options),
            None => Err(missing(options, "it is neither in the cache folder nor on the PATH")),
        }
    }

    fn checked(program: PathBuf, options: &BuildOptions) -> Result<Self, BuildError> {
        let output = clean(&program)
            .arg("--version")
            .output()
            .map_err(|source| BuildError::Run { program: program.display().to_string(), source })?;
        let said = String::from_utf8_lossy(&output.stdout);
        match said.split_whitespace().last() {
            Some(VERSION) => Ok(Self { program }),
            found => Err(missing(
                options,
                &format!("{} is version {}", program.display(), found.unwrap_or("unknown")),
            )),
        }
    }

    /// The Python whose pip can be asked for packages: that of the same environment.
    pub(super) fn python(&self) -> PathBuf {
        let beside = self.program.with_file_name("python");
        if beside.is_file() { beside } else { PathBuf::from("python3") }
    }

    /// Makes a component of what has been laid out.
    pub(super) fn run(
        &self,
        project: &PythonProject,
        stage: &Stage,
    ) -> Result<Vec<u8>, BuildError> {
        let finished = self.componentize(stage)?;
        if let Some(error) = read_report(stage, project) {
            return Err(error);
        }
        match finished {
            Finished { success: true, .. } => {
                let output = stage.output();
                fs::read(&output).map_err(BuildError::io("read", &output))
            }
            Finished { timed_out: true, .. } => Err(BuildError::Import {
                dir: project.dir.clone(),
                output: format!(
                    "importing it had not ended after {} s; look for a loop at the top of a file",
                    TIME_LIMIT.as_secs()
                ),
            }),
            Finished { said, .. } => Err(explain(&said, project)),
        }
    }

    /// Makes a component of a stage that holds none of a user's code.
    pub(super) fn run_own(&self, stage: &Stage) -> Result<Vec<u8>, BuildError> {
        let finished = self.componentize(stage)?;
        if !finished.success {
            return Err(failed(&finished.said));
        }
        let output = stage.output();
        fs::read(&output).map_err(BuildError::io("read", &output))
    }

    fn componentize(&self, stage: &Stage) -> Result<Finished, BuildError> {
        let mut command = clean(&self.program);
        command
            .args(["--quiet", "--world", "module", "--wit-path"])
            .arg(stage.wit())
            .args(["componentize", "--stub-wasi", ENTRY, "--python-path"])
            .arg(stage.app())
            .arg("--output")
            .arg(stage.output())
            .env("VIRTUAL_ENV", stage.empty_venv())
            // Where it unpacks the standard library.
            .env("TMPDIR", env::temp_dir());
        run_within(&mut command, TIME_LIMIT)
    }
}

/// Whether the environment's own records say that the right version is there,
/// which is much quicker than to run it.
fn has_package(venv: &Path) -> bool {
    let Ok(versions) = fs::read_dir(venv.join("lib")) else { return false };
    versions.flatten().any(|python| {
        python.path().join(format!("site-packages/componentize_py-{VERSION}.dist-info")).is_dir()
    })
}

fn missing(options: &BuildOptions, why: &str) -> BuildError {
    let venv = options.cache_dir.join("python");
    let venv = venv.display();
    BuildError::MissingToolchain {
        what: format!("componentize-py {VERSION}, which makes modules from Python,"),
        command: format!(
            "{why}. Run `python3 -m venv {venv} && {venv}/bin/pip install componentize-py=={VERSION}`, or name one with {VARIABLE}"
        ),
    }
}

/// A command that inherits nothing by which the user's own Python could get in.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    let path = env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    command.env_clear().env("PATH", path).env("LANG", "C.UTF-8").stdin(Stdio::null());
    command
}

struct Finished {
    success: bool,
    timed_out: bool,
    said: String,
}

fn run_within(command: &mut Command, limit: Duration) -> Result<Finished, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| BuildError::Run { program: program.clone(), source };
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let mut stderr = child.stderr.take().expect("it is piped");
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        // What was read before an error is still worth showing.
        let _ = stderr.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    let status = wait(&mut child, limit).map_err(failed)?;
    let said = reader.join().unwrap_or_default();
    Ok(Finished {
        success: status.is_some_and(|status| status.success()),
        timed_out: status.is_none(),
        said,
    })
}

/// Waits for the child's end, and ends it itself after `limit`.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if waited >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// What the SDK says when a project could not be imported.
#[derive(Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    line: Option<u32>,
    message: String,
    #[serde(default)]
    definition: bool,
    #[serde(default)]
    code: String,
    #[serde(default)]
    trace: Vec<String>,
}

fn read_report(stage: &Stage, project: &PythonProject) -> Option<BuildError> {
    let text = fs::read_to_string(stage.report()).ok()?;
    let report: Report = serde_json::from_str(&text).ok()?;
    Some(BuildError::Import { dir: project.dir.clone(), output: report.to_text() })
}

impl Report {
    /// As it is shown: file and line first, the way to it behind.
    pub(super) fn to_text(&self) -> String {
        let Self { file, line, message, definition, code, trace } = self;
        if *definition {
            // It begins with file and line itself, and says what to do.
            return message.clone();
        }
        let mut output = match (file, line) {
            (Some(file), Some(line)) => format!("{file}:{line}: {message}"),
            (Some(file), None) => format!("{file}: {message}"),
            _ => message.clone(),
        };
        if !code.is_empty() {
            output.push_str(&format!("\n    {}", code.trim()));
        }
        for frame in trace.iter().rev() {
            output.push_str(&format!("\n  called from {frame}"));
        }
        output
    }
}

/// A failure that the SDK could not report: of the interpreter or the linker.
fn explain(said: &str, project: &PythonProject) -> BuildError {
    if said.contains("out of memory") || said.contains("MemoryError") {
        return BuildError::Import {
            dir: project.dir.clone(),
            output: "importing it takes more memory than a module can have; load less at the top of the files".to_owned(),
        };
    }
    if said.contains("call stack exhausted") {
        return BuildError::Import {
            dir: project.dir.clone(),
            output: "importing it overflows the stack; look for a recursion without end".to_owned(),
        };
    }
    failed(said)
}

/// A failure that is not the project's.
fn failed(said: &str) -> BuildError {
    const SHOWN_LINES: usize = 12;
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    BuildError::Internal(format!("componentize-py {VERSION} failed:\n{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_brings_it() {
        let dir = tempfile::tempdir().unwrap();
        let options = BuildOptions { cache_dir: dir.path().join("cache"), offline: true };
        let none = ComponentizePy::find_by(&options, None, Some("/nowhere".into())).unwrap_err();
        let message = none.to_string();
        let venv = dir.path().join("cache/python").display().to_string();
        for part in ["componentize-py 0.25.1", "pip install componentize-py==0.25.1", &venv] {
            assert!(message.contains(part), "{part}: {message}");
        }
        let named = ComponentizePy::find_by(&options, Some("/nowhere/x".into()), None).unwrap_err();
        assert!(named.to_string().contains("UNSKEW_COMPONENTIZE_PY is /nowhere/x"), "{named}");
        assert!(matches!(named, BuildError::MissingToolchain { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn another_version_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("componentize-py");
        fs::write(&program, "#!/bin/sh\necho componentize-py 0.13.0\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let options = BuildOptions { cache_dir: dir.path().join("cache"), offline: true };
        let path = Some(dir.path().as_os_str().to_owned());
        let error = ComponentizePy::find_by(&options, None, path).unwrap_err();
        assert!(error.to_string().contains("is version 0.13.0"), "{error}");
    }

    #[test]
    fn a_child_that_does_not_end_is_ended() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let finished = run_within(&mut command, Duration::from_millis(20)).unwrap();
        assert!(finished.timed_out && !finished.success);
    }
}
