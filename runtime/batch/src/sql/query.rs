//! The rows of a query, as they come.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt as _;
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use unskew_column::arrow_name;

use crate::error::BatchError;
use crate::sql::error::SqlError;
use crate::sql::table_files::TableFiles;
use crate::table_reader::TableReader;

/// How often a waiting caller looks whether it is cancelled.
const POLL: Duration = Duration::from_millis(50);

/// The threads of a session. What still runs on them when it ends is left
/// behind: it must not hold up who cancelled it.
pub(crate) struct Workers(Option<Runtime>);

impl Workers {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until this is dropped")
    }

    /// Waits for a future, which runs on this thread.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(future)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The rows of a query. Dropping them ends the query.
pub struct QueryRows {
    workers: Arc<Workers>,
    batches: Receiver<datafusion::common::Result<RecordBatch>>,
    /// What sends them; none once it has ended.
    sender: Option<JoinHandle<()>>,
    schema: SchemaRef,
    /// Where damage is looked for, if the reader finds some and says not where.
    files: Vec<Arc<TableFiles>>,
}

impl Drop for QueryRows {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.abort();
        }
    }
}

/// A column of a query's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueryColumn {
    /// Its name.
    pub name: String,
    /// Its type, in our spelling.
    #[serde(rename = "type")]
    pub data_type: String,
}

impl QueryRows {
    pub(crate) fn new(
        workers: Arc<Workers>,
        mut stream: SendableRecordBatchStream,
        files: Vec<Arc<TableFiles>>,
    ) -> Self {
        let fields = stream.schema().fields().iter().map(plain_field).collect::<Vec<_>>();
        let (send, batches) = channel(2);
        // On a thread of its own: an operator that works for long without a
        // pause must not keep the caller from seeing that it is cancelled.
        let sender = workers.runtime().spawn(async move {
            while let Some(batch) = stream.next().await {
                if send.send(batch).await.is_err() {
                    break;
                }
            }
        });
        let schema = Arc::new(Schema::new(fields));
        Self { workers, batches, sender: Some(sender), schema, files }
    }

    /// The columns, of types that every output can hold.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns by name and type.
    pub fn columns(&self) -> Vec<QueryColumn> {
        let columns = self.schema.fields().iter().map(|field| QueryColumn {
            name: field.name().clone(),
            data_type: arrow_name(field.data_type()),
        });
        columns.collect()
    }

    /// The next rows; `None` behind the last. `cancelled` is asked at least
    /// every tenth of a second.
    pub fn next_batch(
        &mut self,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<RecordBatch>, SqlError> {
        let next = loop {
            if cancelled() {
                return Err(SqlError::Cancelled);
            }
            let next =
                self.workers.wait(async { tokio::time::timeout(POLL, self.batches.recv()).await });
            if let Ok(next) = next {
                break next;
            }
        };
        match next {
            Some(Ok(batch)) => self.plain(&batch).map(Some),
            Some(Err(error)) => Err(located(SqlError::of(error), &self.files, cancelled)),
            None => self.ended(cancelled),
        }
    }

    /// Behind the last batch: nothing, or what ended the sender before its time.
    fn ended(&mut self, cancelled: &dyn Fn() -> bool) -> Result<Option<RecordBatch>, SqlError> {
        let Some(sender) = self.sender.take() else { return Ok(None) };
        match self.workers.wait(sender) {
            Ok(()) => Ok(None),
            // The Parquet reader panics on some damaged files.
            Err(error) => {
                let reason = error.to_string();
                Err(located(SqlError::Damaged { reason }, &self.files, cancelled))
            }
        }
    }

    fn plain(&self, batch: &RecordBatch) -> Result<RecordBatch, SqlError> {
        let internal =
            |error: arrow::error::ArrowError| SqlError::Internal { reason: error.to_string() };
        let columns = batch.columns().iter().zip(self.schema.fields()).map(|(column, field)| {
            match column.data_type() == field.data_type() {
                true => Ok(ArrayRef::clone(column)),
                false => cast(column, field.data_type()).map_err(internal),
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(internal)
    }
}

/// Says which file is damaged, where the reader did not.
pub(crate) fn located(
    error: SqlError,
    files: &[Arc<TableFiles>],
    cancelled: &dyn Fn() -> bool,
) -> SqlError {
    if !matches!(error, SqlError::Damaged { .. }) {
        return error;
    }
    for file in files.iter().flat_map(|files| &files.files) {
        let read = || -> Result<(), BatchError> {
            let mut table = TableReader::open_columns(&file.path, file.format, None, &[])?;
            while table.next_batch()?.is_some() {
                if cancelled() {
                    return Err(BatchError::Cancelled);
                }
            }
            Ok(())
        };
        match read() {
            Ok(()) => {}
            Err(BatchError::Cancelled) => return SqlError::Cancelled,
            Err(found) => return SqlError::Files(found),
        }
    }
    error
}

fn plain_field(field: &FieldRef) -> Field {
    Field::new(field.name(), plain_type(field.data_type()), true)
}

/// The type without DataFusion's own ways of holding texts.
fn plain_type(data_type: &ArrowType) -> ArrowType {
    let item = |field: &FieldRef| {
        let plain = plain_type(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(plain))
    };
    match data_type {
        ArrowType::Utf8View => ArrowType::Utf8,
        ArrowType::BinaryView => ArrowType::Binary,
        ArrowType::Dictionary(_, values) => plain_type(values),
        ArrowType::List(field) | ArrowType::ListView(field) => ArrowType::List(item(field)),
        ArrowType::LargeList(field) | ArrowType::LargeListView(field) => {
            ArrowType::LargeList(item(field))
        }
        ArrowType::FixedSizeList(field, length) => ArrowType::FixedSizeList(item(field), *length),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(item).collect()),
        other => other.clone(),
    }
}
