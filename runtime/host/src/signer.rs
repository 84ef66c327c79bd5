//! Signatures over tens of megabytes: a keyed hash in segments, on as many
//! threads as there are cores.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

use blake3::Hash;

pub(crate) const KEY_BYTES: usize = 32;

/// Hashed by one thread at a time.
const SEGMENT_BYTES: usize = 1 << 20;
/// More threads than these only wait for memory.
const MOST_THREADS: usize = 8;

/// What signs: keys of which one belongs to segments and the other to the
/// whole, so that no segment is ever taken for a whole.
pub(crate) struct Signer {
    of_segments: [u8; KEY_BYTES],
    of_wholes: [u8; KEY_BYTES],
}

impl Signer {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            of_segments: blake3::derive_key("Unskew native code 2026-11-21 segments", key),
            of_wholes: blake3::derive_key("Unskew native code 2026-11-21 signatures", key),
        }
    }

    /// The signature of `bytes` as the content of what `name` names.
    pub(crate) fn sign(&self, name: &str, bytes: &[u8]) -> Hash {
        let mut signer = blake3::Hasher::new_keyed(&self.of_wholes);
        signer.update(&(name.len() as u64).to_le_bytes());
        signer.update(name.as_bytes());
        signer.update(&(bytes.len() as u64).to_le_bytes());
        for hash in self.segments(bytes) {
            signer.update(&hash);
        }
        signer.finalize()
    }

    fn segments(&self, bytes: &[u8]) -> Vec<[u8; blake3::OUT_LEN]> {
        let count = bytes.len().div_ceil(SEGMENT_BYTES);
        let mut hashes = vec![[0; blake3::OUT_LEN]; count];
        // Whoever is done takes the next one: cores are not equally free.
        let work = Mutex::new(bytes.chunks(SEGMENT_BYTES).zip(&mut hashes));
        let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        let hash_segments = || {
            while let Some((segment, hash)) = next() {
                *hash = *blake3::keyed_hash(&self.of_segments, segment).as_bytes();
            }
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 1..cores.min(MOST_THREADS).min(count) {
                // One thread fewer takes longer, and nothing else.
                if thread::Builder::new().spawn_scoped(scope, hash_segments).is_err() {
                    break;
                }
            }
            hash_segments();
        });
        hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_length_content_and_key_all_count() {
        let signer = Signer::new(&[7; KEY_BYTES]);
        let mut bytes: Vec<u8> = (0..3 * SEGMENT_BYTES + 17).map(|at| (at % 251) as u8).collect();
        let signature = signer.sign("a", &bytes);
        assert_eq!(signer.sign("a", &bytes), signature, "threads take segments in any order");
        let mut others = vec![
            signer.sign("b", &bytes),
            signer.sign("a", &bytes[..3 * SEGMENT_BYTES]),
            Signer::new(&[8; KEY_BYTES]).sign("a", &bytes),
        ];
        for at in [0, SEGMENT_BYTES - 1, SEGMENT_BYTES, 3 * SEGMENT_BYTES + 16] {
            bytes[at] ^= 1;
            others.push(signer.sign("a", &bytes));
            bytes[at] ^= 1;
        }
        let (first, rest) = bytes.split_at_mut(SEGMENT_BYTES);
        first.swap_with_slice(&mut rest[..SEGMENT_BYTES]);
        others.push(signer.sign("a", &bytes));
        assert!(!others.contains(&signature));
        assert_ne!(signer.sign("", b""), signer.sign("", b"\0"));
    }
}
