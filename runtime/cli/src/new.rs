use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;
use unskew_build::{Language, unpack_sdk};
use unskew_definition::Name;

use crate::context::Context;
use crate::failure::UserError;
use crate::terminal::{self, GOOD, paint};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew new --lang python shop
  unskew new --lang rust shop --path features/shop";

/// Begin a project: a module that builds, with tests that pass
#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// The language of its code
    #[arg(long, value_enum)]
    lang: TemplateLanguage,
    /// The module's name: lower-case letters, digits and underscores
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder to make [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TemplateLanguage {
    Rust,
    Python,
}

/// A file of a template: where it goes, and what is in it. `{{name}}` stands
/// for the module's name.
type File = (&'static str, &'static str);

const RUST: &[File] = &[
    ("Cargo.toml", include_str!("../templates/rust/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../templates/rust/src/lib.rs.in")),
    ("cases.json", include_str!("../templates/rust/cases.json")),
    ("README.md", include_str!("../templates/rust/README.md")),
    (".gitignore", include_str!("../templates/rust/gitignore")),
];

const PYTHON: &[File] = &[
    ("pyproject.toml", include_str!("../templates/python/pyproject.toml.in")),
    ("features.py", include_str!("../templates/python/features.py")),
    ("test_features.py", include_str!("../templates/python/test_features.py")),
    ("cases.json", include_str!("../templates/python/cases.json")),
    ("README.md", include_str!("../templates/python/README.md")),
    (".gitignore", include_str!("../templates/python/gitignore")),
];

/// Names that a crate cannot have: the words of the language, and those of
/// crates that are always there.
const TAKEN_IN_RUST: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

pub(crate) fn run(arguments: &NewArguments, context: &Context) -> anyhow::Result<()> {
    let NewArguments { lang, name, path } = arguments;
    let (language, files) = match lang {
        TemplateLanguage::Rust => (Language::Rust, RUST),
        TemplateLanguage::Python => (Language::Python, PYTHON),
    };
    check_name(name, language)?;
    let dir = path.clone().unwrap_or_else(|| PathBuf::from(name));
    let made = make_folder(&dir)?;
    let written = write(&dir, files, name).and_then(|()| Ok(unpack_sdk(&dir, language)?));
    if let Err(error) = written {
        // Half a project is worse than none. What was there before is left.
        if made {
            let _ = fs::remove_dir_all(&dir);
        }
        return Err(error);
    }
    report(&dir, language, name, files, context)
}

fn check_name(name: &str, language: Language) -> anyhow::Result<()> {
    let refused = |what: String| -> anyhow::Result<()> {
        let help = "choose a name of lower-case letters, digits and underscores that begins with a letter, such as shop_features";
        Err(UserError::new(what).at(format!("NAME {name:?}")).help(help).into())
    };
    if let Err(error) = Name::new(name) {
        return refused(error.to_string());
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || name.contains(|c: char| c.is_ascii_uppercase())
    {
        return refused(
            "the name has upper-case letters, or does not begin with a letter".to_owned(),
        );
    }
    if name == "unskew" || (language == Language::Rust && TAKEN_IN_RUST.contains(&name)) {
        return refused("the name is taken: a module cannot have it".to_owned());
    }
    Ok(())
}

/// Makes the folder, unless it is there and empty. Whether it was made.
fn make_folder(dir: &Path) -> anyhow::Result<bool> {
    let refused = |what: String, help: &str| -> anyhow::Error {
        UserError::new(what).at(dir.display().to_string()).help(help).into()
    };
    match dir.read_dir() {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(refused(
                "the folder is not empty, and nothing in it shall be overwritten".to_owned(),
                "give another name, or another folder with --path",
            )),
            None => Ok(false),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir).map(|()| true).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::AlreadyExists
                | io::ErrorKind::ReadOnlyFilesystem => refused(
                    format!("the folder cannot be made: {error}"),
                    "give another folder with --path",
                ),
                _ => anyhow::Error::new(error)
                    .context(format!("the folder {} could not be made", dir.display())),
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(refused("a file is in its place".to_owned(), "give another folder with --path"))
        }
        Err(error) => Err(refused(
            format!("the folder cannot be read: {error}"),
            "give another folder with --path",
        )),
    }
}

fn write(dir: &Path, files: &[File], name: &str) -> anyhow::Result<()> {
    for (file, content) in files {
        let path = dir.join(file);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content.replace("{{name}}", name)))
            .with_context(|| format!("{} could not be written", path.display()))?;
    }
    Ok(())
}

fn report(
    dir: &Path,
    language: Language,
    name: &str,
    files: &[File],
    context: &Context,
) -> anyhow::Result<()> {
    if context.json {
        #[derive(Serialize)]
        struct Document<'a> {
            path: String,
            name: &'a str,
            language: &'a str,
            files: Vec<&'a str>,
        }
        return terminal::print_json(&Document {
            path: dir.display().to_string(),
            name,
            language: language.as_str(),
            files: files.iter().map(|(file, _)| *file).collect(),
        });
    }
    let (code, own_tests) = match language {
        Language::Rust => ("src/lib.rs", "cargo test"),
        Language::Python => ("features.py", "python -m pytest"),
    };
    let shown = dir.display();
    let text = format!(
        "{} {shown} ({language})\n\
         \n  {shown}/{code}    your functions\
         \n  {shown}/cases.json    what they must yield\n\
         \nNext:\
         \n  unskew test {shown}    builds it and runs the cases\
         \n  unskew dev {shown}     does so at every change\
         \n  cd {shown} && {own_tests}\n",
        paint(GOOD, "made"),
    );
    Ok(terminal::print(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_make_trouble_later_are_refused_now() {
        for name in ["shop", "shop_2", "s"] {
            check_name(name, Language::Rust).unwrap();
            check_name(name, Language::Python).unwrap();
        }
        for name in ["", "2shop", "my-shop", "Shop", "_shop", "shöp", "a/b", "..", "unskew"] {
            assert!(check_name(name, Language::Rust).is_err(), "{name:?}");
            assert!(check_name(name, Language::Python).is_err(), "{name:?}");
        }
        assert!(check_name("test", Language::Rust).is_err());
        check_name("test", Language::Python).unwrap();
    }

    #[test]
    fn templates_have_no_open_places() {
        let dir = tempfile::tempdir().unwrap();
        for (lang, files) in [("rust", RUST), ("python", PYTHON)] {
            let dir = dir.path().join(lang);
            write(&dir, files, "shop").unwrap();
            for (file, _) in files {
                let text = fs::read_to_string(dir.join(file)).unwrap();
                assert!(!text.contains("{{"), "{lang}/{file}");
            }
        }
    }
}
