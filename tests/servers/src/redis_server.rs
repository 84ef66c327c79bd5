//! One Redis server.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use redis::{Connection, FromRedisValue};
use tempfile::TempDir;

use crate::child::{ServerProcess, free_port, log_of};

const STARTS: usize = 5;
const LOOKS: usize = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// A Redis server of its own port and folder.
#[derive(Debug)]
pub struct RedisServer {
    process: ServerProcess,
    folder: TempDir,
    port: u16,
    options: Vec<String>,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server that keeps every write on disk before it answers, so that it survives [`RedisServer::restart`].
    #[must_use]
    pub fn start_persistent() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts a server with more options of its command line.
    #[must_use]
    pub fn start_with(options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let mut folder = tempfile::tempdir().expect("a folder for the server");
        for _ in 0..STARTS {
            let port = free_port();
            let process = run(folder.path(), port, &options);
            let mut server = Self { process, folder, port, options: options.clone() };
            if server.wait_until_ready() {
                return server;
            }
            // Somebody took the port in between; another one may do.
            folder = server.give_up();
        }
        panic!("redis-server did not start {STARTS} times; it said: {}", log_of(folder.path()));
    }

    fn give_up(self) -> TempDir {
        let Self { process, folder, port: _, options: _ } = self;
        drop(process);
        folder
    }

    /// Whether the server on our port is ours, and answers.
    fn wait_until_ready(&mut self) -> bool {
        for _ in 0..LOOKS {
            if self.process.has_ended() {
                return false;
            }
            let ready = self.try_connect().and_then(|mut connection| {
                redis::cmd("INFO").arg("server").query::<String>(&mut connection)
            });
            if let Ok(info) = ready {
                return info.contains(&format!("process_id:{}\r\n", self.process.id()));
            }
            thread::sleep(PAUSE);
        }
        false
    }

    fn try_connect(&self) -> redis::RedisResult<Connection> {
        redis::Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(2))
    }

    /// `redis://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends one command and returns its answer.
    ///
    /// # Panics
    ///
    /// If the server does not answer, or with another type.
    pub fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        let mut connection = self.try_connect().expect("a connection to our server");
        command.query(&mut connection).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// How often each command was called since [`RedisServer::reset_counts`], by name, without those that connections begin with.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, u64)> {
        let text: String = self.command(&["INFO", "commandstats"]);
        let mut counts = Vec::new();
        for line in text.lines() {
            let Some((name, fields)) =
                line.strip_prefix("cmdstat_").and_then(|line| line.split_once(':'))
            else {
                continue;
            };
            let calls = fields.split(',').find_map(|field| field.strip_prefix("calls="));
            let ours = !["hello", "client", "info", "config", "ping", "select"]
                .iter()
                .any(|housekeeping| name.split('|').next() == Some(housekeeping));
            if ours && let Some(calls) = calls.and_then(|calls| calls.parse().ok()) {
                counts.push((name.to_owned(), calls));
            }
        }
        counts.sort();
        counts
    }

    /// Begins to count anew.
    pub fn reset_counts(&self) {
        self.command::<()>(&["CONFIG", "RESETSTAT"]);
    }

    /// Lets it stand still, with its connections open.
    pub fn pause(&self) {
        self.process.signal(libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.signal(libc::SIGCONT);
    }

    /// Kills it, as a power failure would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port and folder.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = run(self.folder.path(), self.port, &self.options);
        assert!(
            self.wait_until_ready(),
            "redis-server came not up again: {}",
            log_of(self.folder.path())
        );
    }
}

fn run(folder: &Path, port: u16, options: &[String]) -> ServerProcess {
    let mut command = Command::new("redis-server");
    command.arg("--port").arg(port.to_string());
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
    command.arg("--dir").arg(folder).args(options);
    ServerProcess::start(command, folder, "the package redis-server")
}
