//! The batch driver: a file in, operators, a file out.
//!
//! It reads Parquet, CSV and JSON lines in pieces of bounded size, hands their
//! rows to the executor, and writes what comes of them; the output appears when
//! it is whole, or not at all. What a row yields is decided by the executor,
//! never here. See [`Job`] for what can be chosen and [`run`] for what is
//! promised.
//!
//! # What the formats hold
//!
//! | type | Parquet | CSV | JSON lines |
//! |---|---|---|---|
//! | bool, integers, floats, utf8 | yes | yes | yes |
//! | binary | yes | base64 | base64 |
//! | date32, timestamp | yes | `2024-02-29`, RFC 3339 | the same, as strings |
//! | decimal128 | yes | digits | digits, as a string |
//! | list, fixed_size_list, struct | yes | read only (as JSON in a field) | yes |
//!
//! [`unskew_executor::text`] has the form of every value. In CSV an empty field
//! is null and `""` an empty text; the first line names the columns. In JSON
//! lines a missing member is null.
//!
//! The output has the input's columns, then the transform's outputs. From CSV
//! to CSV and from JSON lines to JSON lines values are kept as they are spelled
//! (of JSON whole objects, blanks and all; of CSV the texts, quoted anew). Where
//! the output has types, a column of a text file gets that of [`Job::types`],
//! else that of the argument it feeds, else utf8; a CSV output gets the text.

mod csv_records;
mod error;
mod errors_file;
mod file_hash;
mod format;
mod job;
mod job_state;
mod json_object;
mod materialize;
mod open_file;
mod operator;
mod output;
mod output_file;
mod partition;
mod pipeline;
mod plan;
mod read_csv;
mod read_jsonl;
mod read_parquet;
mod remote;
mod resources;
mod run;
mod scan;
mod sink;
mod source;
mod source_files;
pub mod sql;
mod statistics;
mod summary;
mod table_reader;
mod table_writer;
mod text_input;
mod train;
mod write_parquet;
mod write_text;

pub use error::BatchError;
pub use format::{FileFormat, Packing, ParseFormatError};
pub use job::{Job, ParquetCompression, ParseCompressionError};
pub use materialize::{
    MaterializeJob, MaterializeProgress, MaterializeRange, MaterializeStores, MaterializeSummary,
    OfflineTables, PlannedSlice, ViewSummary, materialize,
};
pub use output_file::report_file_size_limit;
pub use remote::{ObjectPlace, is_url, object_place};
pub use resources::{DEFAULT_MEMORY_LIMIT_BYTES, Resources};
pub use run::run;
pub use source_files::source_files;
pub use statistics::{Number, OutputStatistics};
pub use summary::{Progress, Summary};
pub use table_reader::TableReader;
pub use table_writer::TableWriter;
pub use train::{
    FeatureSummary, InputFile, OfflineRows, Recipe, RecipeOptions, SourceSummary, TrainingCounters,
    TrainingJob, TrainingManifest, TrainingProgress, TrainingSummary, definitions_digest,
    features_of, look_at_inputs, modules_of, train,
};
