//! A proxy that can stall: a network that takes everything and gives nothing back.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Forwards connections to a port of this machine, until it is told to stall.
#[derive(Debug)]
pub struct StallingProxy {
    shared: Arc<Shared>,
    port: u16,
}

#[derive(Debug, Default)]
struct Shared {
    stalled: Mutex<bool>,
    changed: Condvar,
    ended: AtomicBool,
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl StallingProxy {
    /// Begins to forward to a port.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[must_use]
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if of_thread.ended.load(Ordering::Relaxed) {
                    return;
                }
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target));
                let (Ok(client), Ok(server)) = (client, server) else { continue };
                of_thread.connections.fetch_add(1, Ordering::Relaxed);
                for (from, to, is_request) in [(&client, &server, true), (&server, &client, false)]
                {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                    let shared = of_thread.clone();
                    thread::spawn(move || shared.forward(from, to, is_request));
                }
            }
        });
        Self { shared, port }
    }

    /// `redis://127.0.0.1:PORT`
    #[must_use]
    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Takes what comes, and passes nothing on any more.
    pub fn stall(&self) {
        self.shared.set(true);
    }

    /// Passes on what has come, and what comes.
    pub fn resume(&self) {
        self.shared.set(false);
    }

    /// Connections that were made so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Pieces that came from clients so far. Of one client that sends little and waits for each answer these are its
    /// round trips.
    #[must_use]
    pub fn round_trips(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn set(&self, stalled: bool) {
        *self.stalled.lock().unwrap_or_else(PoisonError::into_inner) = stalled;
        self.changed.notify_all();
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream, is_request: bool) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let mut stalled = self.stalled.lock().unwrap_or_else(PoisonError::into_inner);
            while *stalled && !self.ended.load(Ordering::Relaxed) {
                let waited = self.changed.wait_timeout(stalled, Duration::from_secs(1));
                stalled = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            drop(stalled);
            // Small requests come in one piece each.
            if is_request {
                self.requests.fetch_add(1, Ordering::Relaxed);
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

impl Drop for StallingProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.shared.set(false);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}
