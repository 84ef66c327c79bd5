use std::path::PathBuf;

/// Why no events were written.
#[derive(Debug, thiserror::Error)]
pub enum DatagenError {
    /// A number that is too small or too large.
    #[error("--{option} is {found}; give it a value from {least} to {most}")]
    OutOfRange {
        /// the option's name
        option: &'static str,
        /// what was given
        found: u64,
        /// the least that is allowed
        least: u64,
        /// the greatest that is allowed
        most: u64,
    },
    /// The output's folder or file cannot be written.
    #[error("cannot write {path}: {source}; check that its folder exists, is yours and has room")]
    Output {
        /// the output file
        path: PathBuf,
        /// what the system said
        source: std::io::Error,
    },
    /// The Parquet writer failed.
    #[error("cannot write {path} as Parquet: {source}")]
    Parquet {
        /// the output file
        path: PathBuf,
        /// what the writer said
        source: parquet::errors::ParquetError,
    },
}

impl DatagenError {
    /// Whether the caller can mend it by asking otherwise.
    pub fn is_users_mistake(&self) -> bool {
        matches!(self, Self::OutOfRange { .. } | Self::Output { .. })
    }
}
