//! Keys, and what lies under them.
//!
//! | key | what |
//! |---|---|
//! | `PREFIX:state:TABLE` | the table's state, as bytes |
//! | `PREFIX:{TABLE/GENERATION/ENTITY}t` | a hash: a tile's name to its version (24 bytes) and value |
//! | `PREFIX:{TABLE/GENERATION/ENTITY}r` | a sorted set of score 0, one member for each row: its name, its version, its value |
//!
//! The braces keep an entity's two keys on one server of a cluster, so that one script sees both. In a member the name's zero bytes are written
//! `00 ff` and two zeros end it: members lie in the order of names, none is the beginning of another, and of two members of one name the newer is the
//! greater.

use bytes::{Buf as _, Bytes};

use crate::{PartVersion, StoreError, StoredPart, TableId};

/// The keys of one project.
#[derive(Debug)]
pub(super) struct Layout {
    prefix: String,
}

/// How an entity's key of rows ends, behind the prefix of the generation and the entity.
pub(super) const ROWS: &[u8] = b"}r";
/// How its key of tiles ends.
pub(super) const TILES: &[u8] = b"}t";

impl Layout {
    pub(super) fn new(prefix: &str) -> Result<Self, StoreError> {
        if let Some(bad) = prefix.chars().find(|c| matches!(c, '{' | '}') || c.is_control()) {
            return Err(StoreError::Invalid {
                what: format!(
                    "the prefix of Redis keys, {prefix:?}, holds {bad:?}; take letters, digits, `-`, `_`, `:`"
                ),
            });
        }
        Ok(Self { prefix: prefix.into() })
    }

    pub(super) fn state_key(&self, table: &TableId) -> Vec<u8> {
        format!("{}:state:{table}", self.prefix).into_bytes()
    }

    /// The beginning of the keys of a table.
    pub(super) fn table_prefix(&self, table: &TableId) -> Vec<u8> {
        format!("{}:{{{table}/", self.prefix).into_bytes()
    }

    /// The beginning of the keys of a table's generation.
    pub(super) fn generation_prefix(&self, table: &TableId, generation: u64) -> Vec<u8> {
        format!("{}:{{{table}/{generation}/", self.prefix).into_bytes()
    }
}

/// The generation in a key of a table, and whether it is a key of rows; nothing where it is no such key.
pub(super) fn parse_key(table_prefix: &[u8], key: &[u8]) -> Option<(u64, bool)> {
    let rest = key.strip_prefix(table_prefix)?;
    let end = rest.iter().position(|byte| *byte == b'/')?;
    let generation = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    match rest.get(end + 1..)? {
        [.., b'}', b'r'] => Some((generation, true)),
        [.., b'}', b't'] => Some((generation, false)),
        _ => None,
    }
}

/// A pattern of `SCAN` for keys that begin with these bytes.
pub(super) fn scan_pattern(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 8);
    for byte in prefix {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'^' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}

/// A name as the beginning of members, without its end.
pub(super) fn push_escaped(buffer: &mut Vec<u8>, name: &[u8]) {
    for byte in name {
        buffer.push(*byte);
        if *byte == 0 {
            buffer.push(0xff);
        }
    }
}

/// A bound of names for `ZRANGEBYLEX` and its like.
pub(super) fn bound(mark: u8, name: &[u8]) -> Vec<u8> {
    let mut bound = Vec::with_capacity(name.len() + 2);
    bound.push(mark);
    push_escaped(&mut bound, name);
    bound
}

/// What all members of one name begin with.
pub(super) fn member_prefix(name: &[u8]) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(name.len() + 4);
    push_escaped(&mut prefix, name);
    prefix.extend([0, 0]);
    prefix
}

/// Reads a member; nothing where it is none.
pub(super) fn parse_member(mut member: Bytes) -> Option<StoredPart> {
    let mut at = 0;
    let mut escaped = false;
    let end = loop {
        at += member.get(at..)?.iter().position(|byte| *byte == 0)?;
        match member.get(at + 1)? {
            0xff => escaped = true,
            0 => break at,
            _ => return None,
        }
        at += 2;
    };
    let (version, value) = PartVersion::split(&member[end + 2..])?;
    let value_at = member.len() - value.len();
    let name = match escaped {
        false => member.slice(..end),
        true => {
            let mut name = Vec::with_capacity(end);
            let mut bytes = member[..end].iter();
            while let Some(byte) = bytes.next() {
                name.push(*byte);
                if *byte == 0 {
                    bytes.next();
                }
            }
            name.into()
        }
    };
    member.advance(value_at);
    Some(StoredPart { name, version, value: member })
}

/// Reads a tile's field; nothing where it is none.
pub(super) fn parse_tile(name: &Bytes, mut stored: Bytes) -> Option<StoredPart> {
    let (version, _) = PartVersion::split(&stored)?;
    stored.advance(PartVersion::BYTES);
    Some(StoredPart { name: name.clone(), version, value: stored })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(name: &[u8], version: PartVersion, value: &[u8]) -> Vec<u8> {
        [&member_prefix(name)[..], &version.to_bytes(), value].concat()
    }

    fn name() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xff), any::<u8>()], 0..6)
    }

    proptest! {
        #[test]
        fn members_lie_in_the_order_of_names_then_versions(
            one in name(), other in name(), times in any::<(i64, i64)>(), values in any::<(Vec<u8>, Vec<u8>)>()
        ) {
            let version = |time| PartVersion { event_timestamp: time, ..PartVersion::default() };
            let a = member(&one, version(times.0), &values.0);
            let b = member(&other, version(times.1), &values.1);
            if (&one, times.0) != (&other, times.1) {
                prop_assert_eq!((&one, times.0).cmp(&(&other, times.1)), a.cmp(&b));
            }
            prop_assert_eq!(one >= other, a >= bound(b'[', &other)[1..].to_vec());
            let parsed = parse_member(a.into()).unwrap();
            prop_assert_eq!((&parsed.name[..], parsed.version, &parsed.value[..]), (&one[..], version(times.0), &values.0[..]));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = parse_key(b"", &bytes);
            let bytes = Bytes::from(bytes);
            let _ = parse_member(bytes.clone());
            let _ = parse_tile(&Bytes::new(), bytes);
        }
    }

    #[test]
    fn keys_say_what_they_are_of() {
        let layout = Layout::new("p").unwrap();
        let table = TableId::new("v@1").unwrap();
        for entity in [&b""[..], b"a", b"/7/", b"}r", b"{}"] {
            let key = |end| [&layout.generation_prefix(&table, 12), entity, end].concat();
            let prefix = layout.table_prefix(&table);
            assert_eq!(parse_key(&prefix, &key(ROWS)), Some((12, true)));
            assert_eq!(parse_key(&prefix, &key(TILES)), Some((12, false)));
        }
        assert!(Layout::new("a{b").is_err());
        assert_eq!(scan_pattern(b"a[b]*?\\c"), b"a\\[b\\]\\*\\?\\\\c*");
    }
}
