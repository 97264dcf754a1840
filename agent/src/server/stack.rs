//! What stands between hyper and the pipeline: a bound on requests in progress, and a net for panics.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, RETRY_AFTER, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};

use super::activity::Activity;
use super::worker::Context;
use crate::http::ConnectionInfo;
use crate::http::body::{Body, BodyError, InProgress};

/// What the requests of one connection have in common.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) info: Arc<ConnectionInfo>,
    pub(super) worker: Arc<Context>,
    pub(super) activity: Activity,
    pub(super) http2: bool,
    /// Set once the connection is a tunnel.
    pub(super) upgraded: Arc<AtomicBool>,
    /// The connection's place among all; a tunnel holds on to it.
    pub(super) slot: Arc<InProgress>,
}

/// The service of one connection. Never fails: refusals and faults are responses.
///
/// A request's future is large, and on its way into place it would be copied at every step: it is boxed
/// where it is made.
pub(super) fn stack(
    connection: &Arc<Connection>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Admitted>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Admitted>, Infallible>> + Send + 'static,
> + 'static {
    let connection = Arc::clone(connection);
    service_fn(move |request| Box::pin(admit(Arc::clone(&connection), request)))
}

/// Serves a request if there is room for one more.
async fn admit(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Admitted>, Infallible> {
    let shared = &connection.worker.shared;
    let most = shared.limits.load().requests;
    let slot = InProgress::try_begin(&shared.counters.requests, most);
    let in_progress = RequestInProgress::begin(Arc::clone(&connection));
    let response = match slot {
        Some(_) => catch_panic(&connection, pin!(respond(&connection, request))).await,
        None => {
            shared
                .counters
                .requests_refused
                .fetch_add(1, Ordering::Relaxed);
            overloaded()
        }
    };
    // HTTP/2 does not even ask for a body while the client's window is shut.
    connection.activity.piece_is_given();
    Ok(response.map(|body| Admitted {
        body,
        untaken: true,
        in_progress,
        _slot: slot,
    }))
}

/// A panic costs its request, and an HTTP/1 connection, but nothing else.
async fn catch_panic(
    connection: &Connection,
    response: Pin<&mut impl Future<Output = Response<Body>>>,
) -> Response<Body> {
    match AssertUnwindSafe(response).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            connection
                .worker
                .shared
                .counters
                .panics
                .fetch_add(1, Ordering::Relaxed);
            let mut response = text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The gateway failed to handle this request.\n",
            );
            if !connection.http2 {
                close_after(&mut response);
            }
            response
        }
    }
}

async fn respond(connection: &Connection, mut request: Request<Incoming>) -> Response<Body> {
    if request.headers().contains_key(UPGRADE) {
        request
            .extensions_mut()
            .insert(Arc::clone(&connection.slot));
    }
    let expects = request.version() < Version::HTTP_2 && request.headers().contains_key(EXPECT);
    let pipeline = &connection.worker.shared.pipeline;
    let mut response = pipeline.respond(&connection.info, request).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        connection.upgraded.store(true, Ordering::Release);
    } else if expects {
        // A client that waited for 100 Continue may send the body after all, or may not: what comes
        // next cannot be told apart (R6).
        close_after(&mut response);
    }
    response
}

fn close_after(response: &mut Response<Body>) {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
}

fn overloaded() -> Response<Body> {
    let mut response = text(
        StatusCode::SERVICE_UNAVAILABLE,
        "Too many requests are in progress. Try again shortly.\n",
    );
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::text(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// Tells a connection's activity of a request from its head to the last byte of its response.
#[derive(Debug)]
struct RequestInProgress(Arc<Connection>);

impl RequestInProgress {
    fn begin(connection: Arc<Connection>) -> Self {
        connection.activity.request_begins();
        Self(connection)
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.0.activity.request_ends();
    }
}

/// A response's body that keeps its request counted, and notes whether the client takes it.
#[derive(Debug)]
pub(super) struct Admitted {
    body: Body,
    /// Whether the head or the last piece was given and no further piece asked for.
    untaken: bool,
    in_progress: RequestInProgress,
    _slot: Option<InProgress>,
}

impl Admitted {
    fn take(&mut self) {
        if std::mem::take(&mut self.untaken) {
            self.in_progress.0.activity.piece_is_taken();
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.take();
    }
}

impl HttpBody for Admitted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        this.take();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = &polled {
            this.untaken = true;
            this.in_progress.0.activity.piece_is_given();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
