//! From a URL to the store that holds it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as ObjectPath;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::error::BatchError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of one request, which reads a few MiB.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// From the first try to the last.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES: usize = 3;

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
            let store = connect(bucket).map_err(|error| {
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

fn connect(bucket: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    let endpoints = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint];
    let plain = endpoints.iter().any(|key| {
        builder.get_config_value(key).is_some_and(|endpoint| endpoint.starts_with("http://"))
    });
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT)
        .with_allow_http(plain);
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    };
    let store = builder.with_client_options(client).with_retry(retry).build()?;
    Ok(Arc::new(store))
}
