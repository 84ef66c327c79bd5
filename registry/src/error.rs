//! What can go wrong with the registry's file.

use std::path::PathBuf;

/// Why the registry did not do what it was asked. Nothing is half-written after any of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The file cannot be opened or made.
    #[error(
        "the registry {path} cannot be opened: {why}. Is the folder there, and may this user write there?"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is something else, or damaged.
    #[error(
        "the registry {path} is damaged or no registry: {why}. Move it away; materializing again makes a new one"
    )]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The file is of a newer version of Unskew.
    #[error(
        "the registry {path} has layout {found}, and this version of Unskew knows those up to {known}; use the version that wrote it"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// Another process did not give the file free in time.
    #[error("the registry {path} is locked by another process; wait for it, and try again")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error(
        "the registry {path} cannot be written: {why}. Make room, and run again: it goes on where it was"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Another process is materializing the view.
    #[error(
        "view {view} is being materialized by process {process}; wait for it, or end it: the next run goes on where it was"
    )]
    Busy {
        /// Name, `@` and version.
        view: String,
        /// Its process id.
        process: u32,
    },
    /// A job that is no longer open.
    #[error(
        "job {job} of view {view} is no longer open: another process went on with it, or ended it"
    )]
    JobGone {
        /// Its number.
        job: i64,
        /// Name, `@` and version.
        view: String,
    },
    /// SQLite refused for another reason.
    #[error("the registry {path}: {why}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        why: String,
    },
}

impl RegistryError {
    pub(crate) fn of(path: &std::path::Path, error: &sqlx::Error) -> Self {
        let (path, why) = (path.to_owned(), error.to_string());
        let code = match error {
            sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<u32>().ok()),
            sqlx::Error::Io(_) => return Self::Open { path, why },
            sqlx::Error::PoolTimedOut => return Self::Locked { path },
            sqlx::Error::ColumnDecode { .. } => return Self::Corrupted { path, why },
            _ => None,
        };
        // The low byte is the kind; https://www.sqlite.org/rescode.html
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked { path },
            Some(11 | 26) => Self::Corrupted { path, why },
            Some(10 | 13) => Self::Full { path, why },
            Some(3 | 8 | 14 | 23) => Self::Open { path, why },
            _ => Self::Sqlite { path, why },
        }
    }
}
