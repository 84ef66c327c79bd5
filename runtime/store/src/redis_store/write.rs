//! Writing: pipelines of bounded size, several at a time.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::Value;

use super::layout::{self, EntityKeys};
use super::request::Request;
use super::{RedisStore, scripts};
use crate::{
    Compaction, OnlineStore, Part, PartKind, Record, StoreError, TableId, WriteMode, Written,
};

const WRITE: &str = "write records";
/// A pipeline ends with the record that makes it as large as this.
const PIPELINE_BYTES: usize = 256 << 10;
const PIPELINE_RECORDS: usize = 1_000;

impl RedisStore {
    pub(super) async fn write_records(
        &self,
        table: &TableId,
        generation: u64,
        records: &[Record],
        mode: WriteMode,
    ) -> Result<Written, StoreError> {
        self.require_live(table, generation).await?;
        let prefix = self.layout.generation_prefix(table, generation);
        let mut written = Written::default();
        let mut running = FuturesUnordered::new();
        for chunk in chunks(records) {
            if running.len() >= self.servers.lanes()
                && let Some(done) = running.next().await
            {
                written += done?;
            }
            running.push(self.write_chunk(table, generation, &prefix, chunk, mode));
        }
        while let Some(done) = running.next().await {
            written += done?;
        }
        Ok(written)
    }

    async fn write_chunk(
        &self,
        table: &TableId,
        generation: u64,
        prefix: &[u8],
        records: &[Record],
        mode: WriteMode,
    ) -> Result<Written, StoreError> {
        let mut requests = Vec::with_capacity(records.len() * 2 + 1);
        // How many parts a request writes; none of those that remove.
        let mut parts = Vec::with_capacity(records.len() * 2);
        for record in records {
            match mode {
                WriteMode::Newer => push_script(&mut requests, &mut parts, prefix, record, false),
                WriteMode::Replace => push_script(&mut requests, &mut parts, prefix, record, true),
                WriteMode::Fresh => push_plain(&mut requests, &mut parts, prefix, record),
            }
        }
        // Behind what is written: a generation that ended meanwhile is an error, as what was written to it is lost.
        requests.push(self.state_request(table));
        let mut values = self.servers.run(WRITE, requests).await?;
        let state = values.pop().unwrap_or_default();
        let (_, state) = self.state_of(table, state)?;
        self.learn(table, &state);
        state.require_live(self.place(), table, generation)?;
        let mut written = Written::default();
        for (value, parts) in values.into_iter().zip(parts) {
            match value {
                Value::Int(new) => {
                    let new = new.cast_unsigned().min(parts);
                    written.written += new;
                    written.unchanged += parts - new;
                }
                Value::Array(counts) => match counts[..] {
                    [Value::Int(new), Value::Int(older), Value::Int(unchanged)] => {
                        written.written += new.cast_unsigned();
                        written.older += older.cast_unsigned();
                        written.unchanged += unchanged.cast_unsigned();
                    }
                    _ => return Err(self.unexpected(&Value::Array(counts))),
                },
                other => return Err(self.unexpected(&other)),
            }
        }
        Ok(written)
    }

    pub(super) async fn compact_entity(
        &self,
        table: &TableId,
        generation: u64,
        entity: &[u8],
        compaction: &Compaction,
    ) -> Result<bool, StoreError> {
        self.require_live(table, generation).await?;
        let Compaction { expected, remove, put } = compaction;
        let prefix = self.layout.generation_prefix(table, generation);
        let EntityKeys { rows, tiles } = layout::entity_keys(&prefix, entity);
        let mut request = Request::script(&scripts::COMPACT, &[&rows, &tiles]);
        let command = &mut request.command;
        command.arg(expected.len());
        for expectation in expected {
            let version = expectation.version.map(|version| version.to_bytes());
            command
                .arg(kind_word(expectation.kind))
                .arg(script_name(expectation.kind, &expectation.name));
            command.arg(version.as_ref().map_or(&[][..], |bytes| bytes));
        }
        command.arg(remove.len());
        for (kind, name) in remove {
            command.arg(kind_word(*kind)).arg(script_name(*kind, name));
        }
        for part in put {
            push_part(command, part);
        }
        let requests = vec![request, self.state_request(table)];
        let mut values = self.servers.run("compact an entity", requests).await?;
        let (_, state) = self.state_of(table, values.remove(1))?;
        self.learn(table, &state);
        state.require_live(self.place(), table, generation)?;
        match values.remove(0) {
            Value::Int(done) => Ok(done == 1),
            other => Err(self.unexpected(&other)),
        }
    }
}

/// Records cut into pipelines: at least one, so that the generation is looked at even for none.
fn chunks(records: &[Record]) -> Vec<&[Record]> {
    let mut chunks = Vec::new();
    let mut rest = records;
    loop {
        let mut bytes = 0;
        let fitting = rest.iter().take(PIPELINE_RECORDS).take_while(|record| {
            let fits = bytes < PIPELINE_BYTES;
            bytes +=
                record.parts.iter().map(|part| part.value.len() + part.name.len()).sum::<usize>();
            fits
        });
        let (chunk, after) = rest.split_at(fitting.count());
        chunks.push(chunk);
        rest = after;
        if rest.is_empty() {
            return chunks;
        }
    }
}

fn kind_word(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Tile => "t",
        PartKind::Row => "r",
    }
}

/// A name as scripts take it: of a row, what its members begin with.
fn script_name(kind: PartKind, name: &[u8]) -> Vec<u8> {
    match kind {
        PartKind::Tile => name.to_vec(),
        PartKind::Row => layout::member_prefix(name),
    }
}

fn push_part(command: &mut redis::Cmd, part: &Part) {
    let Part { kind, name, version, value } = part;
    command.arg(kind_word(*kind)).arg(script_name(*kind, name));
    command.arg(layout::payload(*version, value));
}

fn push_script(
    requests: &mut Vec<Request>,
    parts: &mut Vec<u64>,
    prefix: &[u8],
    record: &Record,
    replace: bool,
) {
    let Record { entity, parts: written, drop_rows_below } = record;
    let EntityKeys { rows, tiles } = layout::entity_keys(prefix, entity);
    let mut request = Request::script(&scripts::WRITE, &[&rows, &tiles]);
    request.command.arg(u8::from(replace));
    let bound = drop_rows_below.as_ref().map(|below| layout::bound(b'(', below));
    request.command.arg(bound.unwrap_or_default());
    for part in written {
        push_part(&mut request.command, part);
    }
    requests.push(request);
    parts.push(written.len() as u64);
}

fn push_plain(requests: &mut Vec<Request>, parts: &mut Vec<u64>, prefix: &[u8], record: &Record) {
    let Record { entity, parts: written, drop_rows_below } = record;
    let EntityKeys { rows, tiles } = layout::entity_keys(prefix, entity);
    for (kind, name, key) in [(PartKind::Row, "ZADD", &rows), (PartKind::Tile, "HSET", &tiles)] {
        let mut count = 0;
        let mut request = Request::new(name, key);
        for part in written.iter().filter(|part| part.kind == kind) {
            count += 1;
            match kind {
                PartKind::Row => {
                    let mut member = layout::member_prefix(&part.name);
                    member.extend(part.version.to_bytes());
                    member.extend(&part.value[..]);
                    request.command.arg(0).arg(member);
                }
                PartKind::Tile => {
                    request.command.arg(&part.name[..]);
                    request.command.arg(layout::payload(part.version, &part.value));
                }
            }
        }
        if count > 0 {
            requests.push(request);
            parts.push(count);
        }
    }
    if let Some(below) = drop_rows_below {
        let mut request = Request::new("ZREMRANGEBYLEX", &rows);
        request.command.arg("-").arg(layout::bound(b'(', below));
        requests.push(request);
        parts.push(0);
    }
}
