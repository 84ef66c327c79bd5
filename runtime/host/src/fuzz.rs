//! Doors to what decodes untrusted bytes, for the targets under `fuzz/` alone.

use arrow::array::ArrayRef;
use arrow::buffer::MutableBuffer;
use unskew_definition::{Field, Manifest};

use crate::decode::{Failing, decode};

/// Decodes a reply as if a module had given it.
pub fn decode_reply(reply: &[u8], fields: &[Field], rows: usize) -> Result<Vec<ArrayRef>, String> {
    let mut bytes = MutableBuffer::new(reply.len());
    bytes.extend_from_slice(reply);
    decode(bytes, fields, rows, Failing::Rows, 4096).map(|reply| reply.columns)
}

/// A manifest as JSON.
pub fn manifest_to_json(manifest: &Manifest) -> Vec<u8> {
    serde_json::to_vec(manifest).expect("a manifest is plain data")
}
