//! The cases of this folder as data: a definition, events, questions, and what
//! each question is answered. `README.md` has their form; `check.py` holds
//! them to an oracle that knows nothing of this code. Every driver runs every
//! case, so this room knows no driver.

mod case;
mod events;
mod plan;
mod values;

pub use case::{Answer, Case, DeadLetter, Emitted, Events, Generate, Question, Warnings};
pub use events::event_batch;
pub use values::{parse_time, spelled};

use std::path::{Path, PathBuf};

/// The folder that holds the cases.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of all cases, sorted: all that lie in a folder of this one, but
/// for `shared`, which holds definitions for several. With `UNSKEW_CASES` set
/// to a folder, those that lie in folders of that one, such as random cases.
pub fn case_files() -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let folder =
        std::env::var_os("UNSKEW_CASES").map_or_else(|| folder().to_owned(), PathBuf::from);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !entry.file_type()?.is_dir() || name == "shared" || name == "src" || name == "oracle" {
            continue;
        }
        for file in std::fs::read_dir(entry.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|ending| ending == "yaml") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
