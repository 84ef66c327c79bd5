use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};

/// A file that several threads read at once: each at places of its own. (A
/// cloned `File` shares its position with the others.)
#[derive(Clone, Debug)]
pub(crate) struct PositionedFile {
    file: Arc<File>,
    bytes: u64,
}

/// Reads on from a place.
pub(crate) struct ReadFrom {
    file: Arc<File>,
    position: u64,
}

impl PositionedFile {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), bytes })
    }
}

impl Read for ReadFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Length for PositionedFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for PositionedFile {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(ReadFrom { file: Arc::clone(&self.file), position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_do_not_move_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digits");
        std::fs::write(&path, "0123456789").unwrap();
        let file = PositionedFile::new(File::open(&path).unwrap()).unwrap();
        let (mut first, mut second) = (file.get_read(2).unwrap(), file.get_read(5).unwrap());
        let mut two = [0; 2];
        first.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"23");
        second.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"56");
        first.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"45");
        assert_eq!(file.get_bytes(8, 2).unwrap(), "89");
        assert!(file.get_bytes(8, 3).is_err());
    }
}
