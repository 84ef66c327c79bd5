//! A Redis cluster on this machine.

use std::thread;
use std::time::Duration;

use crate::RedisServer;

const SLOTS: u32 = 16_384;
const LOOKS: usize = 500;
const PAUSE: Duration = Duration::from_millis(50);

/// Redis servers that share the slots of a cluster, without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts so many servers and makes them one cluster.
    ///
    /// # Panics
    ///
    /// If they do not come to agree.
    #[must_use]
    pub fn start(servers: u32) -> Self {
        // A cluster's servers talk to each other on another port, by default their own plus 10,000, which need not exist or be free.
        let bus_port = || crate::child::free_port().to_string();
        let servers: Vec<_> = (0..servers)
            .map(|_| {
                RedisServer::start_with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus_port(),
                ])
            })
            .collect();
        let count = servers.len() as u32;
        for (number, server) in (0..).zip(&servers) {
            let bound = |number: u32| SLOTS * number / count;
            let (first, last) = (bound(number).to_string(), (bound(number + 1) - 1).to_string());
            server.command::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            server.command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        let bus: Vec<String> = servers
            .iter()
            .map(|server| {
                server.command::<Vec<String>>(&["CONFIG", "GET", "cluster-port"])[1].clone()
            })
            .collect();
        for (server, bus) in servers.iter().zip(&bus).skip(1) {
            let port = server.port().to_string();
            servers[0].command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
        }
        let cluster = Self { servers };
        for _ in 0..LOOKS {
            if cluster.agrees() {
                return cluster;
            }
            thread::sleep(PAUSE);
        }
        panic!("the servers of a Redis cluster did not come to agree");
    }

    fn agrees(&self) -> bool {
        let all = format!("cluster_known_nodes:{}", self.servers.len());
        self.servers.iter().all(|server| {
            let info: String = server.command(&["CLUSTER", "INFO"]);
            let slots: Vec<redis::Value> = server.command(&["CLUSTER", "SLOTS"]);
            info.contains("cluster_state:ok")
                && info.contains(&all)
                && slots.len() >= self.servers.len()
        })
    }

    /// The address of one of them.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers[0].url()
    }

    /// Its servers.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }
}
