use arrow::error::ArrowError;
use unskew_definition::Name;

/// Why rows of a source, or questions about a service, could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// A file has no column for a field.
    #[error(
        "source {source_name}: no column {column:?} for the field {field}{hint}; the columns are {known}; name the right one in the source's fields (`column: ...`)"
    )]
    MissingColumn {
        /// the source
        source_name: Name,
        /// its field
        field: Name,
        /// the column that was looked for
        column: String,
        /// the columns that there are
        known: String,
        /// what may have been meant
        hint: String,
    },
    /// A file has several columns of one name.
    #[error("source {source_name}: there are two columns {column:?}; rename one of them")]
    AmbiguousColumn {
        /// the source
        source_name: Name,
        /// the columns' name
        column: String,
    },
    /// A column's values do not all fit the field's type.
    #[error(
        "source {source_name}: the column {column:?} is {found}, the field {field} {wanted}; declare the field as a type that holds every {found}, or convert the column before"
    )]
    WrongColumnType {
        /// the source
        source_name: Name,
        /// its field
        field: Name,
        /// the column
        column: String,
        /// the column's type
        found: String,
        /// the field's type
        wanted: String,
    },
    /// A bad row of a source with `bad_rows: refuse`.
    #[error(
        "source {source_name}: row {row} of {place}: {reason}; mend the row, or set `bad_rows: dead_letter` on the source to leave such rows out and count them"
    )]
    Refused {
        /// the source
        source_name: Name,
        /// the file
        place: String,
        /// the row, counted from 0
        row: u64,
        /// what is wrong with it
        reason: String,
    },
    /// Two different rows claim one place in the log.
    #[error(
        "source {source_name}: two different rows have partition {partition} and offset {offset}; each place of a log holds one record, so mend the files or the columns that are declared"
    )]
    OnePlaceTwice {
        /// the source
        source_name: Name,
        /// the partition
        partition: u32,
        /// the offset
        offset: i64,
    },
    /// More rows than fit one table in memory.
    #[error(
        "source {source_name}: more than {limit} rows do not fit one table in memory; give fewer files"
    )]
    TooManyRows {
        /// the source
        source_name: Name,
        /// how many fit
        limit: usize,
    },
    /// Arrow refused columns that should fit.
    #[error("columns could not be put together: {0}")]
    Arrow(#[from] ArrowError),
}
