//! Who is in the cluster, and who has which slots of it.

use std::sync::{Arc, PoisonError};

use redis::{Client, ConnectionAddr, IntoConnectionInfo, Pipeline, Value};

use super::connection::Servers;
use super::failure;
use super::request::SLOTS;
use super::server::Server;
use crate::StoreError;

/// Who there is, and who has which slots.
#[derive(Debug)]
pub(super) struct Shape {
    pub servers: Vec<Arc<Server>>,
    /// Of a cluster: for each slot the number of its server, or one that is none.
    pub slots: Option<Vec<u16>>,
}

impl Servers {
    /// Who there is; asked anew if nobody knows, or what is known is `stale`.
    pub(super) async fn look(&self, stale: Option<&Arc<Shape>>) -> Result<Arc<Shape>, StoreError> {
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
    pub(super) fn server_at(
        &self,
        known: &Shape,
        address: &str,
    ) -> Result<Arc<Server>, StoreError> {
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
