//! Removing much, a piece at a time, so that writers and readers beside it are hindered little.

use std::collections::BTreeMap;
use std::ops::Bound;

use heed::RwTxn;

use super::environment::Environment;
use super::writer::Failure;
use super::{key, read};
use crate::{PartKind, TableId, Trim, Trimmed};

/// Parts that one transaction looks at, about.
const PIECE: usize = 16 << 10;

/// Removes some parts of a generation, and says how many: none when all are gone.
pub(super) fn drop_piece(
    environment: &Environment,
    txn: &mut RwTxn<'_>,
    table: &TableId,
    generation: u64,
) -> Result<u64, Failure> {
    let (Some(id), _) = read::state(environment, txn, table)? else { return Ok(0) };
    let prefix = key::generation_prefix(id, generation);
    let mut keys = Vec::new();
    for item in environment.parts().prefix_iter(txn, &prefix)?.take(PIECE) {
        keys.push(item?.0.to_vec());
    }
    for key in &keys {
        environment.parts().delete(txn, key)?;
    }
    Ok(keys.len() as u64)
}

/// Trims entities from `start` on (a key's beginning) until a piece is full; says where to go on, if anywhere.
pub(super) fn trim_piece(
    environment: &Environment,
    txn: &mut RwTxn<'_>,
    table: &TableId,
    generation: u64,
    trim: &Trim,
    start: Option<&[u8]>,
) -> Result<(Trimmed, Option<Vec<u8>>), Failure> {
    let (id, state) = read::state(environment, txn, table)?;
    state.require_live(environment.place(), table, generation)?;
    let Some(id) = id else { return Ok((Trimmed::default(), None)) };
    let prefix = key::generation_prefix(id, generation);
    let from = start.unwrap_or(&prefix);
    let bounds = (Bound::Included(from), Bound::Unbounded);

    let mut sweep = Sweep::new(trim);
    let mut next = None;
    for (seen, item) in environment.parts().range(txn, &bounds)?.enumerate() {
        let (key, stored) = item?;
        if !key.starts_with(&prefix) {
            break;
        }
        let end = key::entity_end(key)
            .ok_or_else(|| environment.corrupted("a part's key has no entity"))?;
        if sweep.entity != key[..end] {
            sweep.end_entity();
            if seen >= PIECE {
                next = Some(key[..end].to_vec());
                break;
            }
            sweep.entity = key[..end].to_vec();
        }
        let entry = read::entry(environment, key, end, stored)?;
        sweep.look(key, key[end], entry.name);
    }
    sweep.end_entity();
    let Sweep { doomed, trimmed, .. } = sweep;
    for key in doomed {
        environment.parts().delete(txn, &key)?;
    }
    Ok((trimmed, next))
}

/// What is to go, entity by entity.
struct Sweep<'a> {
    trim: &'a Trim,
    entity: Vec<u8>,
    /// Keys of this entity's rows that could go, by full name: long names do not lie in order.
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    newest: Vec<u8>,
    doomed: Vec<Vec<u8>>,
    trimmed: Trimmed,
}

impl<'a> Sweep<'a> {
    fn new(trim: &'a Trim) -> Self {
        Self {
            trim,
            entity: Vec::new(),
            rows: BTreeMap::new(),
            newest: Vec::new(),
            doomed: Vec::new(),
            trimmed: Trimmed::default(),
        }
    }

    fn look(&mut self, key: &[u8], kind: u8, name: &[u8]) {
        let Trim { rows_below, keep_newest_row: _, tiles } = self.trim;
        if kind == key::kind_byte(PartKind::Tile) {
            if tiles.iter().any(|(from, to)| &from[..] <= name && name < &to[..]) {
                self.doomed.push(key.to_vec());
                self.trimmed.tiles += 1;
            }
            return;
        }
        if name > &self.newest[..] {
            self.newest = name.to_vec();
        }
        if rows_below.as_ref().is_some_and(|below| name < &below[..]) {
            self.rows.insert(name.to_vec(), key.to_vec());
        }
    }

    fn end_entity(&mut self) {
        if self.trim.keep_newest_row {
            self.rows.remove(&self.newest);
        }
        self.trimmed.rows += self.rows.len() as u64;
        self.doomed.extend(std::mem::take(&mut self.rows).into_values());
        self.newest.clear();
    }
}
