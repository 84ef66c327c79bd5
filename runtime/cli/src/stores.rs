//! The stores that a project is set up with, opened.

use std::sync::Arc;

use unskew_store::{
    EmbeddedSettings, OfflineStore, OfflineStoreSettings, OnlineStore, OnlineStoreSettings,
    RedisSettings, open_offline_store, open_online_store,
};

use crate::config::{OfflineStoreSection, OnlineStoreKind, OnlineStoreSection, ProjectConfig};
use crate::failure::UserError;

/// The online store that the configuration names.
pub(crate) async fn online_store(config: &ProjectConfig) -> anyhow::Result<Arc<dyn OnlineStore>> {
    let OnlineStoreSection { kind, path, url, cluster, timeout, pool } = &config.online_store;
    let settings = match kind {
        OnlineStoreKind::Embedded => OnlineStoreSettings::Embedded(EmbeddedSettings {
            timeout: *timeout,
            ..EmbeddedSettings::new(path)
        }),
        OnlineStoreKind::Redis => OnlineStoreSettings::Redis(RedisSettings {
            cluster: *cluster,
            timeout: *timeout,
            pool: *pool,
            ..RedisSettings::new(url)
        }),
    };
    open_online_store(&settings).await.map_err(|error| UserError::new(error.to_string()).into())
}

/// The offline store that the configuration names; an error says where it does.
pub(crate) fn offline_store(config: &ProjectConfig) -> anyhow::Result<Arc<dyn OfflineStore>> {
    let OfflineStoreSection { url, endpoint, region } = config.offline_store.clone();
    let settings = OfflineStoreSettings { endpoint, region, ..OfflineStoreSettings::new(url) };
    open_offline_store(&settings).map_err(|error| {
        UserError::new(error.to_string()).at(config.place_of("offline_store.url")).into()
    })
}
