//! The input files of a source: what they are, and which times they hold.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use sha2::{Digest as _, Sha256};
use unskew_definition::DataType;
use unskew_executor::rows::ColumnReader;
use unskew_plan::SourcePlan;
use unskew_registry::InputFile;

use crate::error::BatchError;
use crate::file_hash::file_hash;
use crate::materialize::slices::hex;
use crate::remote::{RemoteFile, is_url};
use crate::table_reader::TableReader;

/// The files of a source as they are now, beside what the registry knows.
pub(crate) struct Inputs {
    pub(crate) files: Vec<(PathBuf, InputFile)>,
    /// The times, first and last, of what is new, changed or gone: of what was
    /// there and of what is.
    pub(crate) touched: Vec<(i64, i64)>,
    /// How many are as they were.
    pub(crate) unchanged: u64,
}

impl Inputs {
    /// Looks at all files, and reads the times of those that are new or
    /// changed.
    pub(crate) fn look(
        source: &SourcePlan,
        paths: &[PathBuf],
        known: &[InputFile],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, BatchError> {
        let mut inputs = Self { files: Vec::new(), touched: Vec::new(), unchanged: 0 };
        for path in paths {
            let place = path.display().to_string();
            let before = known.iter().find(|file| file.place == place);
            let now = identity(path, before, cancelled)?;
            if let Some(before) = before.filter(|before| before.bytes == now.0) {
                // A file that was only touched keeps its hash.
                if hash_of(&before.mark) == hash_of(&now.1) {
                    inputs.unchanged += 1;
                    let file = InputFile { mark: now.1, ..before.clone() };
                    inputs.files.push((path.clone(), file));
                    continue;
                }
            }
            let (rows, times) = event_times(source, path, cancelled)?;
            inputs.touched.extend(times);
            inputs.touched.extend(before.and_then(times_of));
            let file = InputFile {
                place,
                bytes: now.0,
                mark: now.1,
                rows,
                first_event: times.map(|times| times.0),
                last_event: times.map(|times| times.1),
            };
            inputs.files.push((path.clone(), file));
        }
        let is_there = |file: &&InputFile| inputs.files.iter().any(|(_, f)| f.place == file.place);
        let gone: Vec<_> =
            known.iter().filter(|file| !is_there(file)).filter_map(times_of).collect();
        inputs.touched.extend(gone);
        Ok(inputs)
    }

    /// The times that any file has, first and last.
    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        let times = self.files.iter().filter_map(|(_, file)| times_of(file));
        times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// What the registry will know.
    pub(crate) fn known(&self) -> Vec<InputFile> {
        self.files.iter().map(|(_, file)| file.clone()).collect()
    }

    /// A digest of which files these are, and of what they hold.
    pub(crate) fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (_, InputFile { place, bytes, mark, .. }) in &self.files {
            digest.update(format!("{place}\0{bytes}\0{}\n", hash_of(mark)));
        }
        hex(&digest.finalize())
    }
}

fn times_of(file: &InputFile) -> Option<(i64, i64)> {
    file.first_event.zip(file.last_event)
}

/// The length of a file, and its mark: modification time and BLAKE3 hash, or
/// the ETag of an object. A file is hashed again only where its time or its
/// length is another.
fn identity(
    path: &Path,
    before: Option<&InputFile>,
    cancelled: &dyn Fn() -> bool,
) -> Result<(u64, String), BatchError> {
    if is_url(path) {
        let object = RemoteFile::open(path)?;
        return Ok((object.len(), format!("0 etag:{}", object.etag().unwrap_or_default())));
    }
    let failed = |error| BatchError::reading(path, error);
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |time| time.as_nanos());
    let same = before.filter(|before| {
        before.bytes == metadata.len()
            && before.mark.split(' ').next() == Some(&*modified.to_string())
    });
    if let Some(before) = same {
        return Ok((metadata.len(), before.mark.clone()));
    }
    let (bytes, hash) = file_hash(path, cancelled)?;
    Ok((bytes, format!("{modified} blake3:{hash}")))
}

fn hash_of(mark: &str) -> &str {
    mark.rsplit(' ').next().unwrap_or(mark)
}

/// How many rows a file has, and its least and greatest event time.
fn event_times(
    source: &SourcePlan,
    path: &Path,
    cancelled: &dyn Fn() -> bool,
) -> Result<(u64, Option<(i64, i64)>), BatchError> {
    let column = &source.fields[source.event_timestamp].column;
    let mut table = TableReader::open(path, None, Some(std::slice::from_ref(column)), cancelled)?;
    let Some((at, field)) = table.schema().column_with_name(column) else {
        // Whoever reads its rows says what is missing.
        return Ok((0, None));
    };
    let Some(reader) = ColumnReader::new(field.data_type(), &DataType::Timestamp) else {
        return Ok((0, None));
    };
    let (mut rows, mut times) = (0, None);
    while let Some((_, batch)) = table.next_batch()? {
        if cancelled() {
            return Err(BatchError::Cancelled);
        }
        rows += batch.num_rows() as u64;
        let read = reader.read(batch.column(at));
        let (column, _) = read.map_err(|source| BatchError::Rows { path: path.into(), source })?;
        let column = column.as_primitive::<TimestampMicrosecondType>();
        for time in column.iter().flatten() {
            let (first, last) = times.unwrap_or((time, time));
            times = Some((time.min(first), time.max(last)));
        }
    }
    Ok((rows, times))
}
