//! The embedded online store: one LMDB environment in a folder, read and written by any number of processes of one machine.
//!
//! Reads happen in place, on the caller's thread: a transaction on the memory map, without a lock that a writer could hold. Writes go through one
//! thread for each folder and process, which puts what waits into one transaction, so that many small writes share one `fsync`.

mod environment;
mod holder;
mod key;
mod read;
mod sweep;
mod write;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    Answer, Compaction, Health, Lookup, OnlineStore, Record, StoreError, TableId, TableState, Trim,
    Trimmed, WriteMode, Written,
};
use environment::Environment;
use writer::Writer;

/// Where an embedded store lies, and its limits.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// The folder; it is made where it is not there. Not on a network file system: LMDB needs locks and one machine's memory.
    pub path: PathBuf,
    /// After this time a write that waits for another process is an error.
    pub timeout: Duration,
    /// Address space that is set aside at first; it takes no memory and no disk, and doubles by itself when it is used up.
    pub map_size_bytes: usize,
    /// The store never grows beyond this.
    pub size_limit_bytes: usize,
}

impl EmbeddedSettings {
    /// The defaults for a folder.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            timeout: Duration::from_secs(1),
            map_size_bytes: 64 << 30,
            size_limit_bytes: 16 << 40,
        }
    }
}

/// An [`OnlineStore`] in a folder of this machine.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    timeout: Duration,
}

/// What all stores of this process that lie in the same folder share: LMDB may be opened once in a process.
#[derive(Debug)]
struct Shared {
    environment: Arc<Environment>,
    writer: Writer,
}

/// Records of one write are cut into transactions of about this many bytes, so that others get their turn.
const TRANSACTION_BYTES: usize = 8 << 20;
const TRANSACTION_PARTS: usize = 32 << 10;

impl EmbeddedStore {
    /// Opens the store of a folder, or makes it.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made, read or written, or what lies there is not a store of ours, or damaged.
    pub async fn open(settings: &EmbeddedSettings) -> Result<Self, StoreError> {
        let timeout = settings.timeout;
        let settings = settings.clone();
        let shared = tokio::task::spawn_blocking(move || environment::open_shared(&settings))
            .await
            .map_err(|error| StoreError::Invalid { what: format!("opening a store: {error}") })??;
        Ok(Self { shared, timeout })
    }

    fn environment(&self) -> &Environment {
        &self.shared.environment
    }

    async fn submit<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnMut(&Environment, &mut heed::RwTxn<'_>) -> Result<T, writer::Failure>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        self.shared.writer.submit(self.environment(), operation, self.timeout, work).await
    }

    /// Changes a table's state, and returns what the change says.
    async fn change<T: Send + 'static>(
        &self,
        table: &TableId,
        operation: &'static str,
        mut change: impl FnMut(&mut TableState) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let table = table.clone();
        self.submit(operation, move |environment, txn| {
            let (id, mut state) = write::state_for_writing(environment, txn, &table)?;
            let before = state.clone();
            let outcome = change(&mut state)?;
            if state != before {
                write::put_state(environment, txn, &table, id, &state)?;
            }
            Ok(outcome)
        })
        .await
    }
}

#[async_trait]
impl OnlineStore for EmbeddedStore {
    fn place(&self) -> &str {
        self.environment().place()
    }

    async fn tables(&self, tables: &[TableId]) -> Result<Vec<TableState>, StoreError> {
        self.environment().read(|txn| {
            let state = |table| Ok(read::state(self.environment(), txn, table)?.1);
            tables.iter().map(state).collect()
        })
    }

    async fn read(&self, lookups: &[Lookup<'_>]) -> Result<Answer, StoreError> {
        self.environment().read(|txn| read::read(self.environment(), txn, lookups))
    }

    async fn write(
        &self,
        table: &TableId,
        generation: u64,
        records: &[Record],
        mode: WriteMode,
    ) -> Result<Written, StoreError> {
        let mut written = Written::default();
        let mut rest = records;
        // One round even for no records: whether the generation is live is asked all the same.
        loop {
            let (chunk, after) = rest.split_at(write::chunk_length(rest));
            let (table, chunk) = (table.clone(), chunk.to_vec());
            written += self
                .submit("write records", move |environment, txn| {
                    write::write(environment, txn, &table, generation, &chunk, mode)
                })
                .await?;
            rest = after;
            if rest.is_empty() {
                return Ok(written);
            }
        }
    }

    async fn compact(
        &self,
        table: &TableId,
        generation: u64,
        entity: &[u8],
        compaction: &Compaction,
    ) -> Result<bool, StoreError> {
        let (table, entity, compaction) = (table.clone(), entity.to_vec(), compaction.clone());
        self.submit("compact an entity", move |environment, txn| {
            write::compact(environment, txn, &table, generation, &entity, &compaction)
        })
        .await
    }

    async fn begin_generation(&self, table: &TableId) -> Result<u64, StoreError> {
        self.change(table, "begin a generation", |state| Ok(state.begin())).await
    }

    async fn swap_generation(
        &self,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError> {
        let (place, name) = (self.place().to_owned(), table.clone());
        self.change(table, "swap a generation in", move |state| {
            state.swap(&place, &name, generation, covered_until, written_at)
        })
        .await
    }

    async fn drop_generation(&self, table: &TableId, generation: u64) -> Result<u64, StoreError> {
        let (place, name) = (self.place().to_owned(), table.clone());
        self.change(table, "drop a generation", move |state| {
            state.forget(&place, &name, generation)
        })
        .await?;
        let mut dropped = 0;
        loop {
            let table = table.clone();
            let piece = self
                .submit("drop a generation", move |environment, txn| {
                    sweep::drop_piece(environment, txn, &table, generation)
                })
                .await?;
            dropped += piece;
            if piece == 0 {
                return Ok(dropped);
            }
        }
    }

    async fn advance(
        &self,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError> {
        let (place, name) = (self.place().to_owned(), table.clone());
        self.change(table, "advance a table", move |state| {
            state.advance(&place, &name, generation, covered_until, written_at)
        })
        .await
    }

    async fn trim(
        &self,
        table: &TableId,
        generation: u64,
        trim: &Trim,
    ) -> Result<Trimmed, StoreError> {
        let mut trimmed = Trimmed::default();
        let mut from = None;
        loop {
            let (table, trim, start) = (table.clone(), trim.clone(), from.take());
            let (piece, next) = self
                .submit("trim a table", move |environment, txn| {
                    sweep::trim_piece(environment, txn, &table, generation, &trim, start.as_deref())
                })
                .await?;
            trimmed.rows += piece.rows;
            trimmed.tiles += piece.tiles;
            from = next;
            if from.is_none() {
                return Ok(trimmed);
            }
        }
    }

    async fn check(&self) -> Result<Health, StoreError> {
        let environment = self.environment();
        let version = heed::lmdb_version();
        environment.read(|_| Ok(()))?;
        Ok(Health {
            place: environment.place().to_owned(),
            engine: format!("LMDB {}.{}.{}", version.major, version.minor, version.patch),
            bytes: environment.disk_bytes()?,
        })
    }
}

/// A folder's name as it stands in messages.
fn place_of(path: &Path) -> String {
    format!("the online store {}", path.display())
}
