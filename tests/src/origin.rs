//! A protected application that writes down what it saw.
//!
//! What it does is said in the query of the request, so that any path can be tried:
//!
//! | query | the origin |
//! |---|---|
//! | none | answers with what it saw, as JSON ([`SeenRequest`]) |
//! | `do=stream&n=N` | sends N bytes |
//! | `do=sink` | counts the body, keeps nothing, answers with the count |
//! | `do=slow-head` | answers only after [`Origin::release`] |
//! | `do=slow-body` | sends `first`, and `last` after [`Origin::release`] |
//! | `do=trailers` | ends its body with the trailer `x-checksum: abc` |
//! | `do=status&n=N` | answers with the status N |
//! | `do=redirect&to=URL` | answers 302 |
//! | `do=break-off` | announces 100 bytes and closes after ten |
//! | `do=hang-up` | closes without an answer |
//! | `do=not-101` | answers an upgrade with 200, and goes on reading requests |
//! | `do=cookies` | sets two cookies |
//! | `do=cache&as=TEXT` | says TEXT in `Cache-Control` |
//!
//! A request to upgrade to a WebSocket gets 101, and then every byte back.

mod http1;
mod http2;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::Leaf;

/// An application on a port of its own. It stops when it is dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    tls: bool,
    notes: Arc<Notes>,
    accepting: JoinHandle<()>,
}

/// One request, as the origin saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRequest {
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// As received.
    pub method: String,
    /// As received.
    pub target: String,
    /// In order; over HTTP/1 with names as received.
    pub headers: Vec<(String, String)>,
    /// Bytes in the body.
    pub body_length: u64,
    /// SHA-256 of the body, lower-case hex.
    pub body_sha256: String,
    /// The beginning of the body.
    pub body: String,
    /// In order.
    pub trailers: Vec<(String, String)>,
}

impl SeenRequest {
    /// All values of a header, whatever its case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let matching = self
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.as_str()).collect()
    }

    /// The only value of a header.
    ///
    /// # Panics
    /// If there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() < 2, "{name} came {} times", values.len());
        values.first().copied()
    }
}

/// What the origin saw, and what it waits for.
#[derive(Debug)]
struct Notes {
    requests: Mutex<Vec<SeenRequest>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    bytes: AtomicU64,
    released: Semaphore,
}

impl Notes {
    /// Writes down a request whose head has arrived; returns its number.
    fn begin(&self, request: SeenRequest) -> usize {
        let mut requests = self.requests.lock().unwrap();
        requests.push(request);
        requests.len() - 1
    }

    /// Writes down the rest.
    fn complete(&self, number: usize, request: &SeenRequest) {
        self.requests.lock().unwrap()[number].clone_from(request);
    }

    async fn wait_for_release(&self) {
        self.released
            .acquire()
            .await
            .expect("never closed")
            .forget();
    }
}

/// What the query asks for.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Echo,
    Stream(u64),
    Sink,
    SlowHead,
    SlowBody,
    Trailers,
    Status(u16),
    Redirect(String),
    BreakOff,
    HangUp,
    NotSwitching,
    Cookies,
    Cache(String),
}

impl Task {
    fn of(target: &str) -> Self {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let value = |name: &str| {
            pairs
                .iter()
                .find(|(other, _)| other == name)
                .map(|(_, value)| value.to_string())
        };
        let number = || {
            value("n")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0u64)
        };
        match value("do").as_deref() {
            Some("stream") => Self::Stream(number()),
            Some("sink") => Self::Sink,
            Some("slow-head") => Self::SlowHead,
            Some("slow-body") => Self::SlowBody,
            Some("trailers") => Self::Trailers,
            Some("status") => Self::Status(u16::try_from(number()).expect("a status")),
            Some("redirect") => Self::Redirect(value("to").unwrap_or_default()),
            Some("break-off") => Self::BreakOff,
            Some("hang-up") => Self::HangUp,
            Some("not-101") => Self::NotSwitching,
            Some("cookies") => Self::Cookies,
            Some("cache") => Self::Cache(value("as").unwrap_or_default()),
            _ => Self::Echo,
        }
    }
}

impl Origin {
    /// Speaks HTTP/1.1.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    /// Speaks HTTP/1.1 on a port that another origin has just left.
    pub async fn start_at(address: SocketAddr) -> Self {
        Self::serve(address, None, |stream, notes, number| async move {
            http1::serve(stream, &notes, number).await;
        })
        .await
    }

    /// Speaks HTTP/1.1 over TLS.
    pub async fn start_tls(leaf: &Leaf) -> Self {
        let acceptor = TlsAcceptor::from(leaf.server_config());
        Self::serve(
            "127.0.0.1:0".parse().unwrap(),
            Some(acceptor),
            |stream, notes, number| async move {
                http1::serve(stream, &notes, number).await;
            },
        )
        .await
    }

    /// Speaks HTTP/2 with prior knowledge.
    pub async fn start_h2c() -> Self {
        Self::serve("127.0.0.1:0".parse().unwrap(), None, http2::serve).await
    }

    async fn serve<F>(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        serve: impl Fn(Box<dyn Stream>, Arc<Notes>, usize) -> F + Copy + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address)
            .await
            .expect("a port for the origin");
        let notes = Arc::new(Notes {
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            released: Semaphore::new(0),
        });
        let address = listener.local_addr().unwrap();
        let (is_tls, shared) = (tls.is_some(), Arc::clone(&notes));
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (notes, tls) = (Arc::clone(&shared), tls.clone());
                let number = notes.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    notes.open.fetch_add(1, Ordering::SeqCst);
                    let counted = Counted {
                        stream,
                        notes: Arc::clone(&notes),
                    };
                    match tls {
                        None => serve(Box::new(counted), Arc::clone(&notes), number).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(counted).await {
                                serve(Box::new(stream), Arc::clone(&notes), number).await;
                            }
                        }
                    }
                    notes.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            tls: is_tls,
            notes,
            accepting,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scheme and authority, as an upstream's server is configured. Over TLS the host is `localhost`.
    pub fn url(&self) -> String {
        if self.tls {
            format!("https://localhost:{}", self.address.port())
        } else {
            format!("http://{}", self.address)
        }
    }

    /// Everything it saw so far.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.notes.requests.lock().unwrap().clone()
    }

    /// The latest request.
    ///
    /// # Panics
    /// If there was none.
    pub fn last(&self) -> SeenRequest {
        self.requests().pop().expect("the origin saw no request")
    }

    /// Requests whose path starts with `path`.
    pub fn count_of(&self, path: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.target.starts_with(path))
            .count()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.notes.connections.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub fn open_connections(&self) -> usize {
        self.notes.open.load(Ordering::SeqCst)
    }

    /// Bytes received so far, parsed or not.
    pub fn bytes_seen(&self) -> u64 {
        self.notes.bytes.load(Ordering::SeqCst)
    }

    /// Lets `count` slow answers go on.
    pub fn release(&self, count: usize) {
        self.notes.released.add_permits(count);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A connection of whatever kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// Counts what is received.
struct Counted {
    stream: TcpStream,
    notes: Arc<Notes>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = std::pin::Pin::new(&mut self.stream).poll_read(cx, buf);
        self.notes
            .bytes
            .fetch_add((buf.filled().len() - before) as u64, Ordering::SeqCst);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
