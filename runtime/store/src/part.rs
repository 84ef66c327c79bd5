//! What a table holds of an entity.

use bytes::Bytes;

/// Which of two kinds a part is: they live in separate name spaces, and are asked for in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// Asked for by its exact name.
    Tile,
    /// Asked for by a range of names, or as the newest (greatest) name.
    Row,
}

/// What decides between two writes of the same part in one generation: the greater wins, compared field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartVersion {
    /// Microseconds since the epoch, UTC.
    pub event_timestamp: i64,
    /// Microseconds since the epoch, UTC.
    pub created_timestamp: i64,
    /// Counts revisions of the same part.
    pub revision: u64,
}

impl PartVersion {
    /// Length of [`PartVersion::to_bytes`].
    pub(crate) const BYTES: usize = 24;

    /// Bytes whose order is the order of versions.
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let Self { event_timestamp, created_timestamp, revision } = self;
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&flip(event_timestamp).to_be_bytes());
        bytes[8..16].copy_from_slice(&flip(created_timestamp).to_be_bytes());
        bytes[16..].copy_from_slice(&revision.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(word)
        };
        Self {
            event_timestamp: unflip(word(0)),
            created_timestamp: unflip(word(8)),
            revision: word(16),
        }
    }

    /// The version at the front of some bytes, and what follows it.
    pub(crate) fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (version, rest) = bytes.split_first_chunk()?;
        Some((Self::from_bytes(*version), rest))
    }
}

/// Signed numbers in the order of unsigned ones.
fn flip(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

fn unflip(bits: u64) -> i64 {
    (bits ^ (1 << 63)).cast_signed()
}

/// One thing to be written about an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Row or tile.
    pub kind: PartKind,
    /// Ordered bytes: rows lie in the order of their names. Any bytes, of any length, zeros too.
    pub name: Bytes,
    /// Decides between this write and others of the same name.
    pub version: PartVersion,
    /// Opaque here.
    pub value: Bytes,
}

/// What is to be written about one entity, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Canonical bytes of the entity's join keys.
    pub entity: Bytes,
    /// At most one part for each (kind, name).
    pub parts: Vec<Part>,
    /// In the same step, after the parts are put, the entity's rows with lesser names are removed.
    pub drop_rows_below: Option<Bytes>,
}

/// A part as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart {
    /// As it was written.
    pub name: Bytes,
    /// As it was written.
    pub version: PartVersion,
    /// As it was written.
    pub value: Bytes,
}

#[cfg(test)]
mod tests {
    use super::PartVersion;

    #[test]
    fn the_order_of_bytes_is_the_order_of_versions() {
        let times = [i64::MIN, -1, 0, 1, 1_700_000_000_000_000, i64::MAX];
        let revisions = [0, 1, 255, 256, u64::MAX];
        let mut all = Vec::new();
        for event_timestamp in times {
            for created_timestamp in times {
                for revision in revisions {
                    all.push(PartVersion { event_timestamp, created_timestamp, revision });
                }
            }
        }
        for one in &all {
            assert_eq!(PartVersion::from_bytes(one.to_bytes()), *one);
            for other in &all {
                assert_eq!(one.cmp(other), one.to_bytes().cmp(&other.to_bytes()));
            }
        }
    }
}
