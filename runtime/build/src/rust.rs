//! Builds a Rust project: Cargo makes a core module, which is then wrapped.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::BuildOptions;
use crate::cargo_project::CargoProject;
use crate::component;
use crate::error::BuildError;
use crate::language::Language;
use crate::rust_toolchain::{TARGET, Toolchain};
use crate::sdk;

/// With it the `libm` crate takes WebAssembly's own instructions for `sqrt`,
/// `floor`, `ceil`, `trunc`, `rint` and `fabs`, which on every other target it
/// does by itself. They round exactly as its functions do, and take a hundredth
/// of the time. On a stable compiler it needs leave to use them.
const LIBM_USES_INSTRUCTIONS: &str = "intrinsics_enabled";

/// How much of what Cargo said an error shows.
const FIRST_LINES: usize = 120;
const LAST_LINES: usize = 20;

/// Builds the project in `dir`, an absolute path without links, to a
/// component.
pub(crate) fn build(dir: &Path, options: &BuildOptions) -> Result<Vec<u8>, BuildError> {
    let project = CargoProject::read(dir)?;
    if project.uses_unpacked_sdk {
        sdk::unpack_sdk(dir, Language::Rust)?;
    }
    let toolchain = Toolchain::find(dir)?;
    let core = compile(dir, &project, &toolchain, options)?;
    component::wrap(&core, dir)
}

fn compile(
    dir: &Path,
    project: &CargoProject,
    toolchain: &Toolchain,
    options: &BuildOptions,
) -> Result<Vec<u8>, BuildError> {
    let target_dir = target_dir(dir, toolchain, options)?;
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(dir)
        .args(["rustc", "--lib", "--crate-type", "cdylib", "--release", "--quiet"])
        .args(["--target", TARGET, "--message-format", "json-render-diagnostics"])
        .args(["--package", &project.package])
        .arg("--target-dir")
        .arg(&target_dir);
    for setting in profile(project) {
        cargo.args(["--config", &setting]);
    }
    if options.offline {
        cargo.arg("--offline");
    }
    for (name, _) in env::vars_os().filter(|(name, _)| is_ambient(&name.to_string_lossy())) {
        cargo.env_remove(name);
    }
    // An empty wrapper overrides one from a configuration file.
    cargo.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    cargo.env("CARGO_INCREMENTAL", "0");
    match toolchain {
        Toolchain::Installed { .. } => {
            cargo.env("RUSTC_BOOTSTRAP", "libm");
        }
        Toolchain::Debian { .. } => {
            cargo.arg("-Zbuild-std=std,panic_abort");
            cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
        }
    }
    // Set, it replaces all flags from configuration files.
    let flags = compiler_flags(dir, project, toolchain, &target_dir);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join(&OsString::from("\x1f")));

    tracing::debug!(?cargo, "building");
    let output = cargo
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Run { program: "cargo".to_owned(), source })?;
    read_artifact(dir, project, output)
}

/// A folder of the project's own: Cargo gives a module's file no name that
/// differs between two projects whose crates are called the same.
fn target_dir(
    dir: &Path,
    toolchain: &Toolchain,
    options: &BuildOptions,
) -> Result<PathBuf, BuildError> {
    let mut hash = Sha256::new();
    hash.update(dir.as_os_str().as_encoded_bytes());
    hash.update([0]);
    hash.update(toolchain.key());
    let key: String = hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect();
    let target_dir = options.cache_dir.join("build/rust").join(key);
    fs::create_dir_all(&target_dir).map_err(BuildError::io("make", &target_dir))?;
    target_dir.canonicalize().map_err(BuildError::io("read", target_dir))
}

/// The release profile of every module, whatever the project's says: its
/// bytes shall follow from its sources, and its speed not from a setting that
/// someone forgot.
///
/// Overflow panics, and so is an error of its row, as it is in the project's
/// unit tests, unless the project says otherwise.
fn profile(project: &CargoProject) -> Vec<String> {
    let mut settings = vec![
        "profile.release.opt-level=3".to_owned(),
        "profile.release.lto=\"fat\"".to_owned(),
        "profile.release.codegen-units=1".to_owned(),
        "profile.release.panic=\"abort\"".to_owned(),
        "profile.release.strip=\"symbols\"".to_owned(),
        "profile.release.debug=false".to_owned(),
        "profile.release.incremental=false".to_owned(),
        // Dependencies count on wrapping where they do not ask for checks.
        "profile.release.package.\"*\".overflow-checks=false".to_owned(),
        "profile.release.package.unskew.overflow-checks=false".to_owned(),
        "profile.release.package.unskew-aggregate.overflow-checks=false".to_owned(),
    ];
    if !project.sets_overflow_checks {
        settings.push("profile.release.overflow-checks=true".to_owned());
    }
    settings
}

/// Whether a variable of the caller's environment would change what is built,
/// or how.
fn is_ambient(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "RUSTC_FORCE_INCREMENTAL",
        "RUSTC_FORCE_RUSTC_VERSION",
        "CARGO_INCREMENTAL",
        "CARGO_TARGET_DIR",
        "CARGO_MAKEFLAGS",
    ];
    const PREFIXES: [&str; 8] = [
        "CARGO_BUILD_",
        "CARGO_TARGET_",
        "CARGO_PROFILE_",
        "CARGO_UNSTABLE_",
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_CFG_",
        "__CARGO",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The compiler's own flags: above all the names that stand for this
/// machine's folders, so that the same sources give the same bytes anywhere.
fn compiler_flags(
    dir: &Path,
    project: &CargoProject,
    toolchain: &Toolchain,
    target_dir: &Path,
) -> Vec<OsString> {
    let mut flags = Vec::new();
    let mut remap = |from: &Path, to: &str| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    };
    // Of several that fit, the last wins: from the widest to the narrowest.
    let home = |variable: &str, folder: &str| {
        let set = env::var_os(variable).map(PathBuf::from);
        set.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(folder)))
    };
    if let Some(cargo_home) = home("CARGO_HOME", ".cargo") {
        remap(&cargo_home, "/cargo");
    }
    match toolchain {
        Toolchain::Installed { sysroot } => remap(sysroot, "/toolchain"),
        Toolchain::Debian { source, .. } => remap(source, "/rustc"),
    }
    for folder in &project.outside {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        remap(folder, &format!("/outside/{name}"));
    }
    remap(&project.workspace_root, "/workspace");
    remap(dir, "/module");
    remap(target_dir, "/target");
    // What the host runs on every machine, and what makes the most of a call:
    // each one that is left in a loop pays for its own check of the fuel.
    flags.push("-Ctarget-feature=+simd128".into());
    flags.push("-Cllvm-args=-inline-threshold=2000".into());
    flags.push(format!("--cfg={LIBM_USES_INSTRUCTIONS}").into());
    if let Toolchain::Debian { linker, .. } = toolchain {
        let mut flag = OsString::from("-Clinker=");
        flag.push(linker);
        flags.push(flag);
    }
    flags
}

/// The lines that Cargo writes with `--message-format json`.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        target: Target,
        filenames: Vec<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

fn read_artifact(
    dir: &Path,
    project: &CargoProject,
    output: Output,
) -> Result<Vec<u8>, BuildError> {
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let mut output = shortened(&said);
        if said.contains("error[E0573]: expected type, found function") {
            output.push_str(
                "\nhelp: a function in `unskew::module!` needs #[unskew::transform] before it",
            );
        }
        return Err(BuildError::Compile { dir: dir.to_owned(), output });
    }
    if !said.trim().is_empty() {
        tracing::warn!("Cargo says of {}:\n{}", project.package, said.trim_end());
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let module = stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter_map(|message| match message {
            Message::CompilerArtifact { target, filenames }
                if target.kind.iter().any(|kind| kind == "cdylib") =>
            {
                filenames.into_iter().find(|f| f.extension().is_some_and(|e| e == "wasm"))
            }
            _ => None,
        })
        .next_back();
    let Some(module) = module else {
        return Err(BuildError::NotAModule {
            dir: dir.to_owned(),
            what: "Cargo built no library; the code of a module is in src/lib.rs".to_owned(),
        });
    };
    fs::read(&module).map_err(BuildError::io("read", module))
}

/// The beginning, where the first mistake stands, and the end, where Cargo
/// says what follows from it.
fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let Some(skipped) = lines.len().checked_sub(FIRST_LINES + LAST_LINES).filter(|n| *n > 0) else {
        return lines.join("\n");
    };
    let first = lines[..FIRST_LINES].join("\n");
    let last = lines[lines.len() - LAST_LINES..].join("\n");
    format!("{first}\n... ({skipped} lines more) ...\n{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_keeps_its_beginning_and_its_end() {
        let lines = |count: usize| (0..count).map(|i| format!("line {i}\n")).collect::<String>();
        let whole = FIRST_LINES + LAST_LINES;
        assert_eq!(shortened(&lines(whole)), lines(whole).trim_end());
        let short = shortened(&lines(whole + 7));
        assert!(short.starts_with("line 0\n") && short.contains("(7 lines more)"), "{short}");
        assert!(short.ends_with(&format!("line {}", whole + 6)), "{short}");
    }
}
