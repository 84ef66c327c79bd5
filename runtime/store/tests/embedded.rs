//! The embedded store passes the conformance suite.

mod suite;

use std::sync::Arc;

use suite::Fixture;
use unskew_store::{EmbeddedSettings, EmbeddedStore, OnlineStore};

struct Folder(tempfile::TempDir);

impl Fixture for Folder {
    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Arc<dyn OnlineStore> {
        // Small at first, so that the whole suite makes the map grow.
        let settings = EmbeddedSettings {
            map_size_bytes: 1 << 20,
            timeout: std::time::Duration::from_secs(60),
            ..EmbeddedSettings::new(self.0.path())
        };
        Arc::new(EmbeddedStore::open(&settings).await.unwrap())
    }
}

online_conformance!(Folder);
