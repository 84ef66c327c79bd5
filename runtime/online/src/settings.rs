use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::alert_rule::AlertRule;

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// The address to listen at.
    pub listen: SocketAddr,
    /// What clients must send; needed beyond loopback.
    pub token: Option<String>,
    /// How long a request may take.
    pub deadline: Duration,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// The most entities of one request.
    pub max_entities: usize,
    /// The most connections at a time.
    pub max_connections: usize,
    /// How long a connection may be silent.
    pub idle_timeout: Duration,
    /// How long requests may still take when the server is told to end.
    pub shutdown_timeout: Duration,
    /// How many threads answer requests; as many as there are cores, if none
    /// is said.
    pub threads: Option<usize>,
    /// Certificate chain and private key for https, both PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The folder of the write-ahead log of pushes.
    pub push_log: PathBuf,
    /// Rules of alerts.
    pub alerts: Vec<AlertRule>,
}

/// The time of asking: microseconds since the epoch, UTC. The only clock that
/// an answer depends on.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
