//! A text file as bytes: unpacked, its mark taken away, read in blocks.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::BatchError;
use crate::format::Packing;
use crate::open_file::OpenFile;
use crate::remote::Remote;

/// A record or a line longer than this is taken for a mistake, so that memory
/// stays bounded.
pub(crate) const RECORD_BYTES: usize = 64 << 20;

const BLOCK_BYTES: usize = 256 << 10;

/// The bytes of a text file that were read and not yet handed on.
pub(crate) struct TextInput {
    path: PathBuf,
    reader: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
    /// How many bytes the file has, where that is known.
    pub(crate) bytes: Option<u64>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) at_end: bool,
}

impl TextInput {
    pub(crate) fn open(path: &Path, file: OpenFile, packing: Packing) -> Result<Self, BatchError> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let bytes = file.bytes();
        let reader = file.into_reader();
        let counted = Counted { reader, bytes_read: Arc::clone(&bytes_read) };
        let reader: Box<dyn Read + Send> = match packing {
            Packing::Plain => Box::new(counted),
            Packing::Gzip => {
                Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(counted)))
            }
            Packing::Zstd => Box::new(
                zstd::Decoder::new(counted).map_err(|source| BatchError::reading(path, source))?,
            ),
        };
        let mut input = Self {
            path: path.to_owned(),
            reader,
            bytes_read,
            bytes,
            buffer: Vec::new(),
            at_end: false,
        };
        input.fill(packing)?;
        input.check_form()?;
        if input.buffer.starts_with(b"\xef\xbb\xbf") {
            input.buffer.drain(..3);
        }
        Ok(input)
    }

    /// The first block. What is wrong here is mostly the packing.
    fn fill(&mut self, packing: Packing) -> Result<(), BatchError> {
        let what = match packing {
            Packing::Plain => return self.read_more(),
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
        };
        self.read_more().map_err(|error| match error {
            BatchError::WrongFile { path, reason } if self.buffer.is_empty() => {
                let reason = format!(
                    "it is no {what} file, or a damaged one ({reason}); if it is not packed, say so with --input-format"
                );
                BatchError::WrongFile { path, reason }
            }
            error => error,
        })
    }

    fn check_form(&self) -> Result<(), BatchError> {
        let reason = match self.buffer.as_slice() {
            [0x1f, 0x8b, ..] => {
                "it is packed with gzip; name it with .gz behind, or say so with --input-format csv.gz or jsonl.gz"
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                "it is packed with zstd; name it with .zst behind, or say so with --input-format csv.zst or jsonl.zst"
            }
            [b'P', b'A', b'R', b'1', ..] => {
                "it is a Parquet file; say so with --input-format parquet"
            }
            [b'P', b'K', 3, 4, ..] => "it is a zip file; unpack it first",
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16 text; convert it to UTF-8",
            _ => return Ok(()),
        };
        Err(BatchError::WrongFile { path: self.path.clone(), reason: reason.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes taken from the file, packed as they are there.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Appends a block to the buffer; at least as much as is unfinished in it,
    /// so that looking at it again and again costs no more than once more.
    pub(crate) fn read_more(&mut self) -> Result<(), BatchError> {
        let wanted = self.buffer.len().clamp(BLOCK_BYTES, RECORD_BYTES);
        self.read_block(wanted)
    }

    fn read_block(&mut self, wanted: usize) -> Result<(), BatchError> {
        let begun_at = self.buffer.len();
        self.buffer.resize(begun_at + wanted, 0);
        let mut filled = begun_at;
        while filled < self.buffer.len() {
            match self.reader.read(&mut self.buffer[filled..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(begun_at);
                    return Err(self.unreadable(error));
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }

    fn unreadable(&self, error: io::Error) -> BatchError {
        let remote = error.get_ref().and_then(|inner| inner.downcast_ref::<Remote>());
        if let Some(Remote(BatchError::Remote { place, reason, is_users })) = remote {
            let (place, reason, is_users) = (place.clone(), reason.clone(), *is_users);
            return BatchError::Remote { place, reason, is_users };
        }
        // What the system says has a number; what an unpacker says has none.
        if error.raw_os_error().is_some() {
            return BatchError::reading(&self.path, error);
        }
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "it was cut off: the packed data ends before its end".to_owned()
            }
            _ => format!("it cannot be unpacked, the file is damaged: {error}"),
        };
        BatchError::WrongFile { path: self.path.clone(), reason }
    }

    /// Takes the first `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }
}

struct Counted {
    reader: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(bytes)?;
        self.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
