//! Rows of sources: from the columns of a file to the rows that count, in the
//! order that breaks every tie.

mod acceptance;
mod accepted_rows;
mod all_rows;
mod canonical;
mod canonical_nan;
mod column_reader;
mod dead_letter;
mod dropped_rows;
mod entities;
mod error;
mod key_hash;
mod missing_fields;
mod origins;
mod row_judge;
mod source_reader;

pub use acceptance::Acceptance;
pub use accepted_rows::{AcceptedRows, OrderingReport};
pub use all_rows::LogRecord;
pub use canonical::CanonicalBytes;
pub use column_reader::ColumnReader;
pub use dead_letter::{DeadLetter, DeadLetterReason};
pub use dropped_rows::{DropRule, DroppedRows, dropped_rows};
pub use entities::Entities;
pub use error::RowsError;
pub use key_hash::key_hashes;
pub use missing_fields::MissingFields;
pub use origins::Origins;
pub use row_judge::{JudgedRows, RowJudge};
pub use source_reader::{FieldFault, SourceReader, SourceRows, source_schema};
