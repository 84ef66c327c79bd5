//! The bytes of an object.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};

use crate::error::BatchError;
use crate::remote::{object_place, wait};

/// An object is read in blocks of so many bytes: a request costs as much time
/// as some MiB do.
const BLOCK_BYTES: u64 = 4 << 20;
/// How many blocks are kept: those of the columns that are read side by side.
const BLOCKS: usize = 16;

/// An object that is open: all that is read of it is of one version.
#[derive(Clone, Debug)]
pub(crate) struct RemoteFile {
    url: PathBuf,
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    bytes: u64,
    etag: Option<String>,
    /// Block number and content, the one used last at the end.
    blocks: Arc<Mutex<VecDeque<(u64, Bytes)>>>,
}

impl RemoteFile {
    pub(crate) fn open(url: &Path) -> Result<Self, BatchError> {
        let place = object_place(url)?;
        let (store, path) = (Arc::clone(&place.store), place.path.clone());
        let found = wait(url, async move { store.head(&path).await })?;
        Ok(Self {
            url: url.to_owned(),
            store: place.store,
            path: place.path,
            bytes: found.size,
            etag: found.e_tag,
            blocks: Arc::default(),
        })
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> u64 {
        self.bytes
    }

    /// What the store calls this version of it.
    pub(crate) fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The bytes of a range that lies within it.
    pub(crate) fn range(&self, start: u64, length: usize) -> Result<Bytes, BatchError> {
        let end = start.saturating_add(length as u64);
        if end > self.bytes {
            return Err(BatchError::WrongFile {
                path: self.url.clone(),
                reason: format!(
                    "it has {} bytes, and those up to {end} are wanted; it was cut off",
                    self.bytes
                ),
            });
        }
        let (first, last) = (start / BLOCK_BYTES, end.saturating_sub(1).max(start) / BLOCK_BYTES);
        if length == 0 {
            return Ok(Bytes::new());
        }
        if first == last {
            let block = self.block(first)?;
            let from = (start - first * BLOCK_BYTES) as usize;
            return Ok(block.slice(from..from + length));
        }
        let mut bytes = BytesMut::with_capacity(length);
        for number in first..=last {
            let block = self.block(number)?;
            let begin = number * BLOCK_BYTES;
            let from = start.saturating_sub(begin) as usize;
            let to = (end - begin).min(block.len() as u64) as usize;
            bytes.extend_from_slice(&block[from..to]);
        }
        Ok(bytes.freeze())
    }

    fn block(&self, number: u64) -> Result<Bytes, BatchError> {
        {
            let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = blocks.iter().position(|(known, _)| *known == number)
                && let Some(found) = blocks.remove(at)
            {
                blocks.push_back(found.clone());
                return Ok(found.1);
            }
        }
        let start = number * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES).min(self.bytes);
        let (store, path) = (Arc::clone(&self.store), self.path.clone());
        let options = GetOptions {
            range: Some(GetRange::Bounded(start..end)),
            if_match: self.etag.clone(),
            ..GetOptions::default()
        };
        let block =
            wait(&self.url, async move { store.get_opts(&path, options).await?.bytes().await })?;
        if block.len() as u64 != end - start {
            return Err(BatchError::WrongFile {
                path: self.url.clone(),
                reason: "the store gave fewer bytes than it has; try again".to_owned(),
            });
        }
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() == BLOCKS {
            blocks.pop_front();
        }
        blocks.push_back((number, block.clone()));
        Ok(block)
    }

    /// Reads from `start` to the end.
    pub(crate) fn reader(&self, start: u64) -> RemoteReader {
        RemoteReader { file: self.clone(), position: start }
    }
}

/// The bytes of an object in order.
pub(crate) struct RemoteReader {
    file: RemoteFile,
    position: u64,
}

impl Read for RemoteReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.file.bytes.saturating_sub(self.position);
        let in_block = BLOCK_BYTES - self.position % BLOCK_BYTES;
        let length = (buffer.len() as u64).min(left).min(in_block) as usize;
        let bytes = self
            .file
            .range(self.position, length)
            .map_err(|error| io::Error::other(Remote(error)))?;
        buffer[..length].copy_from_slice(&bytes);
        self.position += length as u64;
        Ok(length)
    }
}

/// An error of ours on its way through a reader.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Remote(pub(crate) BatchError);
