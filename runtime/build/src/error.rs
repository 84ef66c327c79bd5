use std::path::PathBuf;

/// Why a project was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Neither a Rust nor a Python project.
    #[error(
        "{} holds no project: there is neither a Cargo.toml (Rust) nor a pyproject.toml (Python); `unskew new` makes one", .dir.display()
    )]
    NoProject {
        /// where one was looked for
        dir: PathBuf,
    },
    /// Both a Rust and a Python project.
    #[error(
        "{} holds two projects, a Cargo.toml (Rust) and a pyproject.toml (Python): a module has one language; move one of them into a folder of its own", .dir.display()
    )]
    TwoProjects {
        /// where they are
        dir: PathBuf,
    },
    /// A file of the project that says something wrong.
    #[error("{}: {what}", .path.display())]
    Project {
        /// the file
        path: PathBuf,
        /// what is wrong, and what to do
        what: String,
    },
    /// A tool that is needed is not there.
    #[error("{what} is not installed: {command}")]
    MissingToolchain {
        /// what is missing
        what: String,
        /// what to run
        command: String,
    },
    /// The project's code does not compile.
    #[error("the code in {} does not compile:\n{output}", .dir.display())]
    Compile {
        /// the project
        dir: PathBuf,
        /// what the compiler said, shortened where it is long
        output: String,
    },
    /// The project's code cannot be imported.
    #[error("the code in {} cannot be imported:\n{output}", .dir.display())]
    Import {
        /// the project
        dir: PathBuf,
        /// what Python said, with the user's files and lines
        output: String,
    },
    /// A package that brings native code, which a module cannot run.
    #[error(
        "the package {package} is not pure Python: it comes as {wheel}, with native code that a module cannot run; choose a package in pure Python, or do that part outside of the module"
    )]
    NativeWheel {
        /// the package
        package: String,
        /// the wheel, or the file in it
        wheel: String,
    },
    /// Compiled, but not a module.
    #[error("the code in {} compiles, but makes no module: {what}", .dir.display())]
    NotAModule {
        /// the project
        dir: PathBuf,
        /// what is missing, and what to do
        what: String,
    },
    /// It wants more of its host than a module may.
    #[error(
        "the module imports {}: a module can only compute, and may import nothing but `unskew:module/log`. {help}", .imports.join(", ")
    )]
    ForeignImports {
        /// what it imports, by name
        imports: Vec<String>,
        /// where such imports come from, and what to do
        help: String,
    },
    /// A file or folder that could not be read or written.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// `read`, `write` and so on
        what: &'static str,
        /// the file or folder
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
    /// A program that could not be started.
    #[error("cannot run `{program}`: {source}")]
    Run {
        /// the program
        program: String,
        /// why
        source: std::io::Error,
    },
    /// A mistake of ours.
    #[error("the module could not be put together; this is a mistake in Unskew: {0}")]
    Internal(String),
}

impl BuildError {
    /// Whether the user can mend it. The others are ours, or the machine's.
    pub fn is_users(&self) -> bool {
        match self {
            Self::NoProject { .. }
            | Self::TwoProjects { .. }
            | Self::Project { .. }
            | Self::MissingToolchain { .. }
            | Self::Compile { .. }
            | Self::Import { .. }
            | Self::NativeWheel { .. }
            | Self::NotAModule { .. }
            | Self::ForeignImports { .. } => true,
            Self::Io { .. } | Self::Run { .. } | Self::Internal(_) => false,
        }
    }

    /// For `map_err` of what reads or writes `path`.
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
