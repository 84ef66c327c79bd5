//! From a URL to the store that holds it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use unskew_store::{OfflineStoreSettings, open_bucket};

use crate::error::BatchError;

/// An object, or all objects below a prefix.
#[derive(Clone, Debug)]
pub struct ObjectPlace {
    /// The store's part of the URL: `s3://bucket`.
    pub base: String,
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// The object's name in it.
    pub path: ObjectPath,
}

impl ObjectPlace {
    /// The URL of an object of this store.
    pub(crate) fn url_of(&self, path: &ObjectPath) -> PathBuf {
        PathBuf::from(format!("{}/{path}", self.base))
    }
}

/// Stores that were opened, by their part of the URL.
static STORES: LazyLock<Mutex<HashMap<String, Arc<dyn ObjectStore>>>> =
    LazyLock::new(Mutex::default);

/// The store and the name in it of what a URL names. Credentials, region and
/// endpoint come from the variables `AWS_*`.
pub fn object_place(url: &Path) -> Result<ObjectPlace, BatchError> {
    let wrong = |reason: String| BatchError::WrongFile { path: url.to_owned(), reason };
    let text = url.to_str().ok_or_else(|| wrong("the URL is no UTF-8 text".to_owned()))?;
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if !matches!(scheme, "s3" | "s3a") {
        let reason = format!(
            "{scheme}:// is not supported; URLs are s3://bucket/key and file:///path, also of S3-compatible stores (AWS_ENDPOINT_URL)"
        );
        return Err(wrong(reason));
    }
    if bucket.is_empty() {
        return Err(wrong("it names no bucket; write s3://bucket/key".to_owned()));
    }
    let path = ObjectPath::parse(key)
        .map_err(|error| wrong(format!("the key is none that a store can hold: {error}")))?;
    let base = format!("{scheme}://{bucket}");
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    let store = match stores.get(&base) {
        Some(store) => Arc::clone(store),
        None => {
            let store = open_bucket(bucket, &OfflineStoreSettings::new(&base)).map_err(|error| {
                wrong(format!(
                    "the store cannot be opened: {error}; check the variables AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                ))
            })?;
            stores.insert(base.clone(), Arc::clone(&store));
            store
        }
    };
    Ok(ObjectPlace { base, store, path })
}
