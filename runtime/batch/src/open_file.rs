//! A file to read, on a disk or in an object store.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::error::BatchError;
use crate::remote::{RemoteFile, is_url};

/// A file that is open.
#[derive(Debug)]
pub(crate) enum OpenFile {
    Local(File),
    Remote(RemoteFile),
}

/// `file:///a/b` as the path that it is.
pub(crate) fn local_path(path: &Path) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_prefix("file://")) {
        Some(local) => PathBuf::from(local.strip_prefix("localhost").unwrap_or(local)),
        None => path.to_owned(),
    }
}

impl OpenFile {
    /// Opens a file, a device, a pipe or an object.
    pub(crate) fn open(path: &Path) -> Result<Self, BatchError> {
        let path = &local_path(path);
        if is_url(path) {
            return RemoteFile::open(path).map(Self::Remote);
        }
        let failed = |source: io::Error| BatchError::reading(path, source);
        if fs::metadata(path).map_err(failed)?.is_dir() {
            return Err(BatchError::IsFolder { path: path.clone() });
        }
        File::open(path).map(Self::Local).map_err(failed)
    }

    /// Opens what can be read at any place, and more than once.
    pub(crate) fn open_regular(path: &Path, needs: &'static str) -> Result<Self, BatchError> {
        let file = Self::open(path)?;
        if let Self::Local(file) = &file {
            let metadata = file.metadata().map_err(|source| BatchError::reading(path, source))?;
            if !metadata.is_file() {
                return Err(BatchError::NotRegular { path: path.to_owned(), needs });
            }
        }
        Ok(file)
    }

    /// How many bytes it has, where it is regular.
    pub(crate) fn bytes(&self) -> Option<u64> {
        match self {
            Self::Local(file) => {
                file.metadata().ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
            }
            Self::Remote(file) => Some(file.len()),
        }
    }

    /// The bytes of a range of it.
    pub(crate) fn range(
        &self,
        path: &Path,
        start: u64,
        length: usize,
    ) -> Result<Vec<u8>, BatchError> {
        match self {
            Self::Local(file) => {
                let mut file = file;
                let mut bytes = vec![0; length];
                file.seek(SeekFrom::Start(start))
                    .and_then(|_| file.read_exact(&mut bytes))
                    .map_err(|source| BatchError::reading(path, source))?;
                Ok(bytes)
            }
            Self::Remote(file) => Ok(file.range(start, length)?.to_vec()),
        }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Local(file) => file.try_clone().map(Self::Local),
            Self::Remote(file) => Ok(Self::Remote(file.clone())),
        }
    }

    /// The file of a disk, for who reads it by its own means.
    pub(crate) fn local_file(&self) -> io::Result<File> {
        match self {
            Self::Local(file) => file.try_clone(),
            Self::Remote(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Reads it from its beginning.
    pub(crate) fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::Local(file) => Box::new(file),
            Self::Remote(file) => Box::new(file.reader(0)),
        }
    }
}

impl Length for OpenFile {
    fn len(&self) -> u64 {
        self.bytes().unwrap_or(0)
    }
}

impl ChunkReader for OpenFile {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        match self {
            Self::Local(file) => {
                let reader: BufReader<File> = file.get_read(start)?;
                Ok(Box::new(reader))
            }
            Self::Remote(file) => Ok(Box::new(BufReader::new(file.reader(start)))),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        match self {
            Self::Local(file) => file.get_bytes(start, length),
            Self::Remote(file) => {
                file.range(start, length).map_err(|error| ParquetError::External(Box::new(error)))
            }
        }
    }
}
