//! Writing: pipelines of bounded size, several at a time.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::Script;

use super::quick::{Commands, Reply};
use super::{RedisStore, layout, scripts};
use crate::{
    Compaction, OnlineStore, Part, PartKind, Record, StoreError, TableId, WriteMode, Written,
};

const WRITE: &str = "write records";
/// A pipeline ends with the record that makes it as large as this.
const PIPELINE_BYTES: usize = 256 << 10;
const PIPELINE_RECORDS: usize = 1_000;
/// About so many bytes write a record, beside its parts.
const COMMAND_BYTES: usize = 256;
/// About so many bytes a part has beside its value.
const PART_BYTES: usize = 96;

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
        let bytes = |record: &Record| -> usize {
            let parts = record.parts.iter();
            COMMAND_BYTES + parts.map(|part| PART_BYTES + part.value.len()).sum::<usize>()
        };
        let mut commands = Commands::with_capacity(records.iter().map(bytes).sum());
        // How many parts a command writes; none of those that remove.
        let mut parts = Vec::with_capacity(records.len() * 2);
        for record in records {
            match mode {
                WriteMode::Newer => push_script(&mut commands, &mut parts, prefix, record, false),
                WriteMode::Replace => push_script(&mut commands, &mut parts, prefix, record, true),
                WriteMode::Fresh => push_plain(&mut commands, &mut parts, prefix, record),
            }
        }
        // Behind what is written: a generation that ended meanwhile is an error, as what was written to it is lost.
        self.ask_state(&mut commands, table);
        let mut replies = self.servers.ask_all(WRITE, &commands).await?;
        let state = replies.pop();
        let mut written = Written::default();
        let mut replies = replies.into_iter();
        for parts in parts {
            match replies.next() {
                Some(Reply::Number(new)) => {
                    let new = new.cast_unsigned().min(parts);
                    written.written += new;
                    written.unchanged += parts - new;
                }
                Some(Reply::Array(3)) => {
                    for count in [&mut written.written, &mut written.older, &mut written.unchanged]
                    {
                        match replies.next() {
                            Some(Reply::Number(number)) => *count += number.cast_unsigned(),
                            other => return Err(self.unexpected(&other)),
                        }
                    }
                }
                other => return Err(self.unexpected(&other)),
            }
        }
        self.verify(table, generation, state)?;
        Ok(written)
    }

    /// Looks at the state that was read behind a write.
    fn verify(
        &self,
        table: &TableId,
        generation: u64,
        state: Option<Reply>,
    ) -> Result<(), StoreError> {
        let (_, state) = self.state_of(table, state)?;
        self.learn(table, &state);
        state.require_live(self.place(), table, generation)
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
        let mut commands = Commands::default();
        let words = 2 + 3 * expected.len() + 2 * remove.len() + 3 * put.len();
        begin_script(&mut commands, &scripts::COMPACT, [&prefix, entity], words);
        commands.word(&[expected.len().to_string().as_bytes()]);
        for expectation in expected {
            let version = expectation.version.map(|version| version.to_bytes());
            commands.word(&[kind_word(expectation.kind)]);
            push_name(&mut commands, expectation.kind, &expectation.name);
            commands.word(&[version.as_ref().map_or(&[][..], |bytes| bytes)]);
        }
        commands.word(&[remove.len().to_string().as_bytes()]);
        for (kind, name) in remove {
            commands.word(&[kind_word(*kind)]);
            push_name(&mut commands, *kind, name);
        }
        put.iter().for_each(|part| push_part(&mut commands, part));
        self.ask_state(&mut commands, table);
        let mut replies = self.servers.ask_all("compact an entity", &commands).await?;
        let state = replies.pop();
        self.verify(table, generation, state)?;
        match replies.pop() {
            Some(Reply::Number(done)) => Ok(done == 1),
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

fn kind_word(kind: PartKind) -> &'static [u8] {
    match kind {
        PartKind::Tile => b"t",
        PartKind::Row => b"r",
    }
}

/// Begins a call of a script on an entity's two keys, given the beginning of these, with so many words behind them.
fn begin_script(commands: &mut Commands, script: &Script, entity: [&[u8]; 2], words: usize) {
    let [prefix, entity] = entity;
    commands.begin(5 + words, b"EVALSHA");
    commands.word(&[script.get_hash().as_bytes()]);
    commands.word(&[b"2"]);
    commands.word(&[prefix, entity, layout::ROWS]);
    commands.word(&[prefix, entity, layout::TILES]);
}

/// A name as scripts take it: of a row, what its members begin with.
fn push_name(commands: &mut Commands, kind: PartKind, name: &[u8]) {
    match kind {
        PartKind::Tile => commands.word(&[name]),
        PartKind::Row => commands.word(&[&layout::member_prefix(name)]),
    }
}

fn push_part(commands: &mut Commands, part: &Part) {
    let Part { kind, name, version, value } = part;
    commands.word(&[kind_word(*kind)]);
    push_name(commands, *kind, name);
    commands.word(&[&version.to_bytes(), value]);
}

fn push_script(
    commands: &mut Commands,
    parts: &mut Vec<u64>,
    prefix: &[u8],
    record: &Record,
    replace: bool,
) {
    let Record { entity, parts: written, drop_rows_below } = record;
    begin_script(commands, &scripts::WRITE, [prefix, entity], 2 + 3 * written.len());
    commands.word(&[if replace { b"1" } else { b"0" }]);
    let bound = drop_rows_below.as_ref().map(|below| layout::bound(b'(', below));
    commands.word(&[&bound.unwrap_or_default()]);
    written.iter().for_each(|part| push_part(commands, part));
    parts.push(written.len() as u64);
}

fn push_plain(commands: &mut Commands, parts: &mut Vec<u64>, prefix: &[u8], record: &Record) {
    let Record { entity, parts: written, drop_rows_below } = record;
    for (kind, name, end) in
        [(PartKind::Row, &b"ZADD"[..], layout::ROWS), (PartKind::Tile, &b"HSET"[..], layout::TILES)]
    {
        let of_kind = || written.iter().filter(|part| part.kind == kind);
        let count = of_kind().count();
        if count == 0 {
            continue;
        }
        parts.push(count as u64);
        commands.begin(2 + 2 * count, name);
        commands.word(&[prefix, entity, end]);
        for part in of_kind() {
            let version = part.version.to_bytes();
            match kind {
                PartKind::Row => {
                    commands.word(&[b"0"]);
                    let name = layout::member_prefix(&part.name);
                    commands.word(&[&name, &version, &part.value]);
                }
                PartKind::Tile => {
                    commands.word(&[&part.name]);
                    commands.word(&[&version, &part.value]);
                }
            }
        }
    }
    if let Some(below) = drop_rows_below {
        parts.push(0);
        commands.begin(4, b"ZREMRANGEBYLEX");
        commands.word(&[prefix, entity, layout::ROWS]);
        commands.word(&[b"-"]);
        commands.word(&[&layout::bound(b'(', below)]);
    }
}
