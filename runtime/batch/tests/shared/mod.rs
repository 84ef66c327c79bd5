//! What the tests of this room have in common: a folder with files, and jobs
//! whose transforms are native functions.
#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../../../executor/tests/shared/mod.rs"]
pub(crate) mod executor;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;
use unskew_batch::{BatchError, Job, Summary};
use unskew_executor::TransformKernel;
use unskew_host::{RowError, RowStatus};

use self::executor::{Native, field, native};

/// A folder of one test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The files in it, hidden ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A job from one file of the folder to another.
    pub(crate) fn job(&self, input: &str, output: &str) -> Job {
        Job::new(self.path(input), self.path(output))
    }

    pub(crate) fn write_parquet(&self, name: &str, batch: &RecordBatch) -> PathBuf {
        let path = self.path(name);
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        path
    }

    pub(crate) fn read_parquet(&self, name: &str) -> RecordBatch {
        read_parquet(&self.path(name))
    }
}

pub(crate) fn read_parquet(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// Runs a job to its end.
pub(crate) fn run(job: &Job, kernel: Arc<dyn TransformKernel>) -> Result<Summary, BatchError> {
    unskew_batch::run(job, kernel, &mut |_| {}, &|| false)
}

/// Runs a job that must be refused; gives the message.
#[track_caller]
pub(crate) fn refused(job: &Job, kernel: Arc<dyn TransformKernel>) -> String {
    let error = run(job, kernel).unwrap_err();
    assert!(error.is_users(), "taken for our own mistake: {error}");
    error.to_string()
}

/// `double(x: int64) -> y: int64`, where a negative row fails.
pub(crate) fn double() -> Arc<Native> {
    native("double", vec![field("x", "int64")], vec![field("y", "int64")], |batch| {
        let x = batch.column(0).as_primitive::<Int64Type>();
        let y: Int64Array = x.iter().map(|x| x.filter(|x| *x >= 0).map(|x| 2 * x)).collect();
        let negative = x.iter().enumerate().filter(|(_, x)| x.is_some_and(|x| x < 0));
        let errors = negative.map(|(row, x)| RowError {
            row,
            status: RowStatus::Failed,
            message: format!("{} is negative", x.unwrap_or_default()),
        });
        (vec![Arc::new(y) as ArrayRef], errors.collect())
    })
}

/// A batch of nullable columns.
pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

pub(crate) fn int64(values: impl IntoIterator<Item = impl Into<Option<i64>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<Int64Array>())
}

/// The whole numbers of a column.
pub(crate) fn int64s(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect()
}

pub(crate) fn schema_names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).collect()
}

pub(crate) fn same(a: &dyn Array, b: &dyn Array) -> bool {
    a.to_data() == b.to_data()
}
