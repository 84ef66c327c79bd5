//! What views left in the project's offline store, as rows of training sets.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use unskew_batch::{BatchError, OfflineRows};
use unskew_plan::ViewId;
use unskew_registry::Registry;
use unskew_store::{Date, OfflineStore, TableId};

use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::stores::offline_store;

/// The offline store, and the registry that says what is in it.
#[derive(Debug)]
struct MaterializedRows {
    store: Arc<dyn OfflineStore>,
    registry: Registry,
}

/// Opens the offline store of a project.
pub(crate) fn offline_rows(
    project: &FeatureProject,
) -> anyhow::Result<(tokio::runtime::Runtime, Arc<dyn OfflineRows>)> {
    let config = &project.config;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let store = offline_store(config)?;
    let registry = runtime
        .block_on(Registry::open(&config.registry_path))
        .map_err(|error| UserError::new(error.to_string()).help("see [registry] in unskew.toml"))?;
    Ok((runtime, Arc::new(MaterializedRows { store, registry })))
}

impl MaterializedRows {
    fn failed(&self, view: &ViewId, reason: impl ToString) -> BatchError {
        BatchError::WrongSource {
            source_name: format!("{view} in {}", self.store.place()),
            reason: reason.to_string(),
        }
    }

    fn table(&self, view: &ViewId) -> Result<TableId, BatchError> {
        TableId::new(&view.table_name()).map_err(|error| self.failed(view, error))
    }
}

#[async_trait]
impl OfflineRows for MaterializedRows {
    fn place(&self) -> &str {
        self.store.place()
    }

    async fn covered_until(&self, view: &ViewId) -> Result<i64, BatchError> {
        let state = self.registry.processing(&view.table_name()).await;
        let state = state.map_err(|error| self.failed(view, error))?;
        state.and_then(|state| state.watermark).ok_or_else(|| {
            self.failed(view, "it is not materialized; run `unskew materialize` for it first")
        })
    }

    async fn days(&self, view: &ViewId) -> Result<Vec<(i64, u64)>, BatchError> {
        let all = Date(i64::MIN)..=Date(i64::MAX);
        let files = self.store.list(&self.table(view)?, all).await;
        let mut days: BTreeMap<i64, u64> = BTreeMap::new();
        for file in files.map_err(|error| self.failed(view, error))? {
            *days.entry(file.date.0).or_insert(0) += file.bytes;
        }
        Ok(days.into_iter().collect())
    }

    async fn read(&self, view: &ViewId, day: i64) -> Result<Vec<RecordBatch>, BatchError> {
        let failed = |error: unskew_store::StoreError| self.failed(view, error);
        let files = self.store.list(&self.table(view)?, Date(day)..=Date(day)).await;
        let mut rows = Vec::new();
        for file in files.map_err(failed)? {
            rows.extend(self.store.read(&file).await.map_err(failed)?);
        }
        Ok(rows)
    }
}
