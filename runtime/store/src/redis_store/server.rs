//! One server, with its connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, ServerErrorKind, Value};

use super::scripts;

/// One server, with its connections.
#[derive(Debug)]
pub(super) struct Server {
    pub address: String,
    pub client: Client,
    lanes: Vec<Lane>,
    next: AtomicUsize,
}

/// A place for a connection, with a number that rises with each.
#[derive(Debug, Default)]
struct Lane {
    connection: RwLock<Option<(u64, MultiplexedConnection)>>,
    connecting: tokio::sync::Mutex<u64>,
}

impl Server {
    pub(super) fn new(address: String, client: Client, lanes: usize) -> Self {
        let lanes = (0..lanes).map(|_| Lane::default()).collect();
        Self { address, client, lanes, next: AtomicUsize::new(0) }
    }

    /// Sends a pipeline on one of the connections. An error here is one of the connection; errors of the server stand in the replies.
    pub(super) async fn send(
        &self,
        pipeline: &Pipeline,
        asking: bool,
    ) -> Result<Vec<Value>, RedisError> {
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

    /// Gives the server our scripts, over a connection that it has.
    pub(super) async fn load_scripts(&self) -> Result<(), RedisError> {
        for lane in &self.lanes {
            let known = lane.connection.read().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((_, mut connection)) = known {
                return load_scripts(&mut connection).await;
            }
        }
        Ok(())
    }

    /// Has the next request make a connection of its own; those who wait for an answer go on waiting.
    pub(super) fn forget_connections(&self) {
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
