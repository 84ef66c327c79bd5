//! The accept loop: connections to requests, within bounds, until told to end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;

use crate::http::{Handlers, Workers};
use crate::settings::ServeSettings;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened at.
    #[error(
        "{address} cannot be listened at: {source}; end what uses it, or give another with serve.listen"
    )]
    Listen {
        /// where
        address: SocketAddr,
        /// what the system said
        source: io::Error,
    },
    /// Others could reach the server, and nothing would ask them who they are.
    #[error(
        "{0} can be reached from other machines, so clients must send a token: set serve.token (best by UNSKEW_SERVE_TOKEN), or listen at 127.0.0.1"
    )]
    NoToken(SocketAddr),
    /// Certificate or key are of no use.
    #[error("{path}: {reason}; give a certificate chain and its private key, both in PEM")]
    Tls {
        /// the file
        path: String,
        /// what is wrong
        reason: String,
    },
    /// Something that serving needs cannot be had.
    #[error("{what}: {reason}")]
    Resource {
        /// what
        what: String,
        /// why
        reason: String,
    },
}

/// A server that listens and does not answer yet.
pub(crate) struct Listening {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Listening {
    /// Takes the address, so that mistakes come before anything is loaded.
    pub(crate) fn at(settings: &ServeSettings) -> Result<Self, ServeError> {
        let address = settings.listen;
        allow_many_files();
        if !address.ip().is_loopback() && settings.token.is_none() {
            return Err(ServeError::NoToken(address));
        }
        let listen = || {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        let listener = listen().map_err(|source| ServeError::Listen { address, source })?;
        let tls = match &settings.tls {
            None => None,
            Some((cert, key)) => Some(acceptor(cert, key)?),
        };
        Ok(Self { listener, tls })
    }

    /// The address that it listens at.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `end` is set, then lets requests that were begun finish.
    pub(crate) async fn serve(
        self,
        app: Handlers,
        workers: &Workers,
        mut end: watch::Receiver<bool>,
    ) {
        let Self { listener, tls } = self;
        let settings = app.settings();
        let places = Arc::new(Semaphore::new(settings.max_connections));
        let (limit, most) = (settings.shutdown_timeout, settings.max_connections as u32);
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place,
                () = ended(&mut end) => break,
            };
            let Ok(place) = place else { break };
            let stream = tokio::select! {
                accepted = listener.accept() => match accepted.and_then(|it| it.0.into_std()) {
                    Ok(stream) => stream,
                    Err(error) => {
                        // Out of file descriptors, or a client that went at once.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    }
                },
                () = ended(&mut end) => break,
            };
            let (app, tls, end) = (app.clone(), tls.clone(), end.clone());
            workers.spawn(async move {
                // Of the event loop of this thread from here on.
                match TcpStream::from_std(stream) {
                    Ok(stream) => connection(stream, tls, app, end).await,
                    Err(error) => tracing::warn!(%error, "a connection could not be kept"),
                }
                drop(place);
            });
        }
        drop(listener);
        // All places are free once every connection has ended.
        if tokio::time::timeout(limit, places.acquire_many(most)).await.is_err() {
            tracing::warn!("requests took longer than serve.shutdown_timeout and were cut off");
        }
    }
}

/// Waits until the server is told to end.
pub(crate) async fn ended(end: &mut watch::Receiver<bool>) {
    // An error says that nobody can tell any more, which is an end, too.
    let _ = end.wait_for(|ends| *ends).await;
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    app: Handlers,
    end: watch::Receiver<bool>,
) {
    // Small answers must not wait for more of them.
    let _ = stream.set_nodelay(true);
    let limit = app.settings().idle_timeout;
    let stream = Timed { stream, limit, waiting: None };
    match tls {
        None => requests(stream, app, end).await,
        Some(tls) => match tokio::time::timeout(limit, tls.accept(stream)).await {
            Ok(Ok(stream)) => requests(stream, app, end).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn requests<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    app: Handlers,
    mut end: watch::Receiver<bool>,
) {
    let limit = app.settings().idle_timeout;
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let app = app.clone();
        async move {
            let request = request.map(axum::body::Body::new);
            Ok::<_, std::convert::Infallible>(app.handle(request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        served = connection.as_mut() => {
            if let Err(error) = served {
                tracing::debug!(%error, "a connection broke off");
            }
            return;
        }
        () = ended(&mut end) => {}
    }
    connection.as_mut().graceful_shutdown();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// A stream whose writes end when the other side takes nothing for too long.
struct Timed {
    stream: TcpStream,
    limit: Duration,
    /// Set while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Timed {
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.waiting = None;
            return poll;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watched(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Every connection is a file: lets this process have as many as the system
/// allows it, which is more than it has at first.
#[cfg(unix)]
fn allow_many_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write nothing but the struct, which lives through them.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if !raised {
        tracing::warn!(
            "the limit of open files could not be raised; there may be fewer connections"
        );
    }
}

#[cfg(not(unix))]
fn allow_many_files() {}

fn acceptor(cert: &std::path::Path, key: &std::path::Path) -> Result<TlsAcceptor, ServeError> {
    let wrong = |path: &std::path::Path, reason: String| ServeError::Tls {
        path: path.display().to_string(),
        reason,
    };
    let chain =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| wrong(cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(cert, "it holds no certificate".to_owned()));
    }
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| wrong(cert, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
