use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use unskew_executor::rows::{SourceReader, SourceRows};
use unskew_plan::SourcePlan;

use crate::error::BatchError;
use crate::read_parquet::{ParquetFile, guarded};
use crate::scan::positioned_file::PositionedFile;
use crate::table_reader::TableReader;

/// A piece of a source's files that one thread reads from its beginning to its
/// end.
#[derive(Debug)]
pub(crate) enum Unit {
    Parquet(ParquetGroups),
    /// A whole file.
    Table {
        file: usize,
        path: PathBuf,
    },
}

/// Row groups of a Parquet file.
#[derive(Debug)]
pub(crate) struct ParquetGroups {
    pub(crate) file: usize,
    pub(crate) opened: Arc<ParquetFile>,
    pub(crate) content: PositionedFile,
    /// Each with its first row in the file.
    pub(crate) groups: Vec<(usize, u64)>,
    pub(crate) rows: u64,
}

/// A unit while it is read.
pub(crate) struct OpenUnit {
    pub(crate) file: usize,
    path: PathBuf,
    reader: SourceReader,
    content: OpenContent,
}

enum OpenContent {
    Parquet {
        opened: Arc<ParquetFile>,
        content: PositionedFile,
        groups: std::vec::IntoIter<(usize, u64)>,
        mask: ProjectionMask,
        /// Of the current row group: its number, its reader and its next row.
        current: Option<(usize, ParquetRecordBatchReader, u64)>,
    },
    Table {
        table: TableReader,
        /// The columns that are read, where the file has others, too.
        columns: Option<Vec<usize>>,
    },
}

/// Rows that are read at a time, where they are small.
const BATCH_ROWS: usize = 1 << 14;

impl Unit {
    pub(crate) fn open(
        &self,
        source: &SourcePlan,
        fields: &[usize],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<OpenUnit, BatchError> {
        match self {
            Self::Parquet(ParquetGroups { file, opened, content, groups, rows: _ }) => {
                let path = opened.path.clone();
                let reader = SourceReader::new(source, &opened.schema)
                    .map_err(|source| BatchError::Rows { path: path.clone(), source })?;
                let (reader, columns) = reader.only(fields);
                let schema = opened.metadata.parquet_schema();
                let mask = ProjectionMask::roots(schema, columns);
                let content = OpenContent::Parquet {
                    opened: Arc::clone(opened),
                    content: content.clone(),
                    groups: groups.clone().into_iter(),
                    mask,
                    current: None,
                };
                Ok(OpenUnit { file: *file, path, reader, content })
            }
            Self::Table { file, path } => {
                let names: Vec<String> =
                    source.fields.iter().map(|field| field.column.clone()).collect();
                let table = TableReader::open(path, None, Some(&names), cancelled)?;
                let reader = SourceReader::new(source, table.schema())
                    .map_err(|source| BatchError::Rows { path: path.clone(), source })?;
                let (reader, columns) = reader.only(fields);
                let is_all = columns.len() == table.schema().fields().len();
                let columns = (!is_all).then_some(columns);
                let content = OpenContent::Table { table, columns };
                Ok(OpenUnit { file: *file, path: path.clone(), reader, content })
            }
        }
    }
}

impl OpenUnit {
    /// The next rows and the number of the first of them in the file; none
    /// behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, SourceRows)>, BatchError> {
        let Some((first_row, batch)) = self.content.next(&self.path)? else { return Ok(None) };
        let rows = self.reader.read(&batch);
        let rows = rows.map_err(|source| BatchError::Rows { path: self.path.clone(), source })?;
        Ok(Some((first_row, rows)))
    }
}

impl OpenContent {
    fn next(&mut self, path: &Path) -> Result<Option<(u64, RecordBatch)>, BatchError> {
        match self {
            Self::Table { table, columns } => {
                let Some((first_row, batch)) = table.next_batch()? else { return Ok(None) };
                let batch = match columns {
                    None => batch,
                    Some(columns) => batch.project(columns).map_err(|error| {
                        BatchError::Internal { path: path.to_owned(), reason: error.to_string() }
                    })?,
                };
                Ok(Some((first_row, batch)))
            }
            Self::Parquet { opened, content, groups, mask, current } => loop {
                if current.is_none() {
                    let Some((group, first_row)) = groups.next() else { return Ok(None) };
                    let build = || {
                        let metadata = opened.metadata.clone();
                        let group_metadata = &metadata.metadata().row_groups()[group];
                        let rows =
                            crate::read_parquet::batch_rows(group_metadata, mask, BATCH_ROWS);
                        ParquetRecordBatchReaderBuilder::new_with_metadata(
                            content.clone(),
                            metadata,
                        )
                        .with_projection(mask.clone())
                        .with_batch_size(rows)
                        .with_row_groups(vec![group])
                        .build()
                    };
                    let reader = guarded(build);
                    let reader =
                        reader.map_err(|reason| opened.damaged(group, first_row, reason))?;
                    *current = Some((group, reader, first_row));
                }
                let Some((group, reader, next_row)) = current else { continue };
                let batch = guarded(|| reader.next().transpose())
                    .map_err(|reason| opened.damaged(*group, *next_row, reason))?;
                match batch {
                    Some(batch) => {
                        let first_row = *next_row;
                        *next_row += batch.num_rows() as u64;
                        return Ok(Some((first_row, batch)));
                    }
                    None => *current = None,
                }
            },
        }
    }
}
