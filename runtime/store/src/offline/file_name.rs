//! The names of files, and of what lies above them.

use object_store::path::{Path, PathPart};

use super::Date;
use crate::{StoreError, TableId};

const LONGEST: usize = 200;
const BEGINNING: &str = "part-";
const END: &str = ".parquet";

/// Where a table's days lie below the store's prefix.
pub(super) fn table_path(prefix: &Path, table: &TableId) -> Path {
    prefix.clone().join(PathPart::from(format!("view={table}")))
}

/// Where a day's files lie.
pub(super) fn date_path(prefix: &Path, table: &TableId, date: Date) -> Path {
    table_path(prefix, table).join(PathPart::from(format!("date={date}")))
}

/// A file of a name.
pub(super) fn file_path(
    prefix: &Path,
    table: &TableId,
    date: Date,
    name: &str,
) -> Result<Path, StoreError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(fits) {
        return Err(StoreError::Invalid {
            what: format!(
                "{name:?} is no name of a slice; take up to {LONGEST} letters, digits, `_`, `-` and `.`"
            ),
        });
    }
    Ok(date_path(prefix, table, date).join(PathPart::from(format!("{BEGINNING}{name}{END}"))))
}

/// Reads the date and name of a path below a table; nothing where it is no file of ours.
pub(super) fn parse(table: &Path, path: &Path) -> Option<(Date, String)> {
    let mut parts = path.prefix_match(table)?;
    let (date, file, more) = (parts.next()?, parts.next()?, parts.next());
    let date = Date::parse(date.as_ref().strip_prefix("date=")?)?;
    let name = file.as_ref().strip_prefix(BEGINNING)?.strip_suffix(END)?;
    more.is_none().then(|| (date, name.to_owned()))
}
