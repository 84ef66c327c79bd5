//! The online store on Redis, one server or a cluster, of version 6.2 or newer.
//!
//! A read is one pipeline to each server that has something of it: the parts, by the generation that was current when last seen, and behind them the
//! states of their tables. Where a state says that another generation is current, what was read of that table is read again. As generations only
//! rise, and are removed after they ceased to be current, what is returned is what one generation held.

mod cluster;
mod connection;
mod failure;
mod layout;
mod quick;
mod read;
mod request;
mod scripts;
mod server;
mod sweep;
mod write;

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::Value;

use crate::{
    Answer, Compaction, Health, Lookup, OnlineStore, Record, StoreError, TableId, TableState, Trim,
    Trimmed, WriteMode, Written,
};
use connection::Servers;
use layout::Layout;
use quick::{Commands, Reply};
use request::Request;

/// Where Redis is, and how it is used.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host:port[/database]`, or `redis+unix://` and the path of a socket. Of a cluster: any of its servers.
    pub url: String,
    /// Whether the server belongs to a cluster.
    pub cluster: bool,
    /// After this time without an answer a call, or a piece of a long one, is an error.
    pub timeout: Duration,
    /// Connections to each server, made as they are needed. Most carry one request at a time; what they cannot take goes over a few that carry any
    /// number.
    pub pool: usize,
    /// All keys begin with it, so that several projects can share a server.
    pub prefix: String,
}

impl RedisSettings {
    /// The defaults for a URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            cluster: false,
            timeout: Duration::from_secs(1),
            pool: 32,
            prefix: "unskew".into(),
        }
    }
}

// The URL may hold a password.
impl std::fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url: _, cluster, timeout, pool, prefix } = self;
        f.debug_struct("RedisSettings")
            .field("cluster", cluster)
            .field("timeout", timeout)
            .field("pool", pool)
            .field("prefix", prefix)
            .finish_non_exhaustive()
    }
}

/// An [`OnlineStore`] on Redis.
#[derive(Debug)]
pub struct RedisStore {
    servers: Servers,
    layout: Layout,
    /// What tables were like when they were last looked at: a guess that every read and write verifies.
    known: RwLock<HashMap<TableId, TableState>>,
}

/// A change of state that meets others so often gives up.
const MOST_CHANGES: u32 = 1_000;

impl RedisStore {
    /// Connects, and looks at the cluster where it is one.
    ///
    /// # Errors
    ///
    /// If the URL is wrong, or the server cannot be reached, does not answer in time, or refuses.
    pub async fn open(settings: &RedisSettings) -> Result<Self, StoreError> {
        let layout = Layout::new(&settings.prefix)?;
        let servers = Servers::connect(settings).await?;
        Ok(Self { servers, layout, known: RwLock::default() })
    }

    fn known(&self, table: &TableId) -> Option<TableState> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(table).cloned()
    }

    fn learn(&self, table: &TableId, state: &TableState) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.get(table) != Some(state) {
            known.insert(table.clone(), state.clone());
        }
    }

    fn ask_state(&self, commands: &mut Commands, table: &TableId) {
        commands.begin(2, b"GET");
        commands.word(&[&self.layout.state_key(table)]);
    }

    /// The state in a reply, with its bytes; none where the table is new.
    fn state_of(
        &self,
        table: &TableId,
        reply: Option<Reply>,
    ) -> Result<(Bytes, TableState), StoreError> {
        match reply {
            Some(Reply::Nil) => Ok((Bytes::new(), TableState::default())),
            Some(Reply::Bytes(bytes)) => match TableState::from_bytes(&bytes) {
                Some((_, state)) => Ok((bytes, state)),
                None => Err(self.corrupted(format!("the state of table {table}"))),
            },
            other => Err(self.unexpected(&other)),
        }
    }

    fn corrupted(&self, what: String) -> StoreError {
        StoreError::Corrupted { place: self.servers.place().into(), what }
    }

    fn unexpected(&self, reply: &impl std::fmt::Debug) -> StoreError {
        let mut text = format!("{reply:?}");
        text.truncate(text.floor_char_boundary(200));
        self.corrupted(format!("it answered what it never should: {text}"))
    }

    /// Looks at a table where it is not known that this generation is live.
    async fn require_live(&self, table: &TableId, generation: u64) -> Result<(), StoreError> {
        if self.known(table).is_some_and(|state| state.is_live(generation)) {
            return Ok(());
        }
        let state = self.tables(std::slice::from_ref(table)).await?.remove(0);
        state.require_live(self.place(), table, generation)
    }

    /// Changes a table's state, if nobody else did meanwhile; else tries again.
    async fn change<T>(
        &self,
        table: &TableId,
        operation: &'static str,
        mut change: impl FnMut(&mut TableState) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let key = self.layout.state_key(table);
        for _ in 0..MOST_CHANGES {
            let mut ask = Commands::default();
            self.ask_state(&mut ask, table);
            let reply = self.servers.ask_all(operation, &ask).await?.pop();
            let (before, mut state) = self.state_of(table, reply)?;
            let outcome = change(&mut state)?;
            let after = state.to_bytes(0);
            if after != before {
                let mut request = Request::script(&scripts::SET_STATE, &[&key]);
                request.command.arg(&before[..]).arg(&after);
                let mut values = self.servers.run(operation, vec![request]).await?;
                match values.remove(0) {
                    Value::Int(1) => {}
                    Value::Int(_) => continue,
                    other => return Err(self.unexpected(&other)),
                }
            }
            self.learn(table, &state);
            return Ok(outcome);
        }
        Err(StoreError::Refused {
            place: self.place().into(),
            operation,
            why: format!("table {table} was changed by others {MOST_CHANGES} times meanwhile"),
        })
    }
}

#[async_trait]
impl OnlineStore for RedisStore {
    fn place(&self) -> &str {
        self.servers.place()
    }

    async fn tables(&self, tables: &[TableId]) -> Result<Vec<TableState>, StoreError> {
        let mut ask = Commands::default();
        tables.iter().for_each(|table| self.ask_state(&mut ask, table));
        let replies = self.servers.ask_all("read the states of tables", &ask).await?;
        let mut states = Vec::with_capacity(tables.len());
        for (table, reply) in tables.iter().zip(replies) {
            let (_, state) = self.state_of(table, Some(reply))?;
            self.learn(table, &state);
            states.push(state);
        }
        Ok(states)
    }

    async fn read(&self, lookups: &[Lookup<'_>]) -> Result<Answer, StoreError> {
        self.read_lookups(lookups).await
    }

    async fn write(
        &self,
        table: &TableId,
        generation: u64,
        records: &[Record],
        mode: WriteMode,
    ) -> Result<Written, StoreError> {
        self.write_records(table, generation, records, mode).await
    }

    async fn compact(
        &self,
        table: &TableId,
        generation: u64,
        entity: &[u8],
        compaction: &Compaction,
    ) -> Result<bool, StoreError> {
        self.compact_entity(table, generation, entity, compaction).await
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
        let place = self.place();
        self.change(table, "swap a generation in", |state| {
            state.swap(place, table, generation, covered_until, written_at)
        })
        .await
    }

    async fn drop_generation(&self, table: &TableId, generation: u64) -> Result<u64, StoreError> {
        let place = self.place();
        self.change(table, "drop a generation", |state| state.forget(place, table, generation))
            .await?;
        self.remove_generation(table, generation).await
    }

    async fn advance(
        &self,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError> {
        let place = self.place();
        self.change(table, "advance a table", |state| {
            state.advance(place, table, generation, covered_until, written_at)
        })
        .await
    }

    async fn trim(
        &self,
        table: &TableId,
        generation: u64,
        trim: &Trim,
    ) -> Result<Trimmed, StoreError> {
        self.trim_table(table, generation, trim).await
    }

    async fn check(&self) -> Result<Health, StoreError> {
        let (mut version, mut bytes) = (String::new(), 0);
        let servers = self.servers.all().await?;
        for server in &servers {
            for section in ["server", "memory"] {
                let mut command = redis::cmd("INFO");
                command.arg(section);
                let text = match self
                    .servers
                    .ask(server, "check itself", vec![command])
                    .await?
                    .pop()
                {
                    Some(Value::BulkString(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
                    Some(Value::VerbatimString { text, .. } | Value::SimpleString(text)) => text,
                    other => return Err(self.unexpected(&other.unwrap_or_default())),
                };
                let fields = text.lines().filter_map(|line| line.split_once(':'));
                for (name, value) in fields {
                    match name {
                        "redis_version" => value.clone_into(&mut version),
                        "used_memory" => bytes += value.parse::<u64>().unwrap_or(0),
                        _ => {}
                    }
                }
            }
        }
        let engine = match self.servers.is_cluster() {
            true => format!("Redis {version}, cluster of {}", servers.len()),
            false => format!("Redis {version}"),
        };
        Ok(Health { place: self.place().to_owned(), engine, bytes })
    }
}
