//! The way of one request to an upstream and of its response back.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::Upstream;
use super::balance::Server;
use super::client::SendError;
use super::hop_by_hop::{strip_request, strip_response};
use super::upgrade::WebSocket;
use crate::access::Denial;
use crate::http::body::{Body, InProgress, RequestBody};
use crate::http::headers::ManagedHeaders;
use crate::http::progress::Progress;
use crate::session::cache::CachedSession;

/// Why an attempt came to nothing.
enum Failure {
    Send(SendError),
    TimedOut,
    /// The request cannot be put into words for this server.
    Unsendable,
}

type Answer = (Response<Incoming>, InProgress);

impl Upstream {
    pub(super) async fn forward(
        &self,
        mut request: Request<RequestBody>,
        managed: &Arc<ManagedHeaders>,
        session: Option<&Arc<CachedSession>>,
        worker: usize,
    ) -> Result<Response<Body>, Denial> {
        if request.method() == Method::CONNECT {
            return Err(Denial::BadRequest("CONNECT is not served"));
        }
        if request.body().is_too_large() {
            return Err(Denial::TooLarge);
        }
        let http2 = self.settings.http2;
        let websocket = if http2 {
            None
        } else {
            WebSocket::take(&mut request, session)
        };
        strip_request(request.headers_mut(), managed, http2);
        if websocket.is_some() {
            WebSocket::ask(request.headers_mut());
        } else if !http2 && streams_without_length(&request) {
            // hyper takes a GET for one without a body unless told otherwise.
            let chunked = HeaderValue::from_static("chunked");
            request.headers_mut().insert(TRANSFER_ENCODING, chunked);
        }
        let progress = request
            .body_mut()
            .begin(self.settings.idle_timeout, managed);

        let (response, in_progress) = self.send(request, worker, progress.as_deref()).await?;
        self.pass_back(response, in_progress, websocket)
    }

    /// Sends the request, and once more if that is safe: when the method may be repeated, there is no
    /// body that is read already, and the server did not begin to answer.
    async fn send(
        &self,
        request: Request<RequestBody>,
        worker: usize,
        progress: Option<&Progress>,
    ) -> Result<Answer, Denial> {
        let (index, server) = self.servers.pick(None).ok_or(Denial::UpstreamUnavailable)?;
        let spare = copy_if_repeatable(&request);
        let failure = match self.attempt(server, request, worker, progress).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let denial = self.judge(server, &failure);
        match (failure, spare) {
            (Failure::Send(SendError::Connect(_) | SendError::Closed(_)), Some(spare)) => {
                let (_, server) = self
                    .servers
                    .pick(Some(index))
                    .ok_or(Denial::UpstreamUnavailable)?;
                let answer = self.attempt(server, spare, worker, progress).await;
                answer.map_err(|failure| self.judge(server, &failure))
            }
            _ => Err(denial),
        }
    }

    async fn attempt(
        &self,
        server: &Server,
        mut request: Request<RequestBody>,
        worker: usize,
        progress: Option<&Progress>,
    ) -> Result<Answer, Failure> {
        self.address(&mut request, server)?;
        let client = self.clients.get(worker).ok_or(Failure::Unsendable)?;
        let in_progress = server.begin();
        let sent = within(
            self.settings.response_timeout,
            progress,
            client.send(request),
        )
        .await;
        Ok((
            sent.ok_or(Failure::TimedOut)?.map_err(Failure::Send)?,
            in_progress,
        ))
    }

    /// Addresses the request to a server. The path and query stay as they were decided on.
    ///
    /// Over HTTP/2 the server is always called by its own name: a name of the client's in `:authority`
    /// would need a connection of its own.
    fn address(&self, request: &mut Request<RequestBody>, server: &Server) -> Result<(), Failure> {
        if self.settings.http2 {
            request.headers_mut().remove(HOST);
            *request.version_mut() = Version::HTTP_2;
        } else {
            let named_in_uri = request
                .uri()
                .authority()
                .map(|authority| authority.as_str());
            if !self.settings.preserve_host {
                request.headers_mut().insert(HOST, server.host.clone());
            } else if !request.headers().contains_key(HOST) {
                // HTTP/2 clients name the host in `:authority`; HTTP/1.0 ones need not name it.
                let host = named_in_uri.and_then(|name| HeaderValue::from_str(name).ok());
                let host = host.unwrap_or_else(|| server.host.clone());
                request.headers_mut().insert(HOST, host);
            }
            *request.version_mut() = Version::HTTP_11;
        }
        let path = request.uri().path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = server.uri(path).map_err(|_| Failure::Unsendable)?;
        Ok(())
    }

    fn pass_back(
        &self,
        mut response: Response<Incoming>,
        in_progress: InProgress,
        websocket: Option<WebSocket>,
    ) -> Result<Response<Body>, Denial> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let headers = websocket
                .and_then(|websocket| {
                    websocket.open(&mut response, self.settings.idle_timeout, in_progress)
                })
                .ok_or_else(|| {
                    let upstream = &*self.settings.name;
                    tracing::warn!(upstream, "switched to a protocol that was not asked for");
                    Denial::UpstreamUnavailable
                })?;
            let mut switched = Response::new(Body::empty());
            *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            *switched.headers_mut() = headers;
            return Ok(switched);
        }
        strip_response(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        response.extensions_mut().clear();
        let idle_timeout = self.settings.idle_timeout;
        Ok(response.map(|incoming| Body::upstream(incoming, idle_timeout, Some(in_progress))))
    }

    /// What a failure means for the client, and for the server's reputation. Nothing of the request is
    /// logged: addresses may hold secrets.
    fn judge(&self, server: &Server, failure: &Failure) -> Denial {
        let (upstream, server_name) = (&*self.settings.name, server.name());
        match failure {
            Failure::Send(SendError::Connect(error)) => {
                server.mark_down();
                tracing::warn!(upstream, server = server_name, error = %Causes(error), "cannot connect");
                Denial::UpstreamUnavailable
            }
            Failure::Send(SendError::Closed(error) | SendError::Broken(error)) => {
                tracing::warn!(upstream, server = server_name, error = %Causes(error), "no response");
                Denial::UpstreamUnavailable
            }
            Failure::Send(SendError::BodyTooLarge) => Denial::TooLarge,
            Failure::Send(SendError::Body) => Denial::BadRequest("the body broke off"),
            Failure::TimedOut => {
                tracing::warn!(upstream, server = server_name, "no response in time");
                Denial::UpstreamTimedOut
            }
            Failure::Unsendable => Denial::Internal,
        }
    }
}

fn streams_without_length(request: &Request<RequestBody>) -> bool {
    let body = request.body();
    !body.is_end_stream() && body.size_hint().exact().is_none()
}

/// The price of a second attempt: hyper consumes a request, so what may be repeated is copied first.
fn copy_if_repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !request.method().is_idempotent() {
        return None;
    }
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// Waits for an answer for `limit`, counted from when the request's body last moved.
async fn within<T>(
    limit: Duration,
    progress: Option<&Progress>,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let mut answer = pin!(answer);
    let mut deadline = Instant::now() + limit;
    loop {
        if let Ok(answer) = timeout_at(deadline, answer.as_mut()).await {
            return Some(answer);
        }
        let moved = progress.map_or(deadline, |progress| progress.last() + limit);
        if moved <= deadline {
            return None;
        }
        deadline = moved;
    }
}

/// An error with what caused it, on one line.
struct Causes<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
