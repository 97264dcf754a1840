//! One connection, from after its handshake to its end.

use std::pin::{Pin, pin};
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::http::credentials::{Peer, Proven};

/// Calls at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// How long a connection may last on which nobody has proven who they are. Connections are few, and
/// one that only answers pings would otherwise keep its place for ever.
const UNPROVEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request head may take, which is also how long an HTTP/1.1 connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How often an HTTP/2 connection is checked for life, and how long its answer may take.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The longest request head, in bytes.
const MAX_HEAD: u32 = 16 * 1024;
/// How long calls in progress may run on after the connection was told to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a connection ended that should not have.
pub(super) type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

/// Serves a connection to its end.
pub(super) async fn serve<S>(
    stream: S,
    peer: Peer,
    is_http2: bool,
    router: Router,
    stop: watch::Receiver<bool>,
) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let proven = Proven::default();
    let calls = TowerToHyperService::new(router);
    let of_requests = proven.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(of_requests.clone());
        request.extensions_mut().insert(peer);
        calls.call(request)
    });
    let stream = TokioIo::new(stream);
    if is_http2 {
        let serving = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .serve_connection(stream, service);
        let end = |serving: Pin<&mut _>| http2::Connection::graceful_shutdown(serving);
        drive(pin!(serving), end, stop, &proven).await
    } else {
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD as usize)
            .serve_connection(stream, service);
        let end = |serving: Pin<&mut _>| http1::Connection::graceful_shutdown(serving);
        drive(pin!(serving), end, stop, &proven).await
    }
}

/// Runs a connection until it ends by itself or has to.
async fn drive<C: Future<Output = hyper::Result<()>>>(
    mut serving: Pin<&mut C>,
    graceful_shutdown: impl FnOnce(Pin<&mut C>),
    stop: watch::Receiver<bool>,
    proven: &Proven,
) -> Result<(), ConnectionError> {
    tokio::select! {
        ended = serving.as_mut() => return Ok(ended?),
        () = stopped(stop) => {}
        () = stays_unproven(proven) => tracing::debug!("nobody has proven who they are"),
    }
    graceful_shutdown(serving.as_mut());
    Ok(tokio::time::timeout(STOP_TIMEOUT, serving).await??)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that whoever would have said so is gone.
    _ = stop.wait_for(|stopping| *stopping).await;
}

/// Returns only if nobody has proven in time who they are.
async fn stays_unproven(proven: &Proven) {
    tokio::time::sleep(UNPROVEN_TIMEOUT).await;
    if proven.get() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
