//! Finds a Rust compiler that can build for WebAssembly.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::BuildError;

/// What a guest is built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Forces one of the two ways: `rustup` or `debian`.
const CHOICE: &str = "UNSKEW_RUST_TOOLCHAIN";

const DEBIAN_COMPILER: &str = "/usr/bin/rustc";

/// A compiler, and what it needs.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// A compiler whose library for the target is installed, by
    /// `rustup target add` or otherwise.
    Installed {
        /// its folder
        sysroot: PathBuf,
    },
    /// Debian's compiler, which builds the library from source and borrows
    /// the linker of another.
    Debian {
        /// the folder of its sources
        source: PathBuf,
        /// `rust-lld`
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The one that a project in `dir` is built with; the folder matters
    /// where it names a toolchain of its own.
    pub(crate) fn find(dir: &Path) -> Result<Self, BuildError> {
        match env::var(CHOICE).as_deref() {
            Ok("rustup") => Self::installed(dir).map_err(MissingPart::into_error),
            Ok("debian") => Self::debian(dir).map_err(MissingPart::into_error),
            Ok("") | Err(env::VarError::NotPresent) => Self::installed(dir)
                .or_else(|missing| Self::debian(dir).map_err(|_| missing.into_error())),
            Ok(other) => Err(BuildError::MissingToolchain {
                what: format!("the Rust toolchain {other:?} of {CHOICE}"),
                command: format!("set {CHOICE} to `rustup` or `debian`, or unset it"),
            }),
            Err(env::VarError::NotUnicode(_)) => Err(BuildError::MissingToolchain {
                what: format!("what {CHOICE} names"),
                command: format!("set {CHOICE} to `rustup` or `debian`, or unset it"),
            }),
        }
    }

    fn installed(dir: &Path) -> Result<Self, MissingPart> {
        let sysroot = sysroot(dir, "rustc").ok_or(MissingPart::Compiler)?;
        if !runs(dir, "cargo") {
            return Err(MissingPart::Compiler);
        }
        let library = sysroot.join("lib/rustlib").join(TARGET).join("lib");
        let has_std = library.read_dir().is_ok_and(|files| {
            files.flatten().any(|f| f.file_name().to_string_lossy().starts_with("libstd-"))
        });
        if has_std { Ok(Self::Installed { sysroot }) } else { Err(MissingPart::Target) }
    }

    fn debian(dir: &Path) -> Result<Self, MissingPart> {
        let sysroot = sysroot(dir, DEBIAN_COMPILER).ok_or(MissingPart::DebianPackages)?;
        let source = sysroot.join("lib/rustlib/src/rust");
        if !source.join("library/std/Cargo.toml").is_file() {
            return Err(MissingPart::DebianPackages);
        }
        if !runs(dir, "cargo") {
            return Err(MissingPart::Compiler);
        }
        let source = source.canonicalize().map_err(|_| MissingPart::DebianPackages)?;
        let linker = linker(dir).ok_or(MissingPart::Linker)?;
        Ok(Self::Debian { source, linker })
    }

    /// Names it for the path of the build's folder: what one has built is of
    /// no use to the other.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Installed { sysroot } => sysroot.to_string_lossy().into_owned(),
            Self::Debian { source, .. } => source.to_string_lossy().into_owned(),
        }
    }
}

/// `rust-lld` of the toolchain on the path, or the one of the system.
fn linker(dir: &Path) -> Option<PathBuf> {
    let host = output(dir, "rustc", &["--print", "host-tuple"]);
    let own = sysroot(dir, "rustc")
        .zip(host)
        .map(|(sysroot, host)| sysroot.join("lib/rustlib").join(host).join("bin/rust-lld"));
    let system = ["/usr/bin/rust-lld", "/usr/bin/wasm-ld"].map(PathBuf::from);
    own.into_iter().chain(system).find(|path| path.is_file())
}

fn sysroot(dir: &Path, compiler: &str) -> Option<PathBuf> {
    output(dir, compiler, &["--print", "sysroot"]).map(PathBuf::from)
}

fn runs(dir: &Path, program: &str) -> bool {
    output(dir, program, &["--version"]).is_some()
}

fn output(dir: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(dir).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned())
}

/// What a toolchain lacks.
#[derive(Debug)]
enum MissingPart {
    Compiler,
    Target,
    DebianPackages,
    Linker,
}

impl MissingPart {
    fn into_error(self) -> BuildError {
        let (what, command) = match self {
            Self::Compiler => (
                "Rust (`cargo` and `rustc`)".to_owned(),
                "install it from https://rustup.rs, then run `rustup target add wasm32-unknown-unknown`"
                    .to_owned(),
            ),
            Self::Target => (
                format!("Rust's library for {TARGET}"),
                format!(
                    "run `rustup target add {TARGET}`; where that cannot be had, on Debian, `apt-get install rustc-web rust-web-src`"
                ),
            ),
            Self::DebianPackages => (
                "Debian's Rust compiler with its library's source".to_owned(),
                "run `apt-get install rustc-web rust-web-src`".to_owned(),
            ),
            Self::Linker => (
                "a linker for WebAssembly (`rust-lld`)".to_owned(),
                "install Rust from https://rustup.rs, whose linker Debian's compiler can use, or run `apt-get install lld`"
                    .to_owned(),
            ),
        };
        BuildError::MissingToolchain { what, command }
    }
}
