//! From a URL or a folder to a store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use super::{ObjectOfflineStore, OfflineStore, trouble};
use crate::StoreError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRIES: usize = 3;
/// From the first try to the last.
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Which offline store, and where.
#[derive(Clone)]
pub struct OfflineStoreSettings {
    /// A folder, `file:///path`, or `s3://bucket/prefix`.
    pub url: String,
    /// Of an S3-compatible store that is not Amazon's; by default `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// By default `AWS_REGION`.
    pub region: Option<String>,
    /// Access key and secret; by default `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub credentials: Option<(String, String)>,
    /// After this time without an answer a request is an error.
    pub timeout: Duration,
}

impl OfflineStoreSettings {
    /// The defaults for a folder or URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            endpoint: None,
            region: None,
            credentials: None,
            timeout: Duration::from_secs(60),
        }
    }
}

// Secrets stay where they are.
impl std::fmt::Debug for OfflineStoreSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, endpoint, region, credentials: _, timeout } = self;
        f.debug_struct("OfflineStoreSettings")
            .field("url", url)
            .field("endpoint", endpoint)
            .field("region", region)
            .field("timeout", timeout)
            .finish_non_exhaustive()
    }
}

/// Opens the store of a URL, and says where in it the URL points. Nothing is asked of the store yet.
fn open_object_store(
    settings: &OfflineStoreSettings,
) -> Result<(Arc<dyn ObjectStore>, Path), StoreError> {
    let text = &settings.url;
    let invalid = |why: String| StoreError::Invalid {
        what: format!(
            "the offline store's URL {text:?} {why}; it is a folder, file:///path, or s3://bucket/prefix"
        ),
    };
    if text.is_empty() {
        return Err(invalid("is empty".into()));
    }
    if !text.contains("://") {
        return open_folder(text.into());
    }
    let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
    match url.scheme() {
        "file" => {
            open_folder(url.to_file_path().map_err(|()| invalid("is of another machine".into()))?)
        }
        "s3" | "s3a" => {
            let bucket = url
                .host_str()
                .filter(|bucket| !bucket.is_empty())
                .ok_or_else(|| invalid("names no bucket".into()))?;
            let prefix = Path::from_url_path(url.path())
                .map_err(|error| invalid(format!("names no prefix ({error})")))?;
            let store = open_bucket(bucket, settings)
                .map_err(|error| trouble::store_error(text, "open", &error))?;
            Ok((store, prefix))
        }
        scheme => Err(invalid(format!("is of a kind, {scheme}://, that is not known"))),
    }
}

/// Opens a bucket of S3, or of a store that speaks its protocol, by what the
/// settings say beside the URL. Nothing is asked of the store yet.
///
/// # Errors
///
/// If the settings, or the variables `AWS_*` for what they leave open, are wrong.
pub fn open_bucket(
    bucket: &str,
    settings: &OfflineStoreSettings,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let OfflineStoreSettings { url: _, endpoint, region, credentials, timeout } = settings;
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    if let Some((key, secret)) = credentials {
        builder = builder.with_access_key_id(key).with_secret_access_key(secret);
    }
    let endpoints = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint];
    let plain = endpoints.iter().any(|key| {
        builder.get_config_value(key).is_some_and(|endpoint| endpoint.starts_with("http://"))
    });
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT.min(*timeout))
        .with_timeout(*timeout)
        .with_allow_http(plain);
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT.min(*timeout),
        ..RetryConfig::default()
    };
    Ok(Arc::new(builder.with_client_options(client).with_retry(retry).build()?))
}

fn open_folder(folder: PathBuf) -> Result<(Arc<dyn ObjectStore>, Path), StoreError> {
    let place = format!("the offline store {}", folder.display());
    let refused = |error: std::io::Error| StoreError::Refused {
        place: place.clone(),
        operation: "open",
        why: format!("{error}. Is it a folder, and may this user write there?"),
    };
    std::fs::create_dir_all(&folder).map_err(refused)?;
    let folder = folder.canonicalize().map_err(refused)?;
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(|error| trouble::store_error(&place, "open", &error))?;
    Ok((Arc::new(store), Path::default()))
}

/// Opens the offline store that the settings name.
///
/// # Errors
///
/// If the URL is wrong, or the folder cannot be made.
pub fn open_offline_store(
    settings: &OfflineStoreSettings,
) -> Result<Arc<dyn OfflineStore>, StoreError> {
    let (store, prefix) = open_object_store(settings)?;
    Ok(Arc::new(ObjectOfflineStore::new(store, prefix, &settings.url)?))
}
