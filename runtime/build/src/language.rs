use std::fmt;
use std::path::Path;

use crate::error::BuildError;

/// The language that a project is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// A folder with a `Cargo.toml`.
    Rust,
    /// A folder with a `pyproject.toml`.
    Python,
}

impl Language {
    /// The language of the project in `dir`, by the file that describes it.
    pub fn of(dir: &Path) -> Result<Self, BuildError> {
        let has = |name: &str| dir.join(name).is_file();
        match (has("Cargo.toml"), has("pyproject.toml")) {
            (true, false) => Ok(Self::Rust),
            (false, true) => Ok(Self::Python),
            (false, false) => Err(BuildError::NoProject { dir: dir.to_owned() }),
            (true, true) => Err(BuildError::TwoProjects { dir: dir.to_owned() }),
        }
    }

    /// `rust` or `python`, as the manifest writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_the_one_project_file() {
        let dir = tempfile::tempdir().unwrap();
        let message = Language::of(dir.path()).unwrap_err().to_string();
        assert!(message.contains("unskew new"), "{message}");

        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(Language::of(dir.path()).unwrap(), Language::Rust);

        std::fs::write(dir.path().join("pyproject.toml"), "").unwrap();
        assert!(matches!(Language::of(dir.path()), Err(BuildError::TwoProjects { .. })));

        std::fs::remove_file(dir.path().join("Cargo.toml")).unwrap();
        assert_eq!(Language::of(dir.path()).unwrap(), Language::Python);

        let missing = dir.path().join("missing");
        assert!(matches!(Language::of(&missing), Err(BuildError::NoProject { .. })));
    }
}
