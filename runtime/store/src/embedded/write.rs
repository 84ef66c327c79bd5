//! Writing within one transaction.

use std::ops::Bound;

use heed::RwTxn;

use super::environment::Environment;
use super::writer::Failure;
use super::{TRANSACTION_BYTES, TRANSACTION_PARTS, key, read};
use crate::{
    Compaction, Part, PartKind, Record, StoreError, TableId, TableState, WriteMode, Written,
};

/// How many of the first records make one transaction: at least one.
pub(super) fn chunk_length(records: &[Record]) -> usize {
    let (mut bytes, mut parts) = (0, 0);
    let fits = |record: &&Record| {
        let before = parts;
        parts += record.parts.len();
        bytes += record.parts.iter().map(|part| part.value.len()).sum::<usize>();
        before == 0 || (bytes <= TRANSACTION_BYTES && parts <= TRANSACTION_PARTS)
    };
    records.iter().take_while(fits).count()
}

/// A table's number and state; a table that is new gets a number.
pub(super) fn state_for_writing(
    environment: &Environment,
    txn: &mut RwTxn<'_>,
    table: &TableId,
) -> Result<(u32, TableState), Failure> {
    let (id, state) = read::state(environment, txn, table)?;
    if let Some(id) = id {
        return Ok((id, state));
    }
    let next = match environment.parts().get(txn, key::NEXT_TABLE_KEY)? {
        Some(bytes) => u32::from_be_bytes(
            bytes
                .try_into()
                .map_err(|_| environment.corrupted("the number of tables is no number"))?,
        ),
        None => 0,
    };
    let following = next.checked_add(1).ok_or_else(|| StoreError::Full {
        place: environment.place().into(),
        why: "it has had as many tables as it can number".into(),
    })?;
    environment.parts().put(txn, key::NEXT_TABLE_KEY, &following.to_be_bytes())?;
    put_state(environment, txn, table, next, &state)?;
    Ok((next, state))
}

pub(super) fn put_state(
    environment: &Environment,
    txn: &mut RwTxn<'_>,
    table: &TableId,
    id: u32,
    state: &TableState,
) -> Result<(), Failure> {
    Ok(environment.parts().put(txn, &key::state_key(table.as_str()), &state.to_bytes(id))?)
}

/// One entity's parts, as they are written.
struct EntityWriter<'a, 'b, 't> {
    environment: &'a Environment,
    txn: &'b mut RwTxn<'t>,
    entity: &'a [u8],
    key: Vec<u8>,
    entity_end: usize,
    buffer: &'b mut Vec<u8>,
}

impl<'a, 'b, 't> EntityWriter<'a, 'b, 't> {
    fn new(
        environment: &'a Environment,
        txn: &'b mut RwTxn<'t>,
        buffer: &'b mut Vec<u8>,
        (id, generation): (u32, u64),
        entity: &'a [u8],
    ) -> Self {
        let mut key = key::generation_prefix(id, generation);
        key::push_entity(&mut key, entity);
        let entity_end = key.len();
        Self { environment, txn, entity, key, entity_end, buffer }
    }

    fn at(&mut self, kind: PartKind, name: &[u8]) {
        self.key.truncate(self.entity_end);
        key::push_name(&mut self.key, kind, name);
    }

    fn put(&mut self, part: &Part, mode: WriteMode) -> Result<Written, Failure> {
        let Part { kind, name, version, value } = part;
        self.at(*kind, name);
        if let Some(stored) = self.environment.parts().get(self.txn, &self.key)? {
            let there = read::entry(self.environment, &self.key, self.entity_end, stored)?;
            read::check_entity(self.environment, &there, self.entity)?;
            let same = there.version == *version && there.value == &value[..];
            if same {
                return Ok(Written { unchanged: 1, ..Written::default() });
            }
            if mode != WriteMode::Replace && there.version >= *version {
                return Ok(Written { older: 1, ..Written::default() });
            }
        }
        key::encode(self.buffer, self.entity, name, *version, value);
        self.environment.parts().put(self.txn, &self.key, self.buffer)?;
        Ok(Written { written: 1, ..Written::default() })
    }

    fn version(
        &mut self,
        kind: PartKind,
        name: &[u8],
    ) -> Result<Option<crate::PartVersion>, Failure> {
        self.at(kind, name);
        let Some(stored) = self.environment.parts().get(self.txn, &self.key)? else {
            return Ok(None);
        };
        let there = read::entry(self.environment, &self.key, self.entity_end, stored)?;
        read::check_entity(self.environment, &there, self.entity)?;
        Ok(Some(there.version))
    }

    fn drop_rows_below(&mut self, below: &[u8]) -> Result<(), Failure> {
        self.key.truncate(self.entity_end);
        self.key.push(key::kind_byte(PartKind::Row));
        let lower = self.key.clone();
        let upper = key::upper_bound(&self.key, Some(below));
        let bounds = (Bound::Included(&lower[..]), upper.as_ref().map(Vec::as_slice));
        let mut doomed = Vec::new();
        for item in self.environment.parts().range(self.txn, &bounds)? {
            let (key, stored) = item?;
            if read::entry(self.environment, key, self.entity_end, stored)?.name < below {
                doomed.push(key.to_vec());
            }
        }
        for key in doomed {
            self.environment.parts().delete(self.txn, &key)?;
        }
        Ok(())
    }

    fn remove(&mut self, kind: PartKind, name: &[u8]) -> Result<(), Failure> {
        self.at(kind, name);
        self.environment.parts().delete(self.txn, &self.key)?;
        Ok(())
    }
}

pub(super) fn write(
    environment: &Environment,
    txn: &mut RwTxn<'_>,
    table: &TableId,
    generation: u64,
    records: &[Record],
    mode: WriteMode,
) -> Result<Written, Failure> {
    let (id, state) = state_for_writing(environment, txn, table)?;
    state.require_live(environment.place(), table, generation)?;
    let mut written = Written::default();
    let mut buffer = Vec::new();
    for Record { entity, parts, drop_rows_below } in records {
        let mut writer = EntityWriter::new(environment, txn, &mut buffer, (id, generation), entity);
        for part in parts {
            written += writer.put(part, mode)?;
        }
        if let Some(below) = drop_rows_below {
            writer.drop_rows_below(below)?;
        }
    }
    Ok(written)
}

pub(super) fn compact(
    environment: &Environment,
    txn: &mut RwTxn<'_>,
    table: &TableId,
    generation: u64,
    entity: &[u8],
    compaction: &Compaction,
) -> Result<bool, Failure> {
    let (id, state) = state_for_writing(environment, txn, table)?;
    state.require_live(environment.place(), table, generation)?;
    let Compaction { expected, remove, put } = compaction;
    let mut buffer = Vec::new();
    let mut writer = EntityWriter::new(environment, txn, &mut buffer, (id, generation), entity);
    for expectation in expected {
        if writer.version(expectation.kind, &expectation.name)? != expectation.version {
            return Ok(false);
        }
    }
    for (kind, name) in remove {
        writer.remove(*kind, name)?;
    }
    for part in put {
        writer.put(part, WriteMode::Replace)?;
    }
    Ok(true)
}
