//! Load for servers of features: some connections that each send one request
//! after the other, by HTTP/1.1 with keep-alive, or one every so often.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cpu;
use crate::race::quantile;

/// What is sent, and where.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// On 127.0.0.1.
    pub(crate) port: u16,
    /// The path of the URL.
    pub(crate) path: String,
    /// JSON, sent in turns.
    pub(crate) bodies: Arc<Vec<String>>,
}

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
    /// Requests per second of all connections together; as many as are
    /// answered, if none is said.
    pub(crate) rate: Option<f64>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// Requests for each second of processor time of the server.
    pub(crate) per_cpu_second: f64,
    /// Requests for each second of the clock.
    pub(crate) per_second: f64,
    /// Latencies in nanoseconds: the median, the 95th and the 99th percentile.
    pub(crate) latencies: [f64; 3],
}

/// Sends load to a server, whose processes are those of `server` and its
/// children. Any answer but 200 is an error.
pub(crate) async fn send(target: &Target, load: Load, server: u32) -> anyhow::Result<Answered> {
    let before = cpu::of_other(server)?;
    let start = Instant::now();
    let mut latencies = match load.rate {
        None => unpaced(target, load, start).await?,
        Some(rate) => {
            let target = target.clone();
            tokio::task::spawn_blocking(move || paced(&target, load, rate, start)).await??
        }
    };
    let (taken, used) = (start.elapsed(), cpu::of_other(server)? - before);
    ensure!(!latencies.is_empty(), "nothing was answered");
    let requests = latencies.len() as f64;
    Ok(Answered {
        per_cpu_second: requests / used.as_secs_f64(),
        per_second: requests / taken.as_secs_f64(),
        latencies: [0.5, 0.95, 0.99].map(|part| quantile(&mut latencies, part)),
    })
}

/// Each connection asks as soon as it is answered.
async fn unpaced(target: &Target, load: Load, start: Instant) -> anyhow::Result<Vec<f64>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..load.connections {
        let (target, next) = (target.clone(), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::open(target.port).await?;
            let mut latencies = Vec::new();
            while start.elapsed() < load.duration {
                let sent = Instant::now();
                let body = next.fetch_add(1, Ordering::Relaxed) % target.bodies.len();
                connection.ask(&target.path, &target.bodies[body]).await?;
                latencies.push(sent.elapsed().as_nanos() as f64);
            }
            anyhow::Ok(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(latencies)
}

/// Each connection asks when it is time to. They have threads of their own: a
/// runtime's timer is a millisecond wide.
fn paced(target: &Target, load: Load, rate: f64, start: Instant) -> anyhow::Result<Vec<f64>> {
    let every = load.connections as f64 / rate;
    let connection = |number: usize| -> anyhow::Result<Vec<f64>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let mut connection = Connection::open(target.port).await?;
            let offset = number as f64 / load.connections as f64;
            let mut latencies = Vec::new();
            while start.elapsed() < load.duration {
                let due = every * (latencies.len() as f64 + offset);
                let due = start + Duration::from_secs_f64(due);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let body = (latencies.len() * load.connections + number) % target.bodies.len();
                connection.ask(&target.path, &target.bodies[body]).await?;
                // Counted from when it was due: a server that stalls is not spared the requests of that time.
                latencies.push(due.elapsed().as_nanos() as f64);
            }
            Ok(latencies)
        })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..load.connections).map(|number| scope.spawn(move || connection(number))).collect();
        let mut latencies = Vec::new();
        for thread in threads {
            latencies.extend(thread.join().map_err(|_| anyhow::anyhow!("a connection failed"))??);
        }
        Ok(latencies)
    })
}

/// One connection, which is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends one request, and gives the body of its answer.
    pub(crate) async fn ask(&mut self, path: &str, body: &str) -> anyhow::Result<&[u8]> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            self.read().await?;
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head])?.to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .context("an answer says its length")?;
        let end = head + length.trim().parse::<usize>()?;
        while self.buffer.len() < end {
            self.read().await?;
        }
        if !text.starts_with("http/1.1 200") {
            bail!("{}", String::from_utf8_lossy(&self.buffer));
        }
        Ok(&self.buffer[head..end])
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}
