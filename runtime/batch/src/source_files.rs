//! The files of a source: paths, folders and patterns made into a list.

use std::path::{Path, PathBuf};

use unskew_executor::rows::{MissingFields, SourceReader};
use unskew_plan::SourcePlan;

use crate::error::BatchError;
use crate::format::FileFormat;
use crate::open_file::local_path;
use crate::remote::{is_url, matching_objects};
use crate::table_reader::TableReader;

/// The files that `patterns` name, sorted, each once. A pattern is a path, a
/// folder (all files in it and below whose names end as a known format's) or a
/// glob; what is not absolute lies in `folder`.
pub fn source_files(
    source: &SourcePlan,
    folder: &Path,
    patterns: &[String],
) -> Result<Vec<PathBuf>, BatchError> {
    let wrong = |reason| BatchError::WrongSource { source_name: source.name.to_string(), reason };
    if patterns.is_empty() {
        let reason = "it names no files; give it `files: [...]`, or --source NAME=PATH".to_owned();
        return Err(wrong(reason));
    }
    matching_files(folder, patterns, &wrong)
}

/// [`source_files`] for whatever `wrong` speaks of.
pub(crate) fn matching_files(
    folder: &Path,
    patterns: &[String],
    wrong: &dyn Fn(String) -> BatchError,
) -> Result<Vec<PathBuf>, BatchError> {
    let mut files = Vec::new();
    for pattern in patterns {
        let given = local_path(Path::new(pattern));
        if is_url(&given) {
            files.extend(matching_objects(pattern, wrong)?);
            continue;
        }
        let place = folder.join(given);
        if place.is_dir() {
            files_below(&place, &mut files)?;
        } else if place.exists() {
            files.push(place);
        } else {
            files.extend(matching(&place, pattern, wrong)?);
        }
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        let place = folder.display();
        return Err(wrong(format!("no file matches {} in {place}", patterns.join(", "))));
    }
    Ok(files)
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), BatchError> {
    let failed = |error| BatchError::reading(folder, error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files_below(&path, files)?;
        } else if FileFormat::of(&path).is_some() && !is_hidden(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Files that are being written, or that tools left behind.
pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(['.', '_'])
}

fn matching(
    place: &Path,
    pattern: &str,
    wrong: &dyn Fn(String) -> BatchError,
) -> Result<Vec<PathBuf>, BatchError> {
    let wrong = |reason: String| wrong(format!("{pattern}: {reason}"));
    let text = place.to_str().ok_or_else(|| wrong("the path is no UTF-8 text".to_owned()))?;
    let paths = glob::glob(text).map_err(|error| wrong(format!("no pattern: {error}")))?;
    let paths: Vec<PathBuf> =
        paths.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if paths.is_empty() {
        return Err(wrong("there is no such file, and no file matches".to_owned()));
    }
    Ok(paths.into_iter().filter(|path| path.is_file()).collect())
}

/// What is worth knowing of a source's files: columns that some of them lack.
/// A column that all of them lack is a mistake.
pub(crate) fn source_notes(
    source: &SourcePlan,
    files: &[PathBuf],
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<String>, BatchError> {
    let read: Vec<String> = source.fields.iter().map(|field| field.column.clone()).collect();
    let noted = |columns: Option<&[String]>| {
        let mut missing = MissingFields::default();
        for path in files {
            let in_file = |source| BatchError::Rows { path: path.clone(), source };
            let table = TableReader::open(path, None, columns, cancelled)?;
            let reader = SourceReader::new(source, table.schema()).map_err(in_file)?;
            missing.add(&path.display().to_string(), table.schema(), &reader);
        }
        Ok::<_, BatchError>(missing.finish(source))
    };
    noted(Some(&read))?.map_err(|narrow| {
        // Once more with all columns of the files, which the message lists.
        let (file, source) = noted(None).ok().and_then(Result::err).unwrap_or(narrow);
        BatchError::Rows { path: file.into(), source }
    })
}
