//! What a URL names: an object, all objects below a prefix, or those that
//! match a glob.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::error::BatchError;
use crate::format::FileFormat;
use crate::remote::{object_place, wait};
use crate::source_files::is_hidden;

/// The URLs of the objects that `pattern` names, as `source_files` would take
/// them of a disk. `wrong` makes an error of what is wrong with the pattern.
pub(crate) fn matching_objects(
    pattern: &str,
    wrong: &dyn Fn(String) -> BatchError,
) -> Result<Vec<PathBuf>, BatchError> {
    let wrong = |reason: String| wrong(format!("{pattern}: {reason}"));
    // What stands before the first sign of a glob names a folder.
    let plain = pattern.find(['*', '?', '[']).map(|first| &pattern[..first]);
    if let Some(plain) = plain {
        let folder = plain.rfind('/').map_or(plain, |at| &plain[..at]);
        if folder.ends_with(":/") {
            return Err(wrong("the bucket's name is no pattern; write s3://bucket/...".to_owned()));
        }
        let place = object_place(Path::new(folder))?;
        let matcher = glob::Pattern::new(pattern[place.base.len()..].trim_start_matches('/'))
            .map_err(|error| wrong(format!("no pattern: {error}")))?;
        // As on a disk: a star stays within its folder.
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        let names = list(&place.store, &place.path, Path::new(folder))?;
        let urls: Vec<PathBuf> = names
            .iter()
            .filter(|name| matcher.matches_with(name.as_ref(), options))
            .map(|name| place.url_of(name))
            .collect();
        return match urls.is_empty() {
            true => Err(wrong("no object matches".to_owned())),
            false => Ok(urls),
        };
    }
    let url = Path::new(pattern);
    let place = object_place(url)?;
    if !pattern.ends_with('/') && !place.path.as_ref().is_empty() {
        let (store, path) = (Arc::clone(&place.store), place.path.clone());
        match wait(url, async move { store.head(&path).await }) {
            Ok(_) => return Ok(vec![PathBuf::from(pattern)]),
            // A prefix, or nothing at all.
            Err(BatchError::Remote { is_users: true, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let names = list(&place.store, &place.path, url)?;
    let is_data = |name: &&ObjectPath| {
        let name = Path::new(name.as_ref());
        FileFormat::of(name).is_some() && !is_hidden(name)
    };
    let urls: Vec<PathBuf> = names.iter().filter(is_data).map(|name| place.url_of(name)).collect();
    match urls.is_empty() {
        true => Err(wrong(
            "there is no such object, and none below it whose name ends as a known format's"
                .to_owned(),
        )),
        false => Ok(urls),
    }
}

fn list(
    store: &Arc<dyn ObjectStore>,
    prefix: &ObjectPath,
    url: &Path,
) -> Result<Vec<ObjectPath>, BatchError> {
    let (store, prefix) = (Arc::clone(store), prefix.clone());
    let mut names: Vec<ObjectPath> = wait(url, async move {
        let prefix = (!prefix.as_ref().is_empty()).then_some(prefix);
        store.list(prefix.as_ref()).map_ok(|object| object.location).try_collect().await
    })?;
    names.sort();
    Ok(names)
}
