//! An S3-compatible object store: the server of the Python package `moto`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::child::{ServerProcess, free_port, log_of};

const LOOKS: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(50);
const PROGRAM: &str = "
import sys
from werkzeug.serving import run_simple
from moto.server import DomainDispatcherApplication, create_backend_app
run_simple('127.0.0.1', int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=True)
";

/// A server that keeps objects in its memory.
#[derive(Debug)]
pub struct S3Server {
    // Dropped before its folder.
    _process: ServerProcess,
    _folder: TempDir,
    port: u16,
}

impl S3Server {
    /// The region that the server is asked in.
    pub const REGION: &str = "us-east-1";
    /// What it takes for a key and a secret: anything.
    pub const KEY: &str = "test";

    /// Starts a server without buckets.
    ///
    /// # Panics
    ///
    /// If it is not installed, or does not come up.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the server");
        let port = free_port();
        let mut command = Command::new(python());
        command.args(["-c", PROGRAM, &port.to_string()]).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut process = ServerProcess::start(command, folder.path(), "the Python package moto");
        for _ in 0..LOOKS {
            assert!(!process.has_ended(), "moto's server ended: {}", log_of(folder.path()));
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Self { _process: process, _folder: folder, port };
            }
            thread::sleep(PAUSE);
        }
        panic!("moto's server did not come up: {}", log_of(folder.path()));
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    ///
    /// # Panics
    ///
    /// If the server does not.
    pub fn create_bucket(&self, name: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let region = Self::REGION;
        // The region is read from the signature's scope, which is not checked.
        let request = format!(
            "PUT /{name} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 0\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/{region}/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        assert!(reply.contains(" 200 "), "no bucket {name}: {reply}");
    }

    /// What a client needs to find it, as the environment variables `AWS_*`.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT", self.endpoint()),
            ("AWS_REGION", Self::REGION.into()),
            ("AWS_ACCESS_KEY_ID", Self::KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", Self::KEY.into()),
            ("AWS_ALLOW_HTTP", "true".into()),
        ]
    }
}

/// The Python that `./setup.sh test` installs packages for.
fn python() -> PathBuf {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("UNSKEW_CACHE_DIR")
        .or_else(|| Some(absolute("XDG_CACHE_HOME")?.join("unskew")))
        .or_else(|| Some(absolute("HOME")?.join(".cache/unskew")))
        .expect("UNSKEW_CACHE_DIR or HOME");
    cache.join("python/bin/python")
}
