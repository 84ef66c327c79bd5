use std::cell::OnceCell;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use unskew_build::BuildOptions;
use unskew_definition::ManifestError;
use unskew_host::{
    CompiledModule, Host, HostConfig, HostError, Isolation, Limits, LoadError, NanPolicy,
};

use crate::arguments::GlobalOptions;
use crate::failure::UserError;
use crate::interrupt::Interrupt;

/// What every command gets: the global options, resolved.
pub(crate) struct Context {
    /// Whether reports and errors are JSON.
    pub(crate) json: bool,
    /// Whether the user wants nothing on stderr but errors.
    pub(crate) quiet: bool,
    /// How much is logged, as `-v` and `-vv` ask.
    pub(crate) verbosity: u8,
    /// Toolchains, unpacked SDKs and native code are kept under it.
    pub(crate) cache_dir: PathBuf,
    /// Whether builds must do without the network.
    pub(crate) offline: bool,
    /// Keys of the configuration that were given by `--set`, with their values.
    pub(crate) settings: Vec<(String, String)>,
    /// Whether the user asked to stop.
    pub(crate) interrupt: Interrupt,
    host: OnceCell<Host>,
    fresh_host: OnceCell<Host>,
    boundary_host: OnceCell<Host>,
    strict_host: OnceCell<Host>,
    definer_host: OnceCell<Host>,
}

/// Fuel of one project's definitions: some seconds of Python. A row gets far
/// less, but all of a project's code is imported at once.
const DEFINER_FUEL: u64 = 3_000_000_000;

impl Context {
    /// Resolves the global options.
    pub(crate) fn new(options: &GlobalOptions, interrupt: Interrupt) -> anyhow::Result<Self> {
        let GlobalOptions { json, verbose, quiet, color: _, cache_dir, offline, set } = options;
        Ok(Self {
            json: *json,
            quiet: *quiet,
            verbosity: *verbose,
            cache_dir: resolve_cache_dir(cache_dir.as_deref(), |name| std::env::var_os(name))?,
            offline: *offline,
            settings: set.clone(),
            interrupt,
            host: OnceCell::new(),
            fresh_host: OnceCell::new(),
            boundary_host: OnceCell::new(),
            strict_host: OnceCell::new(),
            definer_host: OnceCell::new(),
        })
    }

    /// The sandbox, made at its first use.
    pub(crate) fn host(&self) -> anyhow::Result<&Host> {
        self.host_of(&self.host, Isolation::Reuse, None)
    }

    /// A sandbox that gives every call an instance of its own.
    pub(crate) fn fresh_host(&self) -> anyhow::Result<&Host> {
        self.host_of(&self.fresh_host, Isolation::Fresh, None)
    }

    /// A sandbox of one NaN policy, whatever modules record.
    pub(crate) fn host_of_nan(&self, nan: NanPolicy) -> anyhow::Result<&Host> {
        let cell = match nan {
            NanPolicy::Boundary => &self.boundary_host,
            NanPolicy::Strict => &self.strict_host,
        };
        self.host_of(cell, Isolation::Reuse, Some(nan))
    }

    fn host_of<'a>(
        &self,
        cell: &'a OnceCell<Host>,
        isolation: Isolation,
        nan: Option<NanPolicy>,
    ) -> anyhow::Result<&'a Host> {
        self.host_with(cell, HostConfig { isolation, nan, ..HostConfig::default() })
    }

    /// The sandbox of the definer: one project for each instance.
    pub(crate) fn definer_host(&self) -> anyhow::Result<&Host> {
        let limits = Limits { fuel: DEFINER_FUEL, ..Limits::default() };
        let isolation = Isolation::Fresh;
        self.host_with(
            &self.definer_host,
            HostConfig { limits, isolation, ..HostConfig::default() },
        )
    }

    fn host_with<'a>(
        &self,
        cell: &'a OnceCell<Host>,
        config: HostConfig,
    ) -> anyhow::Result<&'a Host> {
        if let Some(host) = cell.get() {
            return Ok(host);
        }
        let cache_dir = Some(self.cache_dir.clone());
        let host = Host::new(HostConfig { cache_dir, ..config }).map_err(|error| match &error {
            HostError::Cache { .. } => UserError::new(error.to_string())
                .at(self.cache_dir.display().to_string())
                .help("give another folder with --cache-dir or UNSKEW_CACHE_DIR")
                .into(),
            _ => anyhow::Error::from(error),
        })?;
        Ok(cell.get_or_init(|| host))
    }

    /// Where builds find their tools.
    pub(crate) fn build_options(&self) -> BuildOptions {
        BuildOptions { cache_dir: self.cache_dir.clone(), offline: self.offline }
    }

    /// The module in the file `path`, compiled, its manifest read and checked.
    pub(crate) fn load(&self, path: &Path) -> anyhow::Result<CompiledModule> {
        load(self.host()?, &read_module(path)?, path)
    }

    /// Whether progress may be drawn: a person watches, and nothing else is
    /// written for a program to read.
    pub(crate) fn progress_wanted(&self) -> bool {
        !self.json && !self.quiet && io::stderr().is_terminal()
    }
}

/// The bytes of the module in the file `path`.
pub(crate) fn read_module(path: &Path) -> anyhow::Result<Vec<u8>> {
    let place = || path.display().to_string();
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => UserError::new("no such module")
            .at(place())
            .help("check the path, or build a project's module with `unskew build DIR`")
            .into(),
        _ => unreadable(error, path),
    })?;
    if metadata.is_dir() {
        let help = format!("build its module first: `unskew build {}`", path.display());
        return Err(UserError::new("a folder, where the file of a module was expected")
            .at(place())
            .help(help)
            .into());
    }
    // Checked before it is read, so that a mistaken path to a huge file costs nothing.
    let limit = Limits::default().component_bytes;
    if metadata.len() > limit as u64 {
        let what = format!("the file has {} bytes; a module has at most {limit}", metadata.len());
        return Err(UserError::new(what).at(place()).help("is this the right file?").into());
    }
    fs::read(path).map_err(|error| unreadable(error, path))
}

fn unreadable(error: io::Error, path: &Path) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory => {
            UserError::new(format!("the file cannot be read: {error}"))
                .at(path.display().to_string())
                .help("check the path and its permissions")
                .into()
        }
        _ => anyhow::Error::new(error).context(format!("{} could not be read", path.display())),
    }
}

/// Compiles `component`, which came from `path`.
pub(crate) fn load(host: &Host, component: &[u8], path: &Path) -> anyhow::Result<CompiledModule> {
    host.load(component).map_err(|error| match error {
        LoadError::Host(_) => {
            anyhow::Error::new(error).context(format!("{} could not be loaded", path.display()))
        }
        // Each says where it is, if the SDK recorded that.
        LoadError::Manifest(ManifestError::Mistakes(mistakes))
            if mistakes.iter().all(|mistake| !mistake.place.file().is_empty()) =>
        {
            mistakes.into()
        }
        _ => UserError::new(error.to_string()).at(path.display().to_string()).into(),
    })
}

fn resolve_cache_dir(
    given: Option<&Path>,
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
) -> anyhow::Result<PathBuf> {
    // The specification of XDG's folders has relative paths ignored.
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let dir = match given {
        Some(dir) => dir.to_owned(),
        None => absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .ok_or_else(|| {
                UserError::new("there is no folder for the cache: HOME is not set")
                    .help("give one with --cache-dir or UNSKEW_CACHE_DIR")
            })?
            .join("unskew"),
    };
    std::path::absolute(&dir).with_context(|| format!("{} is no path", dir.display()))
}

/// The time of asking, in microseconds since 1970, which comes from here into
/// every room.
#[allow(clippy::disallowed_methods, reason = "a command line is where a clock may be read")]
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(given: Option<&str>, variables: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
        resolve_cache_dir(given.map(Path::new), |name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_cache_is_where_the_first_of_four_says() {
        let all = [("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(resolved(Some("/given"), &all).unwrap(), Path::new("/given"));
        assert_eq!(resolved(None, &all).unwrap(), Path::new("/x/unskew"));
        assert_eq!(resolved(None, &all[1..]).unwrap(), Path::new("/h/.cache/unskew"));
        let relative = [("XDG_CACHE_HOME", "x"), ("HOME", "/h")];
        assert_eq!(resolved(None, &relative).unwrap(), Path::new("/h/.cache/unskew"));
        assert!(resolved(None, &[]).unwrap_err().to_string().contains("HOME"));
        assert!(resolved(Some("here"), &[]).unwrap().is_absolute());
    }
}
