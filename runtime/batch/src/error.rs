use std::io;
use std::path::{Path, PathBuf};

use unskew_executor::rows::RowsError;
use unskew_executor::text::UnprintableType;
use unskew_executor::{ArgumentError, EvaluationError, PolicyError, TransformError};
use unskew_host::{CallError, RowStatus};

/// Why a batch job yields no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// A file cannot be opened or read.
    #[error("{}: cannot be read: {}", path.display(), reason(source))]
    Read {
        /// the file
        path: PathBuf,
        /// what the system says
        source: io::Error,
    },
    /// A folder, where a file was expected.
    #[error("{}: is a folder; give a file", path.display())]
    IsFolder {
        /// the folder
        path: PathBuf,
    },
    /// Neither its name nor an option says what format a file has.
    #[error(
        "{}: what format is it? Its name has none of the endings {}; give {option}", path.display(),
        crate::format::ENDINGS
    )]
    UnknownFormat {
        /// the file
        path: PathBuf,
        /// the option that would say it
        option: &'static str,
    },
    /// Two of the input, the output and the errors file are the same.
    #[error("{}: {second} would overwrite {first}; give another path", path.display())]
    SameFile {
        /// the file
        path: PathBuf,
        /// what it is first
        first: &'static str,
        /// what it would be, too
        second: &'static str,
    },
    /// The input can be read only once, which is too little.
    #[error("{}: is no regular file; {needs}: save it to a file first", path.display())]
    NotRegular {
        /// the input
        path: PathBuf,
        /// why that is not enough
        needs: &'static str,
    },
    /// A file cannot be created.
    #[error("{}: cannot be created: {}", path.display(), reason(source))]
    Create {
        /// the file
        path: PathBuf,
        /// what the system says
        source: io::Error,
    },
    /// The disk, or what the user may use of it, is full.
    #[error(
        "{}: cannot be written: {}; nothing of it was kept: make room, or give a path on another disk",
        path.display(), reason(source)
    )]
    DiskFull {
        /// the file
        path: PathBuf,
        /// what the system says
        source: io::Error,
    },
    /// A file cannot be written for another reason.
    #[error("{}: cannot be written: {}", path.display(), reason(source))]
    Write {
        /// the file
        path: PathBuf,
        /// what the system says
        source: io::Error,
    },
    /// The file is not what its name or the options say, or it is damaged.
    #[error("{}: {reason}", path.display())]
    WrongFile {
        /// the file
        path: PathBuf,
        /// what is wrong, and what to do
        reason: String,
    },
    /// A row group of a Parquet file cannot be read.
    #[error("{}, row group {row_group} (from row {first_row}): {reason}", path.display())]
    RowGroup {
        /// the file
        path: PathBuf,
        /// counted from 0
        row_group: usize,
        /// its first row in the file, counted from 0
        first_row: u64,
        /// what is wrong, and what to do
        reason: String,
    },
    /// A line of a text file cannot be read.
    #[error("{}, line {line}{}: {reason}", path.display(), in_column(column.as_deref()))]
    Line {
        /// the file
        path: PathBuf,
        /// counted from 1
        line: u64,
        /// the column or field, where it is one
        column: Option<String>,
        /// what is wrong, and what to do
        reason: String,
    },
    /// The transform's arguments cannot be fed from the input's columns.
    #[error("{}: {source}{}", path.display(), mapping_advice(source))]
    Arguments {
        /// the input
        path: PathBuf,
        /// what does not fit
        source: Box<ArgumentError>,
    },
    /// The policy for failed rows cannot be followed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// An option names a column that the input has not.
    #[error("{}: there is no column {column:?}, which {option} names; the columns: {known}", path.display())]
    NoSuchColumn {
        /// the input
        path: PathBuf,
        /// the column
        column: String,
        /// the option
        option: &'static str,
        /// the columns there are
        known: String,
    },
    /// An option names an output that the transform has not.
    #[error(
        "transform {transform} has no output {output:?}, which {option} names; its outputs: {known}"
    )]
    NoSuchOutput {
        /// the transform
        transform: String,
        /// the output
        output: String,
        /// the option
        option: &'static str,
        /// the outputs there are
        known: String,
    },
    /// Two columns of the output file would have one name.
    #[error("two columns of the output would be named {column:?}: {which}; {advice}")]
    NameClash {
        /// the name
        column: String,
        /// which they are
        which: String,
        /// what to do
        advice: String,
    },
    /// An option that does not go with the input or the output.
    #[error("{0}")]
    WrongOption(String),
    /// The output's format cannot hold a column.
    #[error(
        "{}: column {column:?}: {source}; write Parquet or JSON lines, or leave the column out with --select",
        path.display()
    )]
    Unprintable {
        /// the output
        path: PathBuf,
        /// the column
        column: String,
        /// why
        source: UnprintableType,
    },
    /// Parquet cannot hold the output's columns.
    #[error("{}: the columns cannot be written as Parquet: {reason}", path.display())]
    Unwritable {
        /// the output
        path: PathBuf,
        /// why
        reason: String,
    },
    /// A row failed, and rows must not.
    #[error(
        "{}, row {row}: transform {transform}: {status}: {message}; the job was stopped, as --on-error fail asks, and no output was written",
        path.display()
    )]
    RowFailed {
        /// the input
        path: PathBuf,
        /// counted from 0
        row: u64,
        /// the transform
        transform: String,
        /// how it failed
        status: RowStatus,
        /// why
        message: String,
    },
    /// More rows failed than the user bears.
    #[error(
        "{}: transform {transform}: more than {limit} rows failed, the first: {first}; the job was stopped, as --max-errors asks, and no output was written{}",
        path.display(), listed_in(errors_file.as_deref(), *limit)
    )]
    TooManyErrors {
        /// the input
        path: PathBuf,
        /// the transform
        transform: String,
        /// how many were allowed
        limit: u64,
        /// the first failed row, with its status and message
        first: String,
        /// where the first `limit + 1` failed rows are listed, if anywhere
        errors_file: Option<PathBuf>,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A batch has no outcome: the host's trouble.
    #[error("{}, rows {first_row} to {last_row}: {source}", path.display())]
    Evaluate {
        /// the input
        path: PathBuf,
        /// counted from 0
        first_row: u64,
        /// counted from 0
        last_row: u64,
        /// what happened
        source: TransformError,
    },
    /// A source has no files that can be read.
    #[error("source {source_name}: {reason}")]
    WrongSource {
        /// the source
        source_name: String,
        /// what is wrong, and what to do
        reason: String,
    },
    /// A file in an object store cannot be read.
    #[error("{}: cannot be read: {reason}", place.display())]
    Remote {
        /// its URL
        place: PathBuf,
        /// what the store says, and what to do
        reason: String,
        /// whether what was given is to blame
        is_users: bool,
    },
    /// The files of a table do not make one.
    #[error("table {table}: {reason}")]
    WrongTable {
        /// the table
        table: String,
        /// what is wrong, and what to do
        reason: String,
    },
    /// Rows of a file do not make rows of a source.
    #[error("{}: {source}", path.display())]
    Rows {
        /// the file
        path: PathBuf,
        /// what is wrong
        source: RowsError,
    },
    /// A service cannot be evaluated.
    #[error(transparent)]
    Training {
        /// what is wrong
        source: Box<EvaluationError>,
    },
    /// The times that are to be materialized make no sense.
    #[error("{reason}")]
    WrongRange {
        /// what is wrong, and what to do
        reason: String,
    },
    /// The online or the offline store failed.
    #[error(transparent)]
    Store(#[from] unskew_store::StoreError),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] unskew_registry::RegistryError),
    /// A plan could not be run: the machine's or our own fault.
    #[error("the training set cannot be built: {reason}")]
    Plan {
        /// what happened
        reason: String,
    },
    /// Columns that were not read would decide between rows of one entity and
    /// one time; the job is begun again, and reads them.
    #[error(
        "source {source_name}: rows of one entity and one time differ in columns that were not read"
    )]
    UnreadColumns {
        /// the source
        source_name: String,
    },
    /// A mistake in Unskew itself.
    #[error("{path}: internal error: {reason}; please report it", path = path.display())]
    Internal {
        /// the file that was worked on
        path: PathBuf,
        /// what happened
        reason: String,
    },
}

impl BatchError {
    /// Whether what was given is to blame, not the machine or Unskew.
    pub fn is_users(&self) -> bool {
        match self {
            Self::Read { source, .. } | Self::Create { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::InvalidFilename
                    | io::ErrorKind::ReadOnlyFilesystem
            ),
            Self::IsFolder { .. }
            | Self::UnknownFormat { .. }
            | Self::SameFile { .. }
            | Self::NotRegular { .. }
            | Self::WrongFile { .. }
            | Self::RowGroup { .. }
            | Self::Line { .. }
            | Self::Arguments { .. }
            | Self::Policy(_)
            | Self::NoSuchColumn { .. }
            | Self::NoSuchOutput { .. }
            | Self::NameClash { .. }
            | Self::WrongOption(_)
            | Self::Unprintable { .. }
            | Self::Unwritable { .. }
            | Self::RowFailed { .. }
            | Self::TooManyErrors { .. }
            | Self::WrongSource { .. }
            | Self::WrongRange { .. }
            | Self::Store(_)
            | Self::Registry(_)
            | Self::WrongTable { .. }
            | Self::Rows { .. } => true,
            Self::Training { source } => source.is_users(),
            Self::Remote { is_users, .. } => *is_users,
            Self::Evaluate { source, .. } => matches!(
                source,
                TransformError::Column { .. }
                    | TransformError::Call(CallError::OutcomeTooLarge { .. })
            ),
            Self::DiskFull { .. }
            | Self::Write { .. }
            | Self::Cancelled
            | Self::Plan { .. }
            | Self::UnreadColumns { .. }
            | Self::Internal { .. } => false,
        }
    }

    /// A service that cannot be evaluated.
    pub(crate) fn training(source: EvaluationError) -> Self {
        Self::Training { source: Box::new(source) }
    }

    /// The same; `label` is the number of the label that asked a question.
    pub(crate) fn at_label(mut source: EvaluationError, label: impl Fn(usize) -> usize) -> Self {
        if let EvaluationError::RowFailed { place, .. } = &mut source
            && let Some(question) = place.strip_prefix("question ")
            && let Ok(question) = question.parse::<usize>()
        {
            *place = format!("label {}", label(question));
        }
        Self::training(source)
    }

    /// From what the system says about reading `path`.
    pub(crate) fn reading(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::IsADirectory => Self::IsFolder { path: path.to_owned() },
            _ => Self::Read { path: path.to_owned(), source },
        }
    }

    /// From what the system says about writing `path`.
    pub(crate) fn writing(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull { path, source },
            _ => Self::Write { path, source },
        }
    }
}

/// What the system says, without the number that Rust puts behind it.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        io::ErrorKind::FileTooLarge => {
            "the file would be larger than the system allows (see `ulimit -f`)".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => error.to_string(),
    }
}

fn in_column(column: Option<&str>) -> String {
    column.map_or_else(String::new, |column| format!(", column {column:?}"))
}

fn listed_in(errors_file: Option<&Path>, limit: u64) -> String {
    let rows = limit.saturating_add(1);
    errors_file.map_or_else(String::new, |path| {
        format!("; the first {rows} failed rows are listed in {}", path.display())
    })
}

fn mapping_advice(error: &ArgumentError) -> &'static str {
    match error {
        ArgumentError::MissingColumn { .. } => " (another column feeds it by --column ARG=COLUMN)",
        _ => "",
    }
}
