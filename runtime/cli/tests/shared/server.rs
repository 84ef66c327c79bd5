//! `unskew serve` in a process of its own, and a small client.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::unskew;

/// Nothing is waited for longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server, killed when it is dropped.
pub(crate) struct Server {
    pub(crate) process: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Server {
    /// Serves the project in `dir` at a free port.
    pub(crate) fn start(dir: &Path) -> Self {
        let mut process = unskew()
            .args(["serve", "--json", "--listen", "127.0.0.1:0"])
            .arg(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let document: Value = serde_json::from_str(&line).unwrap_or_default();
        let url = document["listening"].as_str().unwrap_or_else(|| panic!("it says {line:?}"));
        let address = url.trim_start_matches("http://").to_owned();
        Self { process, address }
    }

    /// Status and body; none if the server does not answer.
    pub(crate) fn post(&self, path: &str, body: &str) -> Option<(u16, String)> {
        post(&self.address, path, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks the server at `address`; none if it does not answer.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split("\r\n\r\n").nth(1)?.to_owned()))
}
