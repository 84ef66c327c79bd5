use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use unskew_executor::text::TextForm;

use crate::error::BatchError;
use crate::format::FileFormat;
use crate::job::ParquetCompression;
use crate::sink::{Encode, Sink};
use crate::write_parquet::{ParquetEncoder, ParquetSink};
use crate::write_text::{CsvEncoder, JsonEncoder, TextSink, check_printable, csv_header};

/// A file that is being written, in any format.
pub(crate) struct Output {
    pub(crate) encoder: Box<dyn Encode>,
    pub(crate) sink: Box<dyn Sink>,
}

impl Output {
    /// Creates the file, having refused columns that its format cannot hold.
    ///
    /// The first `kept` columns of `schema` come from the input, the others
    /// from the transform. `threads` encode columns, where the format has such.
    pub(crate) fn create(
        path: &Path,
        format: FileFormat,
        schema: &SchemaRef,
        kept: usize,
        compression: ParquetCompression,
        threads: usize,
    ) -> Result<Self, BatchError> {
        let (encoder, sink): (Box<dyn Encode>, Box<dyn Sink>) = match format {
            FileFormat::Parquet => {
                let sink = ParquetSink::create(path, schema, compression, threads)?;
                (Box::new(ParquetEncoder::new(path, schema)), Box::new(sink))
            }
            FileFormat::Csv(packing) => {
                check_printable(path, schema.fields(), TextForm::Bare)?;
                let sink = TextSink::create(path, packing, &csv_header(schema))?;
                (Box::new(CsvEncoder::new(path)), Box::new(sink))
            }
            FileFormat::JsonLines(packing) => {
                check_printable(path, schema.fields(), TextForm::Json)?;
                refuse_twins(schema)?;
                let sink = TextSink::create(path, packing, b"")?;
                let (kept, outputs) = schema.fields().split_at(kept);
                (Box::new(JsonEncoder::new(path, kept, outputs)), Box::new(sink))
            }
        };
        Ok(Self { encoder, sink })
    }
}

/// A Parquet file may have two columns of a name; an object may not.
fn refuse_twins(schema: &Arc<Schema>) -> Result<(), BatchError> {
    let mut names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(twins) => Err(BatchError::NameClash {
            column: twins[0].to_owned(),
            which: "two columns of the input".to_owned(),
            advice: "keep only others (--select), or write Parquet".to_owned(),
        }),
    }
}
