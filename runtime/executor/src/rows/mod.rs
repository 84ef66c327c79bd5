//! Rows of sources: from the columns of a file to the rows that count, in the
//! order that breaks every tie.

mod acceptance;
mod all_rows;
mod canonical;
mod canonical_nan;
mod column_reader;
mod dead_letter;
mod entities;
mod error;
mod missing_fields;
mod source_reader;

pub use acceptance::{Acceptance, AcceptedRows};
pub use all_rows::LogRecord;
pub use canonical::CanonicalBytes;
pub use column_reader::ColumnReader;
pub use dead_letter::{DeadLetter, DeadLetterReason};
pub use entities::Entities;
pub use error::RowsError;
pub use missing_fields::MissingFields;
pub use source_reader::{FieldFault, SourceReader, SourceRows, source_schema};
