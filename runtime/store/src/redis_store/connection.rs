//! Connections to the servers, and which of them a key belongs to.
//!
//! All that is asked at a time goes to each server as one pipeline, on a connection that others use at the same time. What a server does not have
//! (`MOVED`, `ASK`), cannot do now or lost with its connection is asked again, a few times: everything this store asks is harmless to ask twice.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::join_all;
use redis::{Client, Cmd, ConnectionAddr, Pipeline, Value};

use super::RedisSettings;
use super::cluster::Shape;
use super::failure::{self, Trouble};
use super::quick::{Commands, QuickLanes, Reply, replies_of};
use super::request::{Request, again};
use super::server::Server;
use crate::StoreError;

/// How often something is asked in all, where the answer was to ask elsewhere or later.
const MOST_TRIES: u32 = 8;
/// Connections that carry any number of requests at a time: for what is left by those that carry one.
const MOST_SHARED: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Servers {
    pub(super) place: String,
    pub(super) seed: Arc<Server>,
    pub(super) cluster: bool,
    timeout: Duration,
    pub(super) pool: usize,
    pub(super) shape: RwLock<Option<Arc<Shape>>>,
    pub(super) looking: tokio::sync::Mutex<()>,
    quick: QuickLanes,
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
        let shared = pool.min(MOST_SHARED);
        let address = info.addr().to_string();
        let seed = Arc::new(Server::new(address, client, shared));
        let servers = Self {
            place,
            seed,
            cluster: *cluster,
            timeout: *timeout,
            pool: shared,
            shape: RwLock::new(None),
            looking: tokio::sync::Mutex::new(()),
            quick: QuickLanes::new(pool),
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

    /// Asks everything, the quick way where it can be, and returns the replies in the order of the commands.
    pub(super) async fn ask_all(
        &self,
        operation: &'static str,
        commands: &Commands,
    ) -> Result<Vec<Reply>, StoreError> {
        self.within(operation, async {
            if !self.cluster
                && let Some(replies) =
                    self.quick.send(self.seed.client.get_connection_info(), commands).await
            {
                return Ok(replies);
            }
            let values = self.run_all(operation, commands.requests()).await?;
            replies_of(values).ok_or_else(|| StoreError::Corrupted {
                place: self.place.clone(),
                what: format!("what it answered to a request to {operation}"),
            })
        })
        .await
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
                self.quick.forget();
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
}
