//! The life of one connection: PROXY header, TLS, HTTP, and its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::activity::{Activity, Stopped};
use super::guard::Guard;
use super::listener::{Accepting, WRITE_STALL};
use super::stack::{Connection, stack};
use super::tls::revocation;
use super::worker::Context;
use super::{client_certificate, proxy_protocol};
use crate::config::Limits;
use crate::http::ConnectionInfo;
use crate::http::body::InProgress;
use crate::http::connection_info::VerifiedCertificate;

/// How far hyper's buffers of one HTTP/1 connection may grow: enough to stream at full speed, and little
/// enough to be held for every connection. hyper takes no less than 8 KiB.
const H1_BUFFER: usize = 64 * 1024;

/// Bytes that a client may send ahead on one HTTP/2 stream, and that may wait for it there.
const H2_STREAM_WINDOW: u32 = 64 * 1024;

/// And on one HTTP/2 connection.
const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Streams that a client reset before they were served (CVE-2023-44487).
const H2_PENDING_RESETS: usize = 20;

/// Streams that a client made us reset (CVE-2025-8671).
const H2_LOCAL_ERROR_RESETS: usize = 256;

/// When an HTTP/2 client is asked whether it is still there, and how long it may take to answer.
const H2_PING: Duration = Duration::from_secs(20);

/// Serves one connection from accept to close. Its errors are the client's doing, and of interest to
/// nobody who is not debugging.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    settings: Arc<Accepting>,
    worker: Arc<Context>,
    slot: InProgress,
) {
    let limits = worker.shared.limits.load_full();
    let establishing = establish(stream, peer, local, &settings, worker.index);
    let established = match timeout(limits.handshake_timeout, establishing).await {
        Ok(established) => established,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let (transport, info) = match established {
        Ok(established) => established,
        Err(error) => {
            let counters = &worker.shared.counters;
            counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            match revocation::reason(&error) {
                Some(reason) => {
                    let name = reason.name();
                    tracing::warn!(client = %peer.ip(), %reason, name, %error, "certificate refused");
                }
                None => tracing::debug!(client = %peer.ip(), %error, "handshake failed"),
            }
            return;
        }
    };
    let http2 = transport.is_http2();
    let connection = Arc::new(Connection {
        info: Arc::new(info),
        worker,
        activity: Activity::new(),
        http2,
        upgraded: Arc::default(),
        slot: Arc::new(slot),
    });
    match transport {
        Transport::Plain(stream) => serve_http1(stream, &connection, &limits).await,
        Transport::Tls(stream) if http2 => serve_http2(stream, &connection, &limits).await,
        Transport::Tls(stream) => serve_http1(stream, &connection, &limits).await,
    }
}

enum Transport {
    Plain(TcpStream),
    /// Boxed: it is large, and would lie in every state of the connection's future.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

/// Reads what comes before HTTP.
async fn establish(
    mut stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    settings: &Accepting,
    worker: usize,
) -> io::Result<(Transport, ConnectionInfo)> {
    let mut info = ConnectionInfo {
        peer,
        local,
        tls: false,
        server_name: None,
        require_matching_host: settings.require_matching_host,
        client_certificate: None,
        worker,
        redirect_to_https: settings.redirect_to_https,
        services: settings.services.clone(),
        forwarding: OnceLock::new(),
    };
    if proxy_protocol::is_required(peer.ip(), &settings.proxy_protocol_from)
        && let Some(client) = proxy_protocol::read(&mut stream).await?
    {
        info.peer = client;
    }
    // An IPv4 client of an IPv6 socket is still an IPv4 client to rules and logs.
    info.peer.set_ip(info.peer.ip().to_canonical());
    match &settings.tls {
        Some(config) => {
            let stream = handshake(stream, config, settings, &mut info).await?;
            Ok((Transport::Tls(stream), info))
        }
        None => Ok((Transport::Plain(stream), info)),
    }
}

async fn handshake(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    settings: &Accepting,
    info: &mut ConnectionInfo,
) -> io::Result<Box<TlsStream<TcpStream>>> {
    let stream = Box::new(TlsAcceptor::from(Arc::clone(config)).accept(stream).await?);
    let session = stream.get_ref().1;
    info.tls = true;
    info.server_name = session
        .server_name()
        .map(|name| name.to_ascii_lowercase().into());
    if let Some(leaf) = session.peer_certificates().and_then(<[_]>::first) {
        let read = client_certificate::read(leaf).ok_or(io::ErrorKind::InvalidData)?;
        let trust = settings.client_trust.as_ref();
        info.client_certificate = trust.map(|trust| VerifiedCertificate {
            certificate: Arc::new(read),
            trust: Arc::clone(trust),
        });
    }
    Ok(stream)
}

async fn serve_http1<T>(stream: T, connection: &Arc<Connection>, limits: &Limits)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let buffer = limits.head_bytes.max(H1_BUFFER);
    let violations = Arc::clone(&connection.worker.shared.counters.framing_violations);
    // hyper answers 431 to a head above the limit, at the latest one read after it. The guard's bound
    // lies beyond that and is never reached.
    let bound = limits.head_bytes + buffer;
    let guard = Guard::new(stream, bound, Arc::clone(&connection.upgraded), violations);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(buffer)
        .max_header_size(limits.head_bytes)
        .serve_connection(TokioIo::new(guard), stack(connection))
        .with_upgrades();
    drive(
        pin!(serving),
        |serving| serving.graceful_shutdown(),
        connection,
        None,
    )
    .await;
}

async fn serve_http2<T>(stream: T, connection: &Arc<Connection>, limits: &Limits)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_send_buf_size(H2_STREAM_WINDOW as usize)
        .max_header_list_size(head)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS)
        .max_local_error_reset_streams(H2_LOCAL_ERROR_RESETS)
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .serve_connection(TokioIo::new(stream), stack(connection));
    drive(
        pin!(serving),
        |serving| serving.graceful_shutdown(),
        connection,
        Some(limits.head_timeout),
    )
    .await;
}

/// Runs a connection to its end. Draining lets requests in progress finish; a client that asks for
/// nothing for `idle`, or whose certificate would no longer be taken, is let go in the same way; one that does
/// not take its responses is cut off.
async fn drive<C: Future<Output = hyper::Result<()>>>(
    mut serving: Pin<&mut C>,
    graceful_shutdown: impl Fn(Pin<&mut C>),
    connection: &Connection,
    idle: Option<Duration>,
) {
    let mut draining = connection.worker.draining.subscribe();
    let clock = &connection.worker.shared.pipeline.sessions().clock;
    let mut lapsed = pin!(connection.info.certificate_lapsed(&**clock));
    let mut shutting_down = false;
    loop {
        tokio::select! {
            biased;
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(client = %connection.info.peer.ip(), %error, "connection broke");
                }
                return;
            }
            _draining = draining.wait_for(|draining| *draining), if !shutting_down => {}
            () = lapsed.as_mut(), if !shutting_down => {}
            stopped = connection.activity.stopped(WRITE_STALL, idle) => match stopped {
                Stopped::Stalled => {
                    let counters = &connection.worker.shared.counters;
                    counters.connections_stalled.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Stopped::Idle if shutting_down => return,
                Stopped::Idle => {}
            },
        }
        shutting_down = true;
        // The client has as long again to take its leave.
        connection.activity.moved();
        graceful_shutdown(serving.as_mut());
    }
}
