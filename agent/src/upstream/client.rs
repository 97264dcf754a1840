//! The pooled HTTP client, the only place that knows hyper-util's.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use tokio::net::TcpStream;

use crate::config::Upstream;
use crate::http::body::{BodyError, RequestBody};

/// Bytes that an upstream may send ahead on one HTTP/2 stream. A worker holds that much for a client
/// that reads slowly.
const H2_STREAM_WINDOW: u32 = 256 * 1024;

/// And on one HTTP/2 connection.
const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How far the buffer of one HTTP/1 connection may grow; also the largest head of a response.
const H1_BUFFER: usize = 64 * 1024;

/// Between TCP keep-alive probes, so that a dead server is noticed.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// Connections to the servers of one upstream, for one worker: it is never shared, so its pool's lock is
/// never contended and a connection stays on its core.
#[derive(Clone, Debug)]
pub(super) struct Client(legacy::Client<Connector, RequestBody>);

/// Why there is no response.
#[derive(Debug)]
pub(super) enum SendError {
    /// No connection: nothing was sent.
    Connect(legacy::Error),
    /// The connection was closed before a response, as an unused one may be at any moment.
    Closed(legacy::Error),
    /// What came was no response.
    Broken(legacy::Error),
    /// The client's body is too large.
    BodyTooLarge,
    /// The client's body broke off.
    Body,
}

impl Client {
    /// With an empty pool. Must be used on one runtime only.
    pub(super) fn new(settings: &Upstream, tls: &ClientConfig) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http();
        let https = if settings.http2 {
            https.enable_http2().wrap_connector(tcp)
        } else {
            https.enable_http1().wrap_connector(tcp)
        };
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.keep_alive)
            .pool_max_idle_per_host(settings.max_idle)
            .http1_max_buf_size(H1_BUFFER)
            .http2_only(settings.http2)
            .http2_initial_stream_window_size(H2_STREAM_WINDOW)
            .http2_initial_connection_window_size(H2_CONNECTION_WINDOW)
            .set_host(false)
            .build(Connector {
                https,
                timeout: settings.connect_timeout,
            });
        Self(client)
    }

    /// Sends a request to the server that its address names, and waits for the response's head.
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        self.0.request(request).await.map_err(SendError::from)
    }
}

impl From<legacy::Error> for SendError {
    fn from(error: legacy::Error) -> Self {
        if error.is_connect() {
            return Self::Connect(error);
        }
        let mut closed = false;
        let mut source = error.source();
        while let Some(cause) = source {
            match cause.downcast_ref() {
                Some(BodyError::TooLarge) => return Self::BodyTooLarge,
                Some(BodyError::Idle | BodyError::Broken(_)) => return Self::Body,
                None => closed |= is_closed(cause),
            }
            source = cause.source();
        }
        if closed {
            Self::Closed(error)
        } else {
            Self::Broken(error)
        }
    }
}

/// Whether the other side closed the connection, or said that it did not touch the request.
fn is_closed(cause: &(dyn Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    }
    if let Some(error) = cause.downcast_ref::<h2::Error>() {
        return error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
    }
    cause.downcast_ref::<io::Error>().is_some_and(|error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset
        )
    })
}

/// Connects within a time limit, TLS included.
#[derive(Clone, Debug)]
struct Connector {
    https: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

impl tower::Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let connected = tokio::time::timeout(self.timeout, self.https.call(server));
        Box::pin(async move { connected.await? })
    }
}
