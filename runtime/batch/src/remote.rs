//! Files in object stores.
//!
//! A file's place is a path, or a URL where it begins with a scheme:
//! `s3://bucket/key`. The key stands as it is, nothing in it is escaped.
//! Readers wait for bytes on their own threads; the requests run on two
//! threads of this module, so that they may be made from anywhere.

mod connect;
mod list;
mod read;

use std::path::Path;
use std::sync::LazyLock;
use std::sync::mpsc::channel;

use tokio::runtime::Runtime;

use crate::error::BatchError;

pub use connect::{ObjectPlace, object_place};
pub(crate) use list::matching_objects;
pub(crate) use read::{Remote, RemoteFile};

/// Whether a place is a URL and no path.
pub fn is_url(path: &Path) -> bool {
    path.to_str().and_then(|text| text.split_once("://")).is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Where requests run.
static REQUESTS: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("unskew-remote")
        .build()
});

/// Waits for a request.
fn wait<T: Send + 'static>(
    place: &Path,
    request: impl Future<Output = object_store::Result<T>> + Send + 'static,
) -> Result<T, BatchError> {
    let internal = |reason: String| BatchError::Internal { path: place.to_owned(), reason };
    let runtime = REQUESTS
        .as_ref()
        .map_err(|error| internal(format!("no thread for requests can be started: {error}")))?;
    let (answer, answered) = channel();
    runtime.spawn(async move {
        // Nobody waits any more where the other end is gone.
        let _ = answer.send(request.await);
    });
    match answered.recv() {
        Ok(answer) => answer.map_err(|error| failed(place, &error)),
        Err(_) => Err(internal("the request ended without an answer".to_owned())),
    }
}

/// What a store says, in words of ours.
fn failed(place: &Path, error: &object_store::Error) -> BatchError {
    use object_store::Error as E;
    let place = place.to_owned();
    let (reason, is_users) = match error {
        E::NotFound { .. } => ("there is no such object or bucket".to_owned(), true),
        E::PermissionDenied { .. } => {
            ("permission denied; check the policy of the bucket and the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)".to_owned(), true)
        }
        E::Unauthenticated { .. } => {
            ("the credentials are not taken; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(), true)
        }
        E::Precondition { .. } => {
            ("it was changed while it was read; try again when it is no longer written".to_owned(), true)
        }
        other if other.to_string().contains("NoSuchBucket") => {
            ("there is no such bucket".to_owned(), true)
        }
        other => {
            let mut reason = other.to_string();
            let mut cause = std::error::Error::source(other);
            // The last cause says it best: connection refused, timed out.
            while let Some(inner) = cause {
                if inner.source().is_none() && !reason.contains(&inner.to_string()) {
                    reason = format!("{reason}: {inner}");
                }
                cause = inner.source();
            }
            let advice = "is the store reachable? Its address is AWS_ENDPOINT_URL or that of AWS_REGION, its credentials AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SKIP_SIGNATURE=true for a public bucket)";
            (format!("{reason}; {advice}"), false)
        }
    };
    BatchError::Remote { place, reason, is_users }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_begins_with_a_scheme() {
        for (text, is) in [
            ("s3://b/k", true),
            ("file:///a", true),
            ("a/b", false),
            ("/a://b", false),
            ("://b", false),
            ("a b://c", false),
        ] {
            assert_eq!(is_url(Path::new(text)), is, "{text}");
        }
    }
}
