//! A source of the project as a table of SQL: its fields, by their names and
//! types, of every row of its files.
//!
//! Rows stand as they lie in the files: none is left out as late or as a copy,
//! which is for views to decide. A value that cannot be read is null and
//! counted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::PartitionStream;
use unskew_executor::rows::{SourceReader, source_schema};
use unskew_plan::SourcePlan;

use crate::error::BatchError;
use crate::sql::file_table::{Send, blocking_stream, scan_files};
use crate::sql::row_failures::RowFailures;
use crate::table_reader::TableReader;

/// Reads a source's files by the reader that every driver reads them by.
#[derive(Debug)]
pub(crate) struct SourceTable {
    source: Arc<SourcePlan>,
    files: Arc<[PathBuf]>,
    schema: SchemaRef,
    failures: RowFailures,
}

impl SourceTable {
    pub(crate) fn new(source: Arc<SourcePlan>, files: Vec<PathBuf>, failures: RowFailures) -> Self {
        let schema = source_schema(&source);
        Self { source, files: files.into(), schema, failures }
    }
}

/// The source as if it had these fields alone.
fn with_fields(source: &SourcePlan, fields: &[usize]) -> SourcePlan {
    let moved = |field: Option<usize>| fields.iter().position(|known| Some(*known) == field);
    SourcePlan {
        fields: fields.iter().map(|field| source.fields[*field].clone()).collect(),
        partition: moved(source.partition),
        offset: moved(source.offset),
        ..source.clone()
    }
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
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
        let fields = match projection {
            Some(fields) => fields.clone(),
            None => (0..self.source.fields.len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&fields)?);
        let source = Arc::new(with_fields(&self.source, &fields));
        scan_files(&schema, self.files.len(), state, limit, |which| {
            Arc::new(SourceStream {
                source: Arc::clone(&source),
                files: which.into_iter().map(|at| self.files[at].clone()).collect(),
                schema: Arc::clone(&schema),
                failures: self.failures.clone(),
            })
        })
    }
}

#[derive(Debug)]
struct SourceStream {
    source: Arc<SourcePlan>,
    files: Vec<PathBuf>,
    schema: SchemaRef,
    failures: RowFailures,
}

impl PartitionStream for SourceStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (source, files) = (Arc::clone(&self.source), self.files.clone());
        let failures = self.failures.clone();
        blocking_stream(Arc::clone(&self.schema), move |send| {
            for path in &files {
                if !read_file(&source, path, &failures, send)? {
                    break;
                }
            }
            Ok(())
        })
    }
}

fn read_file(
    source: &SourcePlan,
    path: &Path,
    failures: &RowFailures,
    send: &mut Send<'_>,
) -> std::result::Result<bool, BatchError> {
    let in_file = |error| BatchError::Rows { path: path.to_owned(), source: error };
    let columns: Vec<String> = source.fields.iter().map(|field| field.column.clone()).collect();
    let mut table = TableReader::open(path, None, Some(&columns), &|| false)?;
    let reader = SourceReader::new(source, table.schema()).map_err(in_file)?;
    while let Some((first_row, batch)) = table.next_batch()? {
        let rows = reader.read(&batch).map_err(in_file)?;
        failures.add_unreadable(
            &format!("source {}", source.name),
            rows.faults.len() as u64,
            || {
                let fault = &rows.faults[0];
                format!(
                    "{}, row {}, field {}: {}",
                    path.display(),
                    first_row + fault.row as u64,
                    source.fields[fault.field].name,
                    fault.reason
                )
            },
        );
        let batch: RecordBatch = rows.batch;
        if !send(batch) {
            return Ok(false);
        }
    }
    Ok(true)
}
