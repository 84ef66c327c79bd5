//! What a file holds, as a hash.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::BatchError;

/// The length of a file in bytes and the BLAKE3 hash of them, in hexadecimal.
/// Reads all of it, as long as nobody asks to stop.
pub(crate) fn file_hash(
    path: &Path,
    cancelled: &dyn Fn() -> bool,
) -> Result<(u64, String), BatchError> {
    let failed = |error| BatchError::reading(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        if cancelled() {
            return Err(BatchError::Cancelled);
        }
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok((bytes, hasher.finalize().to_hex().to_string())),
            read => {
                bytes += read as u64;
                hasher.update(&buffer[..read]);
            }
        }
    }
}
