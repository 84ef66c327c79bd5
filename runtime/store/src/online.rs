//! The online store: what it takes, gives and promises.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::embedded::{EmbeddedSettings, EmbeddedStore};
use crate::redis_store::{RedisSettings, RedisStore};
use crate::{Part, PartKind, PartVersion, Record, StoreError, StoredPart, TableId, TableState};

/// What is wanted of one entity in one table.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The table; read in its current generation.
    pub table: &'a TableId,
    /// The entity's canonical bytes.
    pub entity: &'a [u8],
    /// Whether the row with the greatest name (below `rows_below`, where given) is wanted.
    pub newest_row: bool,
    /// All rows with this name or a greater one are wanted (below `rows_below`, where given).
    pub rows_from: Option<&'a [u8]>,
    /// Rows with this name or a greater one are not wanted.
    pub rows_below: Option<&'a [u8]>,
    /// Names of tiles that are wanted.
    pub tiles: &'a [Bytes],
}

/// What was found of one entity in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The rows, in ascending order of their names, each once.
    pub rows: Vec<StoredPart>,
    /// One for each tile that was asked for, in that order.
    pub tiles: Vec<Option<StoredPart>>,
}

/// What a read returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// One for each lookup, in that order.
    pub found: Vec<Found>,
    /// The states of the tables that were read, as they were when their parts were read: one for each table, in the order in which lookups name them
    /// first.
    pub states: Vec<(TableId, TableState)>,
}

impl Answer {
    /// The state that a table was read in.
    #[must_use]
    pub fn state(&self, table: &TableId) -> Option<&TableState> {
        self.states.iter().find(|(id, _)| id == table).map(|(_, state)| state)
    }
}

/// How a write treats what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// A part is written if it is newer than the one there. For pushes, streams and incremental materialization.
    Newer,
    /// A part is written whatever is there. For slices that are computed again because their files changed.
    Replace,
    /// For a backfill into a generation that is being built: the writer says each part once, or says it again unchanged (resumed work). Others may push
    /// newer rows into it meanwhile, and those win; tiles are the writer's alone. The quickest; it does not tell older parts from those that are there.
    Fresh,
}

/// What became of the parts of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Parts that are now there and were not before.
    pub written: u64,
    /// Parts that were left out, as what is there is newer, or as new with other bytes.
    pub older: u64,
    /// Parts that were there already, byte for byte.
    pub unchanged: u64,
}

impl std::ops::AddAssign for Written {
    fn add_assign(&mut self, other: Self) {
        let Self { written, older, unchanged } = other;
        self.written += written;
        self.older += older;
        self.unchanged += unchanged;
    }
}

/// What must still be there for a compaction to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Row or tile.
    pub kind: PartKind,
    /// Its name.
    pub name: Bytes,
    /// The version that was read; `None`: there was no such part.
    pub version: Option<PartVersion>,
}

/// Parts of one entity that take the place of others, at once and only if nobody was there first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// All must hold, or nothing is done.
    pub expected: Vec<Expectation>,
    /// Removed, where they are there.
    pub remove: Vec<(PartKind, Bytes)>,
    /// Written, whatever is there.
    pub put: Vec<Part>,
}

/// What nobody can ask for any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trim {
    /// Rows with lesser names are removed ...
    pub rows_below: Option<Bytes>,
    /// ... but not an entity's newest row, where this is set.
    pub keep_newest_row: bool,
    /// Tiles within any of these ranges of names (start included, end not) are removed.
    pub tiles: Vec<(Bytes, Bytes)>,
}

/// What a trim removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Rows.
    pub rows: u64,
    /// Tiles.
    pub tiles: u64,
}

/// What a healthy store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Its address or folder, without secrets.
    pub place: String,
    /// What answers there, with its version: `LMDB 0.9.70`, `Redis 7.0.15, cluster of 3`.
    pub engine: String,
    /// Bytes it takes on disk or in memory, all tables together.
    pub bytes: u64,
}

/// Latest rows, emitted windows, tiles and raw head events by entity.
///
/// All methods are safe to call from many tasks and processes at a time. Errors leave the store as it was, unless they say otherwise; each call ends
/// within the store's timeout (pieces of long work each do).
#[async_trait]
pub trait OnlineStore: Send + Sync + std::fmt::Debug {
    /// Address or folder, without secrets, for messages.
    fn place(&self) -> &str;

    /// The states of some tables, in one round trip.
    async fn tables(&self, tables: &[TableId]) -> Result<Vec<TableState>, StoreError>;

    /// Reads from any number of tables and entities in one round trip (on a cluster: one to each node). What it returns of a table is of one generation,
    /// the one that is current while it reads.
    async fn read(&self, lookups: &[Lookup<'_>]) -> Result<Answer, StoreError>;

    /// Writes parts; one entity's at once. Refused as [`StoreError::Superseded`] where the generation is neither current nor being built.
    ///
    /// Of many records an error may come after some were written; to write all again is harmless.
    async fn write(
        &self,
        table: &TableId,
        generation: u64,
        records: &[Record],
        mode: WriteMode,
    ) -> Result<Written, StoreError>;

    /// Replaces parts of an entity by others if all that was expected still holds, and says whether it did.
    async fn compact(
        &self,
        table: &TableId,
        generation: u64,
        entity: &[u8],
        compaction: &Compaction,
    ) -> Result<bool, StoreError>;

    /// Begins a new generation, to be filled and swapped in, and returns its number.
    async fn begin_generation(&self, table: &TableId) -> Result<u64, StoreError>;

    /// Makes a generation the one that is read, at once, for all processes. Doing it again changes nothing but the times.
    ///
    /// `covered_until` and `written_at` are microseconds since the epoch.
    async fn swap_generation(
        &self,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError>;

    /// Removes a generation that is not current, in pieces, and returns how many parts it removed. Doing it again, or going on after a crash, is
    /// harmless.
    async fn drop_generation(&self, table: &TableId, generation: u64) -> Result<u64, StoreError>;

    /// Says that the current generation now covers files until `covered_until` (it never goes back), as of `written_at`. Refused as
    /// [`StoreError::Superseded`] where the generation is not the current one.
    async fn advance(
        &self,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError>;

    /// Removes what nobody can ask for any more, in pieces.
    async fn trim(
        &self,
        table: &TableId,
        generation: u64,
        trim: &Trim,
    ) -> Result<Trimmed, StoreError>;

    /// Whether the store answers, and who it is.
    async fn check(&self) -> Result<Health, StoreError>;
}

/// Which online store, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OnlineStoreSettings {
    /// Files in a folder, shared by the processes of one machine.
    Embedded(EmbeddedSettings),
    /// A Redis server, or a cluster of them.
    Redis(RedisSettings),
}

/// Opens the online store that the settings name.
///
/// # Errors
///
/// If it cannot be opened: see [`StoreError`].
pub async fn open_online_store(
    settings: &OnlineStoreSettings,
) -> Result<Arc<dyn OnlineStore>, StoreError> {
    Ok(match settings {
        OnlineStoreSettings::Embedded(settings) => Arc::new(EmbeddedStore::open(settings).await?),
        OnlineStoreSettings::Redis(settings) => Arc::new(RedisStore::open(settings).await?),
    })
}
