//! Reading within one transaction.

use std::ops::Bound;

use bytes::Bytes;
use heed::RoTxn;

use super::environment::Environment;
use super::key::{self, Entry};
use crate::{
    Answer, Found, Lookup, PartKind, PartVersion, StoreError, StoredPart, TableId, TableState,
};

/// A table's number and state; no number where nobody wrote to it.
pub(super) fn state(
    environment: &Environment,
    txn: &RoTxn<'_>,
    table: &TableId,
) -> Result<(Option<u32>, TableState), StoreError> {
    let failed = |error: heed::Error| environment.error("read", &error);
    let stored = environment.parts().get(txn, &key::state_key(table.as_str())).map_err(failed)?;
    let Some(bytes) = stored else { return Ok((None, TableState::default())) };
    let (id, state) = TableState::from_bytes(bytes)
        .ok_or_else(|| environment.corrupted(format!("the state of table {table}")))?;
    Ok((Some(id), state))
}

/// Where a part lies in the buffer that all parts of one read share.
struct Span {
    name: (usize, usize),
    version: PartVersion,
    value: (usize, usize),
}

/// What was found, before the buffer is whole.
#[derive(Default)]
struct FoundSpans {
    rows: Vec<Span>,
    tiles: Vec<Option<Span>>,
}

pub(super) fn read(
    environment: &Environment,
    txn: &RoTxn<'_>,
    lookups: &[Lookup<'_>],
) -> Result<Answer, StoreError> {
    let mut states: Vec<(TableId, TableState)> = Vec::new();
    let mut ids: Vec<Option<u32>> = Vec::new();
    let mut reader = Reader { environment, txn, key: Vec::with_capacity(512), buffer: Vec::new() };
    let mut spans = Vec::with_capacity(lookups.len());
    for lookup in lookups {
        let at = match states.iter().position(|(table, _)| table == lookup.table) {
            Some(at) => at,
            None => {
                let (id, state) = state(environment, txn, lookup.table)?;
                states.push((lookup.table.clone(), state));
                ids.push(id);
                ids.len() - 1
            }
        };
        spans.push(match ids[at] {
            Some(id) => reader.lookup(id, states[at].1.generation, lookup)?,
            None => {
                FoundSpans { rows: Vec::new(), tiles: lookup.tiles.iter().map(|_| None).collect() }
            }
        });
    }
    let buffer = Bytes::from(reader.buffer);
    let part = |span: Span| StoredPart {
        name: buffer.slice(span.name.0..span.name.1),
        version: span.version,
        value: buffer.slice(span.value.0..span.value.1),
    };
    let found = spans.into_iter().map(|FoundSpans { rows, tiles }| Found {
        rows: rows.into_iter().map(part).collect(),
        tiles: tiles.into_iter().map(|tile| tile.map(part)).collect(),
    });
    Ok(Answer { found: found.collect(), states })
}

struct Reader<'a, 't> {
    environment: &'a Environment,
    txn: &'a RoTxn<'t>,
    key: Vec<u8>,
    buffer: Vec<u8>,
}

impl Reader<'_, '_> {
    fn lookup(
        &mut self,
        id: u32,
        generation: u64,
        lookup: &Lookup<'_>,
    ) -> Result<FoundSpans, StoreError> {
        let mut found = FoundSpans::default();
        self.key = key::generation_prefix(id, generation);
        key::push_entity(&mut self.key, lookup.entity);
        let entity_end = self.key.len();
        found.tiles.reserve(lookup.tiles.len());
        for name in lookup.tiles {
            self.key.truncate(entity_end);
            key::push_name(&mut self.key, PartKind::Tile, name);
            let stored = self
                .environment
                .parts()
                .get(self.txn, &self.key)
                .map_err(|error| self.environment.error("read", &error))?;
            let entry = stored.map(|stored| entry(self.environment, &self.key, entity_end, stored));
            let entry = entry.transpose()?;
            let span = match entry {
                Some(entry) => {
                    check_entity(self.environment, &entry, lookup.entity)?;
                    Some(keep(&mut self.buffer, &entry))
                }
                None => None,
            };
            found.tiles.push(span);
        }
        self.key.truncate(entity_end);
        self.key.push(key::kind_byte(PartKind::Row));
        if let Some(from) = lookup.rows_from {
            self.rows_from(from, lookup, entity_end, &mut found.rows)?;
        }
        if lookup.newest_row && found.rows.is_empty() {
            self.newest_row(lookup, entity_end, &mut found.rows)?;
        }
        Ok(found)
    }

    fn rows_from(
        &mut self,
        from: &[u8],
        lookup: &Lookup<'_>,
        entity_end: usize,
        rows: &mut Vec<Span>,
    ) -> Result<(), StoreError> {
        let mut lower = self.key.clone();
        key::push_bound(&mut lower, from);
        let upper = key::upper_bound(&self.key, lookup.rows_below);
        let bounds = (Bound::Included(&lower[..]), as_slice(&upper));
        let failed = |error: heed::Error| self.environment.error("read", &error);
        let mut long = false;
        // LMDB takes a range whose ends are the wrong way round for an error.
        if lookup.rows_below.is_some_and(|below| below <= from) {
            return Ok(());
        }
        for item in self.environment.parts().range(self.txn, &bounds).map_err(failed)? {
            let (key, stored) = item.map_err(failed)?;
            let entry = entry(self.environment, key, entity_end, stored)?;
            check_entity(self.environment, &entry, lookup.entity)?;
            long |= entry.name.len() > key::LONGEST_NAME;
            if entry.name >= from && lookup.rows_below.is_none_or(|below| entry.name < below) {
                rows.push(keep(&mut self.buffer, &entry));
            }
        }
        if long {
            let buffer = &self.buffer;
            rows.sort_by(|a, b| buffer[a.name.0..a.name.1].cmp(&buffer[b.name.0..b.name.1]));
        }
        Ok(())
    }

    fn newest_row(
        &mut self,
        lookup: &Lookup<'_>,
        entity_end: usize,
        rows: &mut Vec<Span>,
    ) -> Result<(), StoreError> {
        let upper = key::upper_bound(&self.key, lookup.rows_below);
        let bounds = (Bound::Included(&self.key[..]), as_slice(&upper));
        let failed = |error: heed::Error| self.environment.error("read", &error);
        let mut newest: Option<Entry<'_>> = None;
        for item in self.environment.parts().rev_range(self.txn, &bounds).map_err(failed)? {
            let (key, stored) = item.map_err(failed)?;
            let entry = entry(self.environment, key, entity_end, stored)?;
            check_entity(self.environment, &entry, lookup.entity)?;
            // Names with a common long beginning lie in the order of their hashes: all of them are looked at.
            let beginning = |name: &[u8]| name.get(..key::LONGEST_NAME).map(<[u8]>::to_vec);
            if newest.as_ref().is_some_and(|newest| {
                newest.name.len() <= key::LONGEST_NAME
                    || beginning(newest.name) != beginning(entry.name)
            }) {
                break;
            }
            let wanted = lookup.rows_below.is_none_or(|below| entry.name < below);
            if wanted && newest.as_ref().is_none_or(|newest| entry.name > newest.name) {
                newest = Some(entry);
            }
        }
        rows.extend(newest.map(|entry| keep(&mut self.buffer, &entry)));
        Ok(())
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// A stored part, whose key's entity ends at `entity_end`.
pub(super) fn entry<'a>(
    environment: &Environment,
    key: &'a [u8],
    entity_end: usize,
    stored: &'a [u8],
) -> Result<Entry<'a>, StoreError> {
    key::decode(key, entity_end + 1, stored).ok_or_else(|| {
        let key = key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        environment.corrupted(format!("what is stored under key {key} is no part"))
    })
}

/// Two entities of one hash would be a find; here they are an error.
pub(super) fn check_entity(
    environment: &Environment,
    entry: &Entry<'_>,
    entity: &[u8],
) -> Result<(), StoreError> {
    if entry.entity.is_some_and(|stored| stored != entity) {
        return Err(environment.corrupted("an entity is stored under another one's key"));
    }
    Ok(())
}

fn keep(buffer: &mut Vec<u8>, entry: &Entry<'_>) -> Span {
    let start = buffer.len();
    buffer.extend(entry.name);
    let middle = buffer.len();
    buffer.extend(entry.value);
    Span { name: (start, middle), version: entry.version, value: (middle, buffer.len()) }
}
