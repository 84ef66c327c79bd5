//! Files of any format as a table of SQL.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use unskew_column::Conversion;
use unskew_executor::fitting_type;

use crate::error::BatchError;
use crate::sql::table_files::{TableFile, TableFiles};
use crate::table_reader::TableReader;

/// Reads the wanted columns of its files, several files at a time, by the
/// readers of `unskew run`.
#[derive(Clone, Debug)]
pub(crate) struct FileTable {
    files: Arc<TableFiles>,
}

impl FileTable {
    pub(crate) fn new(files: Arc<TableFiles>) -> Self {
        Self { files }
    }
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.files.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.files.schema.project(columns)?),
            None => Arc::clone(&self.files.schema),
        };
        scan_files(&schema, self.files.files.len(), state, limit, |which| {
            let (files, schema) = (Arc::clone(&self.files), Arc::clone(&schema));
            Arc::new(FileStream { files, which, schema })
        })
    }
}

/// The scan of `count` files, several at a time: `stream` reads those that it
/// is given, one after the other.
pub(crate) fn scan_files(
    schema: &SchemaRef,
    count: usize,
    state: &dyn Session,
    limit: Option<usize>,
    stream: impl Fn(Vec<usize>) -> Arc<dyn PartitionStream>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let partitions = state.config().target_partitions().clamp(1, count.max(1));
    let streams = (0..partitions).map(|first| stream((first..count).step_by(partitions).collect()));
    let (streams, no_order) = (streams.collect(), Vec::new());
    let exec = StreamingTableExec::try_new(schema.clone(), streams, None, no_order, false, limit)?;
    Ok(Arc::new(exec))
}

/// Some of a table's files, one after the other.
#[derive(Debug)]
struct FileStream {
    files: Arc<TableFiles>,
    which: Vec<usize>,
    schema: SchemaRef,
}

impl PartitionStream for FileStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let files = Arc::clone(&self.files);
        let schema = Arc::clone(&self.schema);
        let which = self.which.clone();
        blocking_stream(Arc::clone(&self.schema), move |send| {
            for at in which {
                if !read_file(&files, &files.files[at], &schema, send)? {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// Hands a batch on; false when nobody wants more.
pub(crate) type Send<'a> = dyn FnMut(RecordBatch) -> bool + 'a;

/// The batches that `read` sends, which runs on a thread where it may wait.
pub(crate) fn blocking_stream(
    schema: SchemaRef,
    read: impl FnOnce(&mut Send<'_>) -> std::result::Result<(), BatchError>
    + std::marker::Send
    + 'static,
) -> SendableRecordBatchStream {
    // Two batches ahead: reading goes on while the last one is worked on.
    let mut builder = RecordBatchReceiverStream::builder(schema, 2);
    let sender = builder.tx();
    builder.spawn_blocking(move || {
        let mut send = |batch| sender.blocking_send(Ok(batch)).is_ok();
        read(&mut send).map_err(|error| DataFusionError::External(Box::new(error)))
    });
    builder.build()
}

/// Sends the rows of one file; false when nobody wants more.
fn read_file(
    files: &TableFiles,
    file: &TableFile,
    wanted: &Schema,
    send: &mut Send<'_>,
) -> std::result::Result<bool, BatchError> {
    let schema = Arc::new(wanted.clone());
    let columns: Vec<String> = wanted.fields().iter().map(|field| field.name().clone()).collect();
    let mut table =
        TableReader::open_columns(&file.path, file.format, Some(&columns), &files.types)?;
    let sources: Vec<ColumnSource> = wanted
        .fields()
        .iter()
        .map(|field| ColumnSource::of(field, table.schema(), &file.path))
        .collect::<std::result::Result<_, _>>()?;
    while let Some((first_row, batch)) = table.next_batch()? {
        let columns = sources
            .iter()
            .zip(wanted.fields())
            .map(|(source, field)| source.column(&batch, field, &file.path, first_row))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch =
            RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options).map_err(
                |error| BatchError::Internal { path: file.path.clone(), reason: error.to_string() },
            )?;
        if !send(batch) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where a column of the table comes from in one file.
enum ColumnSource {
    Missing,
    AsItIs(usize),
    Converted(usize, Conversion),
}

impl ColumnSource {
    fn of(field: &FieldRef, file: &Schema, path: &Path) -> std::result::Result<Self, BatchError> {
        let Some((at, found)) = file.column_with_name(field.name()) else {
            return Ok(Self::Missing);
        };
        if found.data_type() == field.data_type() {
            return Ok(Self::AsItIs(at));
        }
        let conversion = fitting_type(field.data_type())
            .and_then(|wanted| Conversion::between(found.data_type(), &wanted));
        match conversion {
            Some(conversion) => Ok(Self::Converted(at, conversion)),
            // The file has changed since its columns were looked at.
            None => Err(BatchError::WrongFile {
                path: path.to_owned(),
                reason: format!(
                    "column {:?} is {} now, it was {}; is the file being written?",
                    field.name(),
                    found.data_type(),
                    field.data_type()
                ),
            }),
        }
    }

    fn column(
        &self,
        batch: &RecordBatch,
        field: &FieldRef,
        path: &Path,
        first_row: u64,
    ) -> std::result::Result<ArrayRef, BatchError> {
        match self {
            Self::Missing => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Self::AsItIs(at) => Ok(Arc::clone(batch.column(*at))),
            Self::Converted(at, conversion) => {
                let (column, faults) = conversion.apply(batch.column(*at)).map_err(|error| {
                    BatchError::Internal { path: path.to_owned(), reason: error.to_string() }
                })?;
                match faults.first() {
                    None => Ok(column),
                    Some(fault) => Err(BatchError::WrongFile {
                        path: path.to_owned(),
                        reason: format!(
                            "row {}, column {:?}: {}",
                            first_row + fault.row as u64,
                            field.name(),
                            fault.reason
                        ),
                    }),
                }
            }
        }
    }
}
