//! What errors of object stores mean.

use std::error::Error as _;
use std::io;

use crate::StoreError;

/// What an error means to the caller. `operation` is a verb.
pub(super) fn store_error(
    place: &str,
    operation: &'static str,
    error: &object_store::Error,
) -> StoreError {
    use object_store::Error;
    let mut why = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !why.contains(&text) {
            why = format!("{why}: {text}");
        }
        if let Some(io) = error.downcast_ref::<io::Error>()
            && let Some(known) = io_trouble(place, operation, io)
        {
            return known;
        }
        cause = error.source();
    }
    let place = place.to_owned();
    let refused = |why: String| StoreError::Refused { place: place.clone(), operation, why };
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => refused(format!(
            "{why}. Look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's policy"
        )),
        Error::NotFound { .. } if why.contains("NoSuchBucket") => {
            refused(format!("{why}. Make the bucket, or name another in `offline_store.url`"))
        }
        Error::Generic { .. }
            if ["error sending request", "connect", "timed out", "timeout"]
                .iter()
                .any(|sign| why.contains(sign)) =>
        {
            StoreError::Unreachable { place, why }
        }
        _ => refused(why),
    }
}

fn io_trouble(place: &str, operation: &'static str, error: &io::Error) -> Option<StoreError> {
    let (place, why) = (place.to_owned(), error.to_string());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some(StoreError::Full { place, why })
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            let why = format!("{why}; give this user the right to write there");
            Some(StoreError::Refused { place, operation, why })
        }
        _ => None,
    }
}
