//! Servers that tests start and stop: Redis, a Redis cluster, an S3-compatible store, and a proxy that stalls.
//!
//! Each listens on a free port of the loopback interface, has a folder of its own, and ends when it is dropped, and also when this process dies in any
//! way. `./setup.sh test` installs what they run; where something is missing they panic and say so.

mod child;
mod proxy;
mod redis_cluster;
mod redis_server;
mod s3_server;

pub use proxy::StallingProxy;
pub use redis_cluster::RedisCluster;
pub use redis_server::RedisServer;
pub use s3_server::S3Server;
