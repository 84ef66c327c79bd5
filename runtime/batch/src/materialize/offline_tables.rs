//! The tables of the offline store: one Parquet file for each view and day, in
//! any `object_store` location.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::error::BatchError;
use crate::materialize::slices::{Day, date_of};

/// Tables of views, by day: `view=NAME@V/date=YYYY-MM-DD/part-0.parquet`. A day
/// is written at once: readers see it as it was or as it is.
#[derive(Clone, Debug)]
pub struct OfflineTables {
    store: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    place: String,
}

const FILE: &str = "part-0.parquet";

impl OfflineTables {
    /// Opens `url`: a path of the local disk (made if it is not there),
    /// `file://` or `s3://bucket/prefix`. What S3 needs beyond endpoint and
    /// region comes from the environment (`AWS_ACCESS_KEY_ID`, ...).
    pub fn open(
        url: &str,
        endpoint: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self, BatchError> {
        let failed = |reason: String| BatchError::OfflineStore {
            place: url.to_owned(),
            doing: "be opened",
            reason,
        };
        if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
            if let Some(endpoint) = endpoint {
                let allow_http = endpoint.starts_with("http://");
                builder = builder.with_endpoint(endpoint).with_allow_http(allow_http);
            }
            if let Some(region) = region {
                builder = builder.with_region(region);
            }
            let store = builder.build().map_err(|error| failed(error.to_string()))?;
            let prefix = ObjectPath::from(prefix);
            return Ok(Self { store: Arc::new(store), prefix, place: url.to_owned() });
        }
        if url.contains("://") && !url.starts_with("file://") {
            return Err(failed("it is no path, file:// or s3:// URL".to_owned()));
        }
        let folder = url.strip_prefix("file://").unwrap_or(url);
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(folder);
        let store = store.map_err(|error| failed(error.to_string()))?;
        let prefix = ObjectPath::default();
        Ok(Self { store: Arc::new(store), prefix, place: folder.to_owned() })
    }

    /// Path or URL, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    fn folder(&self, view: &str) -> ObjectPath {
        self.prefix.clone().join(format!("view={view}"))
    }

    fn file(&self, view: &str, day: Day) -> ObjectPath {
        self.folder(view).join(format!("date={}", date_of(day))).join(FILE)
    }

    fn failed(&self, doing: &'static str, error: impl ToString) -> BatchError {
        BatchError::OfflineStore { place: self.place.clone(), doing, reason: error.to_string() }
    }

    /// Replaces what a day holds; a day without rows is removed. Returns the
    /// bytes that were written.
    pub async fn write_day(
        &self,
        view: &str,
        day: Day,
        rows: &RecordBatch,
    ) -> Result<u64, BatchError> {
        let file = self.file(view, day);
        if rows.num_rows() == 0 {
            return match self.store.delete(&file).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(0),
                Err(error) => Err(self.failed("be written", error)),
            };
        }
        let bytes = parquet_bytes(rows).map_err(|error| self.failed("be written", error))?;
        let length = bytes.len() as u64;
        let written = self.store.put(&file, bytes.into()).await;
        written.map_err(|error| self.failed("be written", error))?;
        Ok(length)
    }

    /// The rows of a day, if it has any.
    pub async fn read_day(
        &self,
        view: &str,
        day: Day,
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>, BatchError> {
        let read = async {
            let found = match self.store.get(&self.file(view, day)).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                found => found?,
            };
            found.bytes().await.map(Some)
        };
        let bytes: Option<Bytes> = read.await.map_err(|error| self.failed("be read", error))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let damaged = |error: &dyn std::fmt::Display| {
            let day = date_of(day);
            self.failed("be read", format!("{view} of {day}: {error}; materialize that day anew"))
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
            .and_then(|builder| builder.with_batch_size(1 << 16).build())
            .map_err(|error| damaged(&error))?;
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|error| damaged(&error))?;
        let found = batches.first().map_or_else(|| Arc::clone(schema), RecordBatch::schema);
        let rows = concat_batches(&found, &batches).map_err(|error| damaged(&error))?;
        Ok(Some(rows))
    }

    /// The days of a view that have rows.
    pub async fn days(&self, view: &str) -> Result<BTreeSet<Day>, BatchError> {
        let folder = self.folder(view);
        let listed = self.store.list(Some(&folder));
        let files: Vec<_> =
            listed.try_collect().await.map_err(|error| self.failed("be listed", error))?;
        let day = |file: &object_store::ObjectMeta| {
            let parts: Vec<String> =
                file.location.parts().map(|part| part.as_ref().to_owned()).collect();
            let [.., date, name] = parts.as_slice() else { return None };
            if name != FILE {
                return None;
            }
            day_named(date.strip_prefix("date=")?)
        };
        Ok(files.iter().filter_map(day).collect())
    }
}

/// The day that [`date_of`] gave a name.
fn day_named(date: &str) -> Option<Day> {
    if let Some(day) = date.strip_prefix("day") {
        return day.parse().ok();
    }
    let parsed = unskew_executor::text::ColumnBuilder::new(&unskew_definition::DataType::Date32, 1);
    let mut parsed = parsed;
    parsed.push_text(date).ok()?;
    let column = parsed.finish();
    let days = arrow::array::AsArray::as_primitive::<arrow::datatypes::Date32Type>(&column);
    Some(i64::from(days.value(0)))
}

/// A table as a Parquet file. The same rows give the same bytes.
pub(crate) fn parquet_bytes(rows: &RecordBatch) -> Result<Vec<u8>, parquet::errors::ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties))?;
    writer.write(rows)?;
    writer.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_days_come_back() {
        for day in [-719_162, -1, 0, 20_454, 2_932_896] {
            assert_eq!(day_named(&date_of(day)), Some(day), "{}", date_of(day));
        }
        assert_eq!(day_named("2026-13-01"), None);
    }
}
