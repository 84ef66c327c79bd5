use unskew_column::row::RowCodecError;
use unskew_plan::ViewId;

/// Why what a store holds of a view cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoredError {
    /// A table lacks a column, or has it of another type.
    #[error(
        "the stored rows of view {view} {reason}; they were written by another definition or version: materialize the view anew"
    )]
    WrongTable {
        /// the view
        view: ViewId,
        /// what is wrong with the table
        reason: String,
    },
    /// A part of a record is damaged.
    #[error(
        "a stored {part} of view {view} cannot be read: {reason}; it is damaged or of another definition or version: materialize the view anew"
    )]
    DamagedPart {
        /// the view
        view: ViewId,
        /// row, tile, emitted window or folded slice
        part: &'static str,
        /// what is wrong with it
        reason: String,
    },
    /// Rows cannot be written.
    #[error("rows of view {view} cannot be stored: {source}")]
    Unwritable {
        /// the view
        view: ViewId,
        /// why
        source: RowCodecError,
    },
    /// Questions are not those that parts were read for.
    #[error("view {view} was read for questions at {read} us, and is asked about {asked} us")]
    OtherQuestions {
        /// the view
        view: ViewId,
        /// the time that was read for
        read: i64,
        /// the time of a question
        asked: i64,
    },
}
