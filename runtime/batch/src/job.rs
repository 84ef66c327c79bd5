use std::fmt;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use unskew_definition::{DataType, ModuleDigest};
use unskew_executor::{ColumnMapping, OnError};

use crate::format::FileFormat;

/// One transform over one file: what is read, what is written, and what
/// becomes of failed rows.
#[derive(Clone, Debug)]
pub struct Job {
    /// The file that is read.
    pub input: PathBuf,
    /// Its format, where its name does not tell it.
    pub input_format: Option<FileFormat>,
    /// Types of columns of a text file. Columns that feed the transform have
    /// their argument's type without that.
    pub types: Vec<(String, DataType)>,
    /// Which column feeds which argument, where their names differ.
    pub columns: ColumnMapping,
    /// The file that is written: input columns, then the transform's outputs.
    pub output: PathBuf,
    /// Its format, where its name does not tell it.
    pub output_format: Option<FileFormat>,
    /// How a Parquet output is compressed.
    pub compression: Option<ParquetCompression>,
    /// The input columns that the output keeps; all of them without that.
    pub select: Option<Vec<String>>,
    /// Pairs of an output of the transform and the name of its column.
    pub output_names: Vec<(String, String)>,
    /// What becomes of failed rows.
    pub on_error: OnError,
    /// Pairs of an output and the text of its default.
    pub defaults: Vec<(String, String)>,
    /// How many rows may fail.
    pub max_errors: Option<u64>,
    /// Where failed rows are listed.
    pub errors: Option<PathBuf>,
    /// How many batches are evaluated at a time; one for each core without that.
    pub threads: Option<NonZero<usize>>,
    /// The module that computes, recorded in a Parquet output.
    pub digest: Option<ModuleDigest>,
}

impl Job {
    /// A job with the default of everything else.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        Self {
            input: input.into(),
            input_format: None,
            types: Vec::new(),
            columns: ColumnMapping::default(),
            output: output.into(),
            output_format: None,
            compression: None,
            select: None,
            output_names: Vec::new(),
            on_error: OnError::default(),
            defaults: Vec::new(),
            max_errors: None,
            errors: None,
            threads: None,
            digest: None,
        }
    }
}

/// How a Parquet file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParquetCompression {
    /// Not at all.
    None,
    /// Snappy: fast, and read by everything.
    Snappy,
    /// Zstandard at level 1: smaller, and hardly slower.
    #[default]
    Zstd,
}

impl ParquetCompression {
    const NAMES: [(&'static str, Self); 3] =
        [("none", Self::None), ("snappy", Self::Snappy), ("zstd", Self::Zstd)];
}

impl fmt::Display for ParquetCompression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            Self::NAMES.iter().find(|(_, value)| value == self).map_or("?", |(name, _)| name);
        f.write_str(name)
    }
}

/// A text is no [`ParquetCompression`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no compression of Parquet: none, snappy or zstd")]
pub struct ParseCompressionError(String);

impl FromStr for ParquetCompression {
    type Err = ParseCompressionError;
    fn from_str(text: &str) -> Result<Self, ParseCompressionError> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| ParseCompressionError(text.to_owned()))
    }
}
