//! Connections to the servers, and which of them a key belongs to.
//!
//! All that is asked at a time goes to each server as one pipeline, on a connection that others use at the same time. What a server does not have
//! (`MOVED`, `ASK`), cannot do now or lost with its connection is asked again, a few times: everything this store asks is harmless to ask twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, Pipeline, RedisError,
    Script, ServerErrorKind, Value,
};

use super::failure::{self, Trouble};
use super::{RedisSettings, scripts};
use crate::StoreError;

const SLOTS: usize = 16_384;
/// How often something is asked in all, where the answer was to ask elsewhere or later.
const MOST_TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(20);

/// A command and where it belongs.
pub(super) struct Request {
    slot: u16,
    pub command: Cmd,
}

impl Request {
    /// A command whose first argument is its key.
    pub(super) fn new(name: &str, key: &[u8]) -> Self {
        let mut command = redis::cmd(name);
        command.arg(key);
        Self { slot: slot_of(key), command }
    }

    /// A call of a script; its arguments follow.
    pub(super) fn script(script: &Script, keys: &[&[u8]]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len());
        for key in keys {
            command.arg(*key);
        }
        Self { slot: slot_of(keys.first().copied().unwrap_or_default()), command }
    }
}

fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let close = key[open..].iter().position(|byte| *byte == b'}')?;
        Some(&key[open + 1..open + close])
    });
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16::State::<crc16::XMODEM>::calculate(hashed) % SLOTS as u16
}

/// One server, with its connections.
#[derive(Debug)]
pub(super) struct Server {
    address: String,
    client: Client,
    lanes: Vec<Lane>,
    next: AtomicUsize,
}

/// A place for a connection, with a number that rises with each.
#[derive(Debug, Default)]
struct Lane {
    connection: RwLock<Option<(u64, MultiplexedConnection)>>,
    connecting: tokio::sync::Mutex<u64>,
}

/// Who there is, and who has which slots.
#[derive(Debug)]
struct Shape {
    servers: Vec<Arc<Server>>,
    /// Of a cluster: for each slot the number of its server, or one that is none.
    slots: Option<Vec<u16>>,
}

#[derive(Debug)]
pub(super) struct Servers {
    place: String,
    seed: Arc<Server>,
    cluster: bool,
    timeout: Duration,
    pool: usize,
    shape: RwLock<Option<Arc<Shape>>>,
    looking: tokio::sync::Mutex<()>,
}

/// What is still to be asked of one server.
struct Group {
    server: Arc<Server>,
    indexes: Vec<usize>,
    pipeline: Pipeline,
    /// Whether the server must be told that it is asked on another's advice.
    asking: bool,
}

impl Servers {
    pub(super) async fn connect(settings: &RedisSettings) -> Result<Self, StoreError> {
        let RedisSettings { url, cluster, timeout, pool, prefix: _ } = settings;
        let invalid = |why: String| StoreError::Invalid {
            what: format!(
                "`online_store.url` is no address of a Redis server ({why}); it looks like redis://127.0.0.1:6379"
            ),
        };
        let client = Client::open(url.as_str()).map_err(|error| invalid(error.to_string()))?;
        let info = client.get_connection_info();
        if !info.addr().is_supported() {
            return Err(invalid(
                "this build has no TLS; use redis://, within a trusted network".into(),
            ));
        }
        let place = match info.addr() {
            ConnectionAddr::Unix(path) => {
                format!("the online store redis+unix://{}", path.display())
            }
            address => format!("the online store redis://{address}/{}", info.redis_settings().db()),
        };
        let pool = (*pool).max(1);
        let address = info.addr().to_string();
        let seed = Arc::new(Server::new(address, client, pool));
        let servers = Self {
            place,
            seed,
            cluster: *cluster,
            timeout: *timeout,
            pool,
            shape: RwLock::new(None),
            looking: tokio::sync::Mutex::new(()),
        };
        servers.within("connect", async { servers.look(None).await.map(|_| ()) }).await?;
        let mut ping = redis::cmd("CLUSTER");
        ping.arg("INFO");
        let probe = if *cluster { ping } else { redis::cmd("PING") };
        let seed = servers.seed.clone();
        servers.ask(&seed, "connect", vec![probe]).await?;
        Ok(servers)
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.cluster
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Pipelines worth sending at a time.
    pub(super) fn lanes(&self) -> usize {
        self.pool
    }

    /// All servers that have slots.
    pub(super) async fn all(&self) -> Result<Vec<Arc<Server>>, StoreError> {
        self.within("connect", async { Ok(self.look(None).await?.servers.clone()) }).await
    }

    /// Asks one server, in one pipeline; an error in a reply is an error.
    pub(super) async fn ask(
        &self,
        server: &Arc<Server>,
        operation: &'static str,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command);
        }
        self.within(operation, async {
            let mut tries = 0;
            loop {
                tries += 1;
                match server.send(&pipeline, false).await {
                    Ok(values) => {
                        let mut load = false;
                        let trouble = values.iter().find_map(|value| match value {
                            Value::ServerError(error) => Some(error),
                            _ => None,
                        });
                        match trouble {
                            None => return Ok(values),
                            Some(error) if tries < MOST_TRIES => match failure::trouble(error) {
                                Trouble::NoScript => load = true,
                                Trouble::Later => tokio::time::sleep(PAUSE * tries).await,
                                _ => {
                                    return Err(failure::server_error(
                                        &self.place,
                                        operation,
                                        error,
                                    ));
                                }
                            },
                            Some(error) => {
                                return Err(failure::server_error(&self.place, operation, error));
                            }
                        }
                        if load {
                            server.load_scripts().await.map_err(|error| {
                                failure::redis_error(&self.place, operation, &error)
                            })?;
                        }
                    }
                    Err(error) if failure::may_pass(&error) && tries < 3 => {}
                    Err(error) => return Err(failure::redis_error(&self.place, operation, &error)),
                }
            }
        })
        .await
    }

    /// Asks everything, in one pipeline for each server, and returns the replies in the order of the requests.
    pub(super) async fn run(
        &self,
        operation: &'static str,
        requests: Vec<Request>,
    ) -> Result<Vec<Value>, StoreError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        self.within(operation, self.run_all(operation, requests)).await
    }

    async fn within<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => result,
            Err(_) => {
                // A connection that gives nothing back may be dead without saying so; the next call makes another.
                let shape = self.shape.read().unwrap_or_else(PoisonError::into_inner).clone();
                let known = shape.iter().flat_map(|shape| &shape.servers);
                known.chain([&self.seed]).for_each(|server| server.forget_connections());
                let place = self.place.clone();
                Err(StoreError::Deadline { place, operation, limit: self.timeout })
            }
        }
    }

    async fn run_all(
        &self,
        operation: &'static str,
        requests: Vec<Request>,
    ) -> Result<Vec<Value>, StoreError> {
        let mut values: Vec<Option<Value>> = requests.iter().map(|_| None).collect();
        let mut pending: Vec<_> = requests.into_iter().enumerate().collect();
        let mut advised: HashMap<usize, Arc<Server>> = HashMap::new();
        let mut last = None;
        for attempt in 1..=MOST_TRIES {
            let shape = self.look(None).await?;
            let groups = self.group(&shape, std::mem::take(&mut pending), &mut advised)?;
            let sent = join_all(groups.into_iter().map(|group| async {
                let reply = group.server.send(&group.pipeline, group.asking).await;
                (group, reply)
            }))
            .await;
            let (mut look_again, mut pause) = (false, false);
            for (group, reply) in sent {
                let Group { server, indexes, pipeline, asking: _ } = group;
                let replies = match reply {
                    Ok(replies) => replies,
                    Err(error) => {
                        if !failure::may_pass(&error) {
                            return Err(failure::redis_error(&self.place, operation, &error));
                        }
                        // The first time the connection was old; then the server may be gone, and another in its place.
                        look_again |= self.cluster && attempt > 1;
                        if attempt > 2 && !self.cluster {
                            return Err(failure::redis_error(&self.place, operation, &error));
                        }
                        pause |= attempt > 1;
                        pending.extend(again(&indexes, &pipeline, 0..indexes.len()));
                        last = Some(failure::redis_error(&self.place, operation, &error));
                        continue;
                    }
                };
                if replies.len() != indexes.len() {
                    return Err(StoreError::Corrupted {
                        place: self.place.clone(),
                        what: format!("it gave {} answers to {}", replies.len(), indexes.len()),
                    });
                }
                let mut load = false;
                for (at, value) in replies.into_iter().enumerate() {
                    let Value::ServerError(error) = &value else {
                        values[indexes[at]] = Some(value);
                        continue;
                    };
                    match failure::trouble(error) {
                        Trouble::Moved => look_again = true,
                        Trouble::Ask(address) => {
                            advised.insert(indexes[at], self.server_at(&shape, &address)?);
                        }
                        Trouble::Later => (look_again, pause) = (self.cluster, true),
                        Trouble::NoScript => load = true,
                        Trouble::Final => {
                            return Err(failure::server_error(&self.place, operation, error));
                        }
                    }
                    last = Some(failure::server_error(&self.place, operation, error));
                    pending.extend(again(&indexes, &pipeline, at..at + 1));
                }
                if load {
                    server
                        .load_scripts()
                        .await
                        .map_err(|error| failure::redis_error(&self.place, operation, &error))?;
                }
            }
            if pending.is_empty() {
                return Ok(values.into_iter().map(Option::unwrap_or_default).collect());
            }
            if pause {
                tokio::time::sleep(PAUSE * attempt).await;
            }
            if look_again {
                // One that cannot be told now may be told the next time.
                if let Err(error) = self.look(Some(&shape)).await {
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| StoreError::Unreachable {
            place: self.place.clone(),
            why: "the cluster's servers point at each other".into(),
        }))
    }

    fn group(
        &self,
        shape: &Shape,
        pending: Vec<(usize, Request)>,
        advised: &mut HashMap<usize, Arc<Server>>,
    ) -> Result<Vec<Group>, StoreError> {
        let mut groups: Vec<Group> = Vec::new();
        // Of each server, where its group is.
        let mut places = vec![None; shape.servers.len()];
        for (index, Request { slot, command }) in pending {
            if let Some(server) = advised.remove(&index) {
                let mut pipeline = Pipeline::with_capacity(1);
                pipeline.add_command(command);
                groups.push(Group { server, indexes: vec![index], pipeline, asking: true });
                continue;
            }
            let number = match &shape.slots {
                None => 0,
                Some(slots) => usize::from(slots[usize::from(slot)]),
            };
            let Some(server) = shape.servers.get(number) else {
                return Err(StoreError::Unreachable {
                    place: self.place.clone(),
                    why: format!("no server of the cluster has slot {slot}"),
                });
            };
            let at = *places[number].get_or_insert_with(|| {
                groups.push(Group {
                    server: server.clone(),
                    indexes: Vec::new(),
                    pipeline: Pipeline::new(),
                    asking: false,
                });
                groups.len() - 1
            });
            groups[at].indexes.push(index);
            groups[at].pipeline.add_command(command);
        }
        Ok(groups)
    }

    /// Who there is; asked anew if nobody knows, or what is known is `stale`.
    async fn look(&self, stale: Option<&Arc<Shape>>) -> Result<Arc<Shape>, StoreError> {
        let known = || self.shape.read().unwrap_or_else(PoisonError::into_inner).clone();
        let is_good = |shape: &Arc<Shape>| stale.is_none_or(|stale| !Arc::ptr_eq(stale, shape));
        if let Some(shape) = known().filter(is_good) {
            return Ok(shape);
        }
        let _one_at_a_time = self.looking.lock().await;
        if let Some(shape) = known().filter(is_good) {
            return Ok(shape);
        }
        let shape = Arc::new(match self.cluster {
            false => Shape { servers: vec![self.seed.clone()], slots: None },
            true => self.ask_for_shape(stale).await?,
        });
        *self.shape.write().unwrap_or_else(PoisonError::into_inner) = Some(shape.clone());
        Ok(shape)
    }

    async fn ask_for_shape(&self, stale: Option<&Arc<Shape>>) -> Result<Shape, StoreError> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.add_command(command);
        let known = stale.into_iter().flat_map(|shape| &shape.servers);
        let mut failed = None;
        for server in known.chain([&self.seed]) {
            match server.send(&pipeline, false).await.map(|mut values| values.pop()) {
                Ok(Some(Value::ServerError(error))) => {
                    failed = Some(failure::server_error(
                        &self.place,
                        "say who is in the cluster",
                        &error,
                    ));
                }
                Ok(Some(value)) => match self.read_shape(server, stale, &value)? {
                    Some(shape) => return Ok(shape),
                    None => {
                        failed = Some(StoreError::Unreachable {
                            place: self.place.clone(),
                            why: format!(
                                "{} says that the cluster has no servers yet",
                                server.address
                            ),
                        })
                    }
                },
                Ok(None) => {}
                Err(error) => failed = Some(failure::redis_error(&self.place, "connect", &error)),
            }
        }
        Err(failed.unwrap_or_else(|| StoreError::Unreachable {
            place: self.place.clone(),
            why: "no server of the cluster answered".into(),
        }))
    }

    /// Reads the reply of `CLUSTER SLOTS`; nothing where it names no server.
    fn read_shape(
        &self,
        asked: &Arc<Server>,
        stale: Option<&Arc<Shape>>,
        value: &Value,
    ) -> Result<Option<Shape>, StoreError> {
        let mut shape = Shape { servers: Vec::new(), slots: None };
        let mut slots = vec![u16::MAX; SLOTS];
        let Value::Array(ranges) = value else { return Ok(None) };
        for range in ranges {
            let Value::Array(range) = range else { continue };
            let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = &range[..]
            else {
                continue;
            };
            let [host, Value::Int(port), ..] = &primary[..] else { continue };
            let host = match host {
                Value::BulkString(host) => String::from_utf8_lossy(host).into_owned(),
                Value::SimpleString(host) => host.clone(),
                _ => String::new(),
            };
            let address = match host.as_str() {
                // The server does not know its own name; it is where we asked.
                "" | "?" => match asked.client.get_connection_info().addr() {
                    ConnectionAddr::Tcp(host, _) => format!("{host}:{port}"),
                    _ => asked.address.clone(),
                },
                host => format!("{host}:{port}"),
            };
            let number = match shape.servers.iter().position(|server| server.address == address) {
                Some(number) => number,
                None => {
                    let known = stale.map_or(&shape, |stale| stale);
                    let server = self.server_at(known, &address)?;
                    shape.servers.push(server);
                    shape.servers.len() - 1
                }
            };
            let bound = |slot: i64| usize::try_from(slot).unwrap_or(SLOTS).min(SLOTS - 1);
            slots[bound(*first)..=bound(*last).max(bound(*first))].fill(number as u16);
        }
        shape.slots = Some(slots);
        Ok((!shape.servers.is_empty()).then_some(shape))
    }

    /// The server at `host:port`, with the connections it has, if it is known.
    fn server_at(&self, known: &Shape, address: &str) -> Result<Arc<Server>, StoreError> {
        let known = known.servers.iter().chain([&self.seed]);
        if let Some(server) = known.into_iter().find(|server| server.address == address) {
            return Ok(server.clone());
        }
        let unknown = |why: String| StoreError::Unreachable {
            place: self.place.clone(),
            why: format!("the cluster names a server {address} ({why})"),
        };
        let (host, port) =
            address.rsplit_once(':').ok_or_else(|| unknown("without a port".into()))?;
        let port = port.parse().map_err(|_| unknown("without a port".into()))?;
        let seed = self.seed.client.get_connection_info().clone();
        let info = seed
            .set_addr(ConnectionAddr::Tcp(host.to_owned(), port))
            .into_connection_info()
            .map_err(|error| unknown(error.to_string()))?;
        let client = Client::open(info).map_err(|error| unknown(error.to_string()))?;
        Ok(Arc::new(Server::new(address.to_owned(), client, self.pool)))
    }
}

/// Some of a pipeline's requests, to be asked again.
fn again<'a>(
    indexes: &'a [usize],
    pipeline: &'a Pipeline,
    which: std::ops::Range<usize>,
) -> impl Iterator<Item = (usize, Request)> + 'a {
    pipeline.cmd_iter().enumerate().skip(which.start).take(which.len()).map(|(at, command)| {
        let bytes = |number| match command.args_iter().nth(number) {
            Some(redis::Arg::Simple(bytes)) => bytes,
            _ => &[],
        };
        // The key is the first argument; of a script's call the first after their count.
        let key = if bytes(0) == b"EVALSHA" { bytes(3) } else { bytes(1) };
        (indexes[at], Request { slot: slot_of(key), command: command.clone() })
    })
}

impl Server {
    fn new(address: String, client: Client, lanes: usize) -> Self {
        let lanes = (0..lanes).map(|_| Lane::default()).collect();
        Self { address, client, lanes, next: AtomicUsize::new(0) }
    }

    /// Sends a pipeline on one of the connections. An error here is one of the connection; errors of the server stand in the replies.
    async fn send(&self, pipeline: &Pipeline, asking: bool) -> Result<Vec<Value>, RedisError> {
        let lane = &self.lanes[self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len()];
        let known = lane.connection.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (number, mut connection) = match known {
            Some(known) => known,
            None => self.connect(lane).await?,
        };
        let sent = if asking {
            let mut advised = Pipeline::with_capacity(1 + pipeline.len());
            advised.add_command(redis::cmd("ASKING"));
            for command in pipeline.cmd_iter() {
                advised.add_command(command.clone());
            }
            connection.send_packed_commands(&advised, 0, advised.len()).await.map(|mut values| {
                values.remove(0);
                values
            })
        } else {
            connection.send_packed_commands(pipeline, 0, pipeline.len()).await
        };
        if sent.is_err() {
            let mut place = lane.connection.write().unwrap_or_else(PoisonError::into_inner);
            if place.as_ref().is_some_and(|(there, _)| *there == number) {
                *place = None;
            }
        }
        sent
    }

    async fn connect(&self, lane: &Lane) -> Result<(u64, MultiplexedConnection), RedisError> {
        let mut last = lane.connecting.lock().await;
        let known = lane.connection.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known {
            return Ok(known);
        }
        // The caller's deadline bounds it all.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut connection =
            self.client.get_multiplexed_async_connection_with_config(&config).await?;
        load_scripts(&mut connection).await?;
        *last += 1;
        let made = (*last, connection);
        *lane.connection.write().unwrap_or_else(PoisonError::into_inner) = Some(made.clone());
        Ok(made)
    }

    async fn load_scripts(&self) -> Result<(), RedisError> {
        for lane in &self.lanes {
            let known = lane.connection.read().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((_, mut connection)) = known {
                return load_scripts(&mut connection).await;
            }
        }
        Ok(())
    }

    fn forget_connections(&self) {
        for lane in &self.lanes {
            *lane.connection.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

async fn load_scripts(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let mut pipeline = Pipeline::with_capacity(scripts::SOURCES.len());
    for source in scripts::SOURCES {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(source);
    }
    let replies = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await?;
    for reply in replies {
        if let Value::ServerError(error) = reply {
            // A server that is starting or following another says so again when it is asked for more.
            let later = error.kind() == Some(ServerErrorKind::BusyLoading);
            if !later {
                return Err(error.into());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::slot_of;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(slot_of(b"123456789"), 12_739);
        assert_eq!(slot_of(b"foo{123456789}bar}"), 12_739);
        assert_eq!(slot_of(b"foo{}123456789"), slot_of(b"foo{}123456789"));
        assert_ne!(
            slot_of(b"foo{}{123456789}"),
            12_739,
            "the first braces are empty: all is hashed"
        );
    }
}
