//! Keys and values as LMDB holds them.
//!
//! A key is at most 511 bytes: `2`, table (4 bytes), generation (8), entity, kind (1), name. An entity of up to 200 bytes stands there with its length
//! before it; a longer one as its hash. A row's name keeps its order: up to 256 bytes it stands as it is, a longer one as its first 256 bytes and its
//! hash. What is hashed stands in full before the value, where it is compared, and where rows with a common beginning of 256 bytes get their order from.

use std::ops::Bound;

use crate::{PartKind, PartVersion};

/// A key of this store's own bookkeeping.
pub(super) const FORMAT_KEY: &[u8] = b"\0format";
/// Bytes that stand at [`FORMAT_KEY`]; another layout would need another number.
pub(super) const FORMAT: &[u8] = b"unskew online 1";
/// The number of the next table.
pub(super) const NEXT_TABLE_KEY: &[u8] = b"\0next_table";

const STATE: u8 = 1;
const PART: u8 = 2;
const HASHED: u8 = 0xff;
const HASH: usize = 32;
const LONGEST_ENTITY: usize = 200;
/// The longest name that stands in a key as it is.
pub(super) const LONGEST_NAME: usize = 256;
const TABLE: usize = 1 + 4 + 8;

const ENTITY_BESIDE: u8 = 1;
const NAME_BESIDE: u8 = 2;

/// The key of a table's state.
pub(super) fn state_key(table: &str) -> Vec<u8> {
    [&[STATE], table.as_bytes()].concat()
}

/// The beginning of all keys of a table's generation.
pub(super) fn generation_prefix(table: u32, generation: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(512);
    key.push(PART);
    key.extend(table.to_be_bytes());
    key.extend(generation.to_be_bytes());
    key
}

/// Puts an entity behind a generation's prefix.
pub(super) fn push_entity(key: &mut Vec<u8>, entity: &[u8]) {
    debug_assert_eq!(key.len(), TABLE);
    match u8::try_from(entity.len()) {
        Ok(length) if entity.len() <= LONGEST_ENTITY => {
            key.push(length);
            key.extend(entity);
        }
        _ => {
            key.push(HASHED);
            key.extend(blake3::hash(entity).as_bytes());
        }
    }
}

/// The length of a key's beginning that names table, generation and entity; nothing where it is no key of a part.
pub(super) fn entity_end(key: &[u8]) -> Option<usize> {
    let end = match *key.get(TABLE)? {
        HASHED => TABLE + 1 + HASH,
        length => TABLE + 1 + usize::from(length),
    };
    (key.len() > end).then_some(end)
}

pub(super) fn kind_byte(kind: PartKind) -> u8 {
    match kind {
        PartKind::Tile => 0,
        PartKind::Row => 1,
    }
}

/// Puts a kind and a name behind an entity.
pub(super) fn push_name(key: &mut Vec<u8>, kind: PartKind, name: &[u8]) {
    key.push(kind_byte(kind));
    push_bound(key, name);
    if name.len() > LONGEST_NAME {
        key.extend(blake3::hash(name).as_bytes());
    }
}

/// Puts what is at or below the key of every name from `name` on.
pub(super) fn push_bound(key: &mut Vec<u8>, name: &[u8]) {
    key.extend(&name[..name.len().min(LONGEST_NAME)]);
}

/// The end of the keys that rows below a name can have, or all rows; `rows` ends with the kind.
pub(super) fn upper_bound(rows: &[u8], below: Option<&[u8]>) -> Bound<Vec<u8>> {
    let mut upper = rows.to_vec();
    match below {
        Some(below) => {
            push_bound(&mut upper, below);
            if below.len() <= LONGEST_NAME {
                return Bound::Excluded(upper);
            }
            // Rows that begin like the bound may lie on either side of it; no hash is greater than this.
            upper.extend([0xff; HASH]);
            Bound::Included(upper)
        }
        None => {
            if let Some(kind) = upper.last_mut() {
                *kind += 1;
            }
            Bound::Excluded(upper)
        }
    }
}

/// A value with all that stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Where the key holds its hash.
    pub entity: Option<&'a [u8]>,
    /// In full, wherever it stands.
    pub name: &'a [u8],
    pub version: PartVersion,
    pub value: &'a [u8],
}

/// Writes the value of a part into a buffer.
pub(super) fn encode(
    buffer: &mut Vec<u8>,
    entity: &[u8],
    name: &[u8],
    version: PartVersion,
    value: &[u8],
) {
    buffer.clear();
    buffer.push(0);
    for (flag, bytes, longest) in
        [(ENTITY_BESIDE, entity, LONGEST_ENTITY), (NAME_BESIDE, name, LONGEST_NAME)]
    {
        if bytes.len() > longest {
            buffer[0] |= flag;
            buffer.extend((bytes.len() as u64).to_be_bytes());
            buffer.extend(bytes);
        }
    }
    buffer.extend(version.to_bytes());
    buffer.extend(value);
}

/// Reads a value; nothing where it does not fit its key. `name_start` is where the name begins in the key.
pub(super) fn decode<'a>(key: &'a [u8], name_start: usize, stored: &'a [u8]) -> Option<Entry<'a>> {
    let (&[flags], mut rest) = stored.split_first_chunk()?;
    let mut beside = [None, None];
    for (flag, slot) in [ENTITY_BESIDE, NAME_BESIDE].into_iter().zip(&mut beside) {
        if flags & flag != 0 {
            let (length, after) = rest.split_first_chunk()?;
            let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
            let (bytes, after) = after.split_at_checked(length)?;
            *slot = Some(bytes);
            rest = after;
        }
    }
    let [entity, name] = beside;
    let in_key = key.get(name_start..)?;
    if flags > ENTITY_BESIDE | NAME_BESIDE || name.is_none() != (in_key.len() <= LONGEST_NAME) {
        return None;
    }
    let (version, value) = PartVersion::split(rest)?;
    Some(Entry { entity, name: name.unwrap_or(in_key), version, value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key_of(entity: &[u8], name: &[u8]) -> Vec<u8> {
        let mut key = generation_prefix(7, 9);
        push_entity(&mut key, entity);
        push_name(&mut key, PartKind::Row, name);
        key
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(0..2u8, 190..270),
            prop::collection::vec(any::<u8>(), 200..900),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entity in any_bytes(), name in any_bytes(), value in any_bytes(), time: i64) {
            let key = key_of(&entity, &name);
            prop_assert!(key.len() <= 511);
            let version = PartVersion { event_timestamp: time, created_timestamp: -3, revision: 2 };
            let mut stored = vec![1, 2, 3];
            encode(&mut stored, &entity, &name, version, &value);
            let end = entity_end(&key).unwrap();
            let entry = decode(&key, end + 1, &stored).unwrap();
            prop_assert_eq!((entry.name, entry.version, entry.value), (&name[..], version, &value[..]));
            prop_assert_eq!(entry.entity, (entity.len() > LONGEST_ENTITY).then_some(&entity[..]));
            for cut in 0..stored.len() - value.len() {
                prop_assert_eq!(decode(&key, end + 1, &stored[..cut]), None);
            }
        }

        #[test]
        fn entities_have_keys_of_their_own(one in any_bytes(), other in any_bytes(), name in any_bytes()) {
            let (a, b) = (key_of(&one, &name), key_of(&other, &name));
            let beginning = &a[..entity_end(&a).unwrap()];
            prop_assert_eq!(b.starts_with(beginning), one == other);
        }

        #[test]
        fn keys_keep_the_order_of_names_but_for_long_common_beginnings(one in any_bytes(), other in any_bytes()) {
            let (a, b) = (key_of(b"e", &one), key_of(b"e", &other));
            let alike = one.get(..LONGEST_NAME).is_some_and(|start| other.starts_with(start));
            prop_assert!(alike || one.cmp(&other) == a.cmp(&b));
            let mut bound = generation_prefix(7, 9);
            push_entity(&mut bound, b"e");
            bound.push(kind_byte(PartKind::Row));
            push_bound(&mut bound, &one);
            prop_assert!(other < one || bound <= b);
        }

        #[test]
        fn any_bytes_are_read_or_refused(key in any_bytes(), stored in any_bytes(), start in 0..600usize) {
            let _ = entity_end(&key);
            let _ = decode(&key, start, &stored);
        }
    }
}
