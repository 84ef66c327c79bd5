use std::fs;
use std::path::{Path, PathBuf};

use unskew_build::Language;

use crate::failure::UserError;

/// A folder of user code that builds into one module.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) dir: PathBuf,
    pub(crate) language: Language,
    /// Its name in Cargo.toml or pyproject.toml; else that of the folder.
    pub(crate) name: String,
}

impl Project {
    /// Finds out what lies in `dir`.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        let place = dir.display().to_string();
        if !dir.exists() {
            let help = format!("check the path, or begin one: `unskew new --lang python {place}`");
            return Err(UserError::new("no such folder").at(place).help(help).into());
        }
        if !dir.is_dir() {
            let help = "give the folder of a project, the one with Cargo.toml or pyproject.toml";
            return Err(UserError::new("not a folder").at(place).help(help).into());
        }
        let language = Language::of(dir)?;
        let name = declared_name(dir, language).or_else(|| folder_name(dir));
        Ok(Self {
            dir: dir.to_owned(),
            language,
            name: name.unwrap_or_else(|| "module".to_owned()),
        })
    }

    /// Where its module goes if the user does not say: `DIR/NAME.wasm`.
    pub(crate) fn default_output(&self) -> PathBuf {
        self.dir.join(format!("{}.wasm", self.name))
    }
}

/// The name in the project's own file, as an identifier. A file that cannot be
/// read or parsed is the builder's to report, so this says nothing of it.
fn declared_name(dir: &Path, language: Language) -> Option<String> {
    let (file, table) = match language {
        Language::Rust => ("Cargo.toml", "package"),
        Language::Python => ("pyproject.toml", "project"),
    };
    let text = fs::read_to_string(dir.join(file)).ok()?;
    let document: toml::Table = text.parse().ok()?;
    identifier(document.get(table)?.get("name")?.as_str()?)
}

fn folder_name(dir: &Path) -> Option<String> {
    identifier(fs::canonicalize(dir).ok()?.file_name()?.to_str()?)
}

/// Letters, digits and underscores; a name that would leave the folder, or
/// hold none of these, is no name.
fn identifier(name: &str) -> Option<String> {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    name.contains(|c: char| c.is_ascii_alphanumeric()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_after_its_project() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("my folder");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("pyproject.toml"), "[project]\nname = \"my-shop\"\n").unwrap();
        assert_eq!(declared_name(&dir, Language::Python).as_deref(), Some("my_shop"));
        fs::write(dir.join("pyproject.toml"), "[project]\n").unwrap();
        assert_eq!(declared_name(&dir, Language::Python), None);
        assert_eq!(folder_name(&dir).as_deref(), Some("my_folder"));
        assert_eq!(identifier("../../x").as_deref(), Some("______x"));
        assert_eq!(identifier(".."), None);
    }
}
