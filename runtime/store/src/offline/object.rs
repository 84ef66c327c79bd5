//! The offline store on anything that `object_store` knows.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{Date, OfflineFile, OfflineStore, file_name, trouble};
use crate::{StoreError, TableId};

/// Rows of one row group: small enough that times prune them.
const ROW_GROUP_ROWS: usize = 128 << 10;

/// An [`OfflineStore`] in a folder, or an S3-compatible bucket.
#[derive(Debug)]
pub struct ObjectOfflineStore {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    place: String,
    base: Base,
}

/// What a path of the store is told to others as.
#[derive(Debug)]
enum Base {
    Folder(PathBuf),
    Url(String),
}

impl ObjectOfflineStore {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        url: &str,
    ) -> Result<Self, StoreError> {
        let place = format!("the offline store {url}");
        let base = match url.split_once("://") {
            Some(("file", path)) => Base::Folder(path.into()),
            Some((scheme, rest)) => {
                let bucket = rest.split('/').next().unwrap_or_default();
                Base::Url(format!("{scheme}://{bucket}"))
            }
            None => Base::Folder(url.into()),
        };
        Ok(Self { store, prefix, place, base })
    }

    fn error(&self, operation: &'static str, error: &object_store::Error) -> StoreError {
        trouble::store_error(&self.place, operation, error)
    }

    fn file(
        &self,
        table: &TableId,
        date: Date,
        name: &str,
        path: &Path,
        bytes: u64,
    ) -> OfflineFile {
        let place = match &self.base {
            Base::Folder(folder) => folder.join(path.as_ref()).display().to_string(),
            Base::Url(url) => format!("{url}/{path}"),
        };
        OfflineFile { table: table.clone(), date, name: name.to_owned(), place, bytes }
    }

    async fn put(
        &self,
        table: &TableId,
        date: Date,
        name: &str,
        batches: &[RecordBatch],
        mode: PutMode,
    ) -> Result<Option<OfflineFile>, StoreError> {
        let path = file_name::file_path(&self.prefix, table, date, name)?;
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            if mode == PutMode::Overwrite {
                self.delete(&path).await?;
            }
            return Ok(None);
        }
        let batches = batches.to_vec();
        let place = self.place.clone();
        let bytes = blocking(&self.place, move || encode(&place, &batches)).await?;
        let length = bytes.len() as u64;
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&path, bytes.into(), options).await {
            Ok(_) => Ok(Some(self.file(table, date, name, &path, length))),
            // The append was done before.
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {
                let there = self.store.head(&path).await;
                let there = there.map_err(|error| self.error("write a file", &error))?;
                Ok(Some(self.file(table, date, name, &path, there.size)))
            }
            Err(error) => Err(self.error("write a file", &error)),
        }
    }

    async fn delete(&self, path: &Path) -> Result<(), StoreError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error("remove a file", &error)),
        }
    }
}

#[async_trait]
impl OfflineStore for ObjectOfflineStore {
    fn place(&self) -> &str {
        &self.place
    }

    async fn write_slice(
        &self,
        table: &TableId,
        date: Date,
        slice: &str,
        batches: &[RecordBatch],
    ) -> Result<Option<OfflineFile>, StoreError> {
        self.put(table, date, slice, batches, PutMode::Overwrite).await
    }

    async fn append(
        &self,
        table: &TableId,
        date: Date,
        name: &str,
        batches: &[RecordBatch],
    ) -> Result<Option<OfflineFile>, StoreError> {
        self.put(table, date, name, batches, PutMode::Create).await
    }

    async fn remove(&self, file: &OfflineFile) -> Result<(), StoreError> {
        let path = file_name::file_path(&self.prefix, &file.table, file.date, &file.name)?;
        self.delete(&path).await
    }

    async fn list(
        &self,
        table: &TableId,
        dates: RangeInclusive<Date>,
    ) -> Result<Vec<OfflineFile>, StoreError> {
        let below = file_name::table_path(&self.prefix, table);
        let objects: Vec<_> = self
            .store
            .list(Some(&below))
            .try_collect()
            .await
            .map_err(|error| self.error("list its files", &error))?;
        let mut files: Vec<_> = objects
            .into_iter()
            .filter_map(|object| {
                let (date, name) = file_name::parse(&below, &object.location)?;
                dates
                    .contains(&date)
                    .then(|| self.file(table, date, &name, &object.location, object.size))
            })
            .collect();
        files.sort();
        Ok(files)
    }

    async fn read(&self, file: &OfflineFile) -> Result<Vec<RecordBatch>, StoreError> {
        let path = file_name::file_path(&self.prefix, &file.table, file.date, &file.name)?;
        let read = async { self.store.get(&path).await?.bytes().await };
        let bytes = read.await.map_err(|error| self.error("read a file", &error))?;
        let place = format!("{}, file {}", self.place, file.place);
        blocking(&self.place, move || decode(&place, bytes)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let listed = self.store.list_with_delimiter(Some(&self.prefix)).await;
        listed.map(|_| ()).map_err(|error| self.error("list its files", &error))
    }
}

async fn blocking<T: Send + 'static>(
    place: &str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Refused {
        place: place.to_owned(),
        operation: "encode or decode a file",
        why: error.to_string(),
    })?
}

/// The same batches give the same bytes.
fn encode(place: &str, batches: &[RecordBatch]) -> Result<Bytes, StoreError> {
    let failed = |error: ParquetError| StoreError::Invalid {
        what: format!("rows for {place} cannot be written as Parquet: {error}"),
    };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let Some(first) = batches.first() else { return Ok(Bytes::new()) };
    let mut writer =
        ArrowWriter::try_new(Vec::new(), first.schema(), Some(properties)).map_err(failed)?;
    for batch in batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.into_inner().map(Bytes::from).map_err(failed)
}

fn decode(place: &str, bytes: Bytes) -> Result<Vec<RecordBatch>, StoreError> {
    let damaged = |why: String| StoreError::Corrupted { place: place.to_owned(), what: why };
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.build())
        .map_err(|error| damaged(error.to_string()))?;
    reader.map(|batch| batch.map_err(|error| damaged(error.to_string()))).collect()
}
