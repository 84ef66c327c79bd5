use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use unskew_definition::{ModuleDigest, Name};
use unskew_executor::Evaluator;

use crate::error::BatchError;
use crate::file_hash::file_hash;
use crate::output_file::OutputFile;
use crate::remote::{RemoteFile, is_url};

/// What a training set was made of, written beside it: enough to make the same
/// bytes again, and to see what differs where that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingManifest {
    /// The form of this document.
    pub training_manifest: u32,
    /// The evaluator id.
    pub evaluator_id: String,
    /// What it is made of.
    pub evaluator: Evaluator,
    /// What was built, of which definitions and modules.
    pub recipe: Recipe,
    /// The file of labels.
    pub labels: InputFile,
    /// The files of each source.
    pub sources: BTreeMap<Name, Vec<InputFile>>,
    /// What was written.
    pub output: InputFile,
    /// Rows of it.
    pub rows: u64,
}

/// The form of manifests that this version writes and reads.
pub(crate) const TRAINING_MANIFEST_FORM: u32 = 1;

/// What a training set is built of, beside files of rows. It is for the caller
/// to fill in and to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The project.
    pub project: PathBuf,
    /// The feature service.
    pub service: String,
    /// The features, in the order of their columns: `view@v1:feature`.
    pub features: Vec<String>,
    /// A digest of all definitions that the service reads.
    pub definitions: String,
    /// The modules that they call, by the names that the project gives them.
    pub modules: BTreeMap<Name, ModuleDigest>,
    /// The options of the command that change the output.
    pub options: RecipeOptions,
}

/// The options that change a training set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeOptions {
    /// The column of the labels' times.
    pub label_time: String,
    /// Columns of join keys and request fields under other names.
    pub columns: Vec<(String, String)>,
    /// Whether statuses were written.
    pub statuses: bool,
    /// Whether columns are named after their views, too.
    pub full_feature_names: bool,
    /// How a Parquet output is compressed: `none`, `snappy` or `zstd`.
    pub compression: String,
    /// The ending that tells the output's format, such as `parquet`.
    pub format: String,
}

/// A file, and what tells whether it is still the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// Its path, or its URL.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, of a file on a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// What an object store calls this version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// Whether a path is a pipe or a device: what was read from it is gone.
fn is_read_once(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

impl InputFile {
    /// Looks at a file: reads all of it, as long as nobody asks to stop. Of a
    /// pipe nothing is known.
    pub fn of(path: &Path, cancelled: &dyn Fn() -> bool) -> Result<Self, BatchError> {
        if is_url(path) {
            let object = RemoteFile::open(path)?;
            let etag = object.etag().map(str::to_owned);
            return Ok(Self { path: path.to_owned(), bytes: object.len(), blake3: None, etag });
        }
        if is_read_once(path) {
            return Ok(Self { path: path.to_owned(), bytes: 0, blake3: None, etag: None });
        }
        let (bytes, hash) = file_hash(path, cancelled)?;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { path, bytes, blake3: Some(hash), etag: None })
    }

    /// How this file differs from what was recorded of it, in words; none if
    /// it does not. Where it lies is not looked at.
    pub fn difference(&self, recorded: &Self) -> Option<String> {
        let Self { path: _, bytes, blake3, etag } = self;
        if recorded.blake3.is_none() && recorded.etag.is_none() {
            return Some("it was no file but a pipe, which cannot be read again".to_owned());
        }
        if *bytes != recorded.bytes {
            return Some(format!("it has {bytes} bytes, and had {}", recorded.bytes));
        }
        let is_other = |now: &Option<String>, before: &Option<String>| match (now, before) {
            (Some(now), Some(before)) => now != before,
            _ => false,
        };
        if is_other(blake3, &recorded.blake3) || is_other(etag, &recorded.etag) {
            return Some(format!("it has as many bytes ({bytes}) as before, but other ones"));
        }
        None
    }
}

impl TrainingManifest {
    /// Where the manifest of an output lies; none beside a pipe or a device.
    pub fn path_of(output: &Path) -> Option<PathBuf> {
        if is_read_once(output) {
            return None;
        }
        let mut path = output.as_os_str().to_owned();
        path.push(".manifest.json");
        Some(path.into())
    }

    /// Reads a manifest.
    pub fn read(path: &Path) -> Result<Self, BatchError> {
        let text = fs::read_to_string(path).map_err(|error| BatchError::reading(path, error))?;
        let wrong = |reason: String| BatchError::WrongFile { path: path.to_owned(), reason };
        let manifest: Self = serde_json::from_str(&text).map_err(|error| {
            wrong(format!(
                "it is no manifest of a training set ({error}); give the file that `unskew train` wrote beside its output"
            ))
        })?;
        if manifest.training_manifest != TRAINING_MANIFEST_FORM {
            return Err(wrong(format!(
                "it is of form {}, this version reads form {TRAINING_MANIFEST_FORM}; use the version of Unskew that wrote it ({})",
                manifest.training_manifest, manifest.evaluator.unskew
            )));
        }
        Ok(manifest)
    }

    /// Writes it beside the output, whole or not at all.
    pub(crate) fn write(&self, output: &Path) -> Result<(), BatchError> {
        let Some(path) = Self::path_of(output) else { return Ok(()) };
        let internal = |error: serde_json::Error| BatchError::Internal {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut text = serde_json::to_vec_pretty(self).map_err(internal)?;
        text.push(b'\n');
        let mut file = OutputFile::create(&path)?;
        file.write_all(&text).map_err(|error| file.failure().error(error))?;
        file.sync()?;
        file.commit()
    }

    /// Removes the manifest of an output that is about to be written anew.
    pub(crate) fn remove(output: &Path) -> Result<(), BatchError> {
        let Some(path) = Self::path_of(output) else { return Ok(()) };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(BatchError::writing(&path, error))
            }
            _ => Ok(()),
        }
    }

    /// What is not as it was, each in words that name it; `now` is the same
    /// training set as it would be made now. Its output is not looked at.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.evaluator_id != now.evaluator_id {
            found.push(format!(
                "the evaluator was {}, and is {}",
                self.evaluator_id, now.evaluator_id
            ));
        }
        for (name, digest) in &self.recipe.modules {
            match now.recipe.modules.get(name) {
                Some(other) if other == digest => {}
                Some(other) => found.push(format!("module {name} was {digest}, and is {other}")),
                None => found.push(format!("module {name} ({digest}) is not needed any more")),
            }
        }
        for (name, digest) in &now.recipe.modules {
            if !self.recipe.modules.contains_key(name) {
                found.push(format!("module {name} ({digest}) was not needed before"));
            }
        }
        if self.recipe.features != now.recipe.features {
            found.push(format!(
                "the service's features were {}, and are {}",
                self.recipe.features.join(", "),
                now.recipe.features.join(", ")
            ));
        }
        if self.recipe.definitions != now.recipe.definitions {
            found.push("the definitions that the service reads have changed".to_owned());
        }
        let mut compare = |what: String, before: &InputFile, now: &InputFile| {
            if let Some(difference) = now.difference(before) {
                found.push(format!("{what} {} has changed: {difference}", now.path.display()));
            }
        };
        compare("the file of labels".to_owned(), &self.labels, &now.labels);
        for (source, before) in &self.sources {
            let files = now.sources.get(source).map_or(&[][..], Vec::as_slice);
            if before.len() == files.len() {
                for (before, now) in before.iter().zip(files) {
                    compare(format!("source {source}: the file"), before, now);
                }
            }
        }
        for (source, before) in &self.sources {
            let files = now.sources.get(source).map_or(0, Vec::len);
            if before.len() != files {
                found.push(format!("source {source} had {} files, and has {files}", before.len()));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_is_told_apart_by_size_or_by_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let look = |text: &str| {
            fs::write(&path, text).unwrap();
            InputFile::of(&path, &|| false).unwrap()
        };
        let first = look("a,b\n1,2\n");
        assert_eq!(first.difference(&look("a,b\n1,2\n")), None);
        let longer = look("a,b\n1,22\n").difference(&first).unwrap();
        assert!(longer.contains("has 9 bytes, and had 8"), "{longer}");
        let other = look("a,b\n1,3\n").difference(&first).unwrap();
        assert!(other.contains("other ones"), "{other}");
        assert!(matches!(InputFile::of(&path, &|| true).unwrap_err(), BatchError::Cancelled));
    }
}
