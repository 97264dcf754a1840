//! Where operators and their machines look in: plain HTTP/1 on its own listener, loopback by default.
//!
//! | request | answer |
//! |---|---|
//! | `GET /live` | 200 while the process answers |
//! | `GET /ready` | 200 when requests can be decided, else 503 with the reason |
//! | `GET /metrics` | OpenMetrics |
//! | `GET /config` | the configuration in use, without secrets, as JSON |
//! | `GET /cache` | what the session cache holds, as JSON |
//! | `POST /cache/flush` | forgets every cached session; each is validated when it is next used |
//!
//! It runs on the control runtime, so that a scrape never delays a request. Nothing here shows or takes a
//! secret, and a web page that an operator happens to visit can neither read from it (DNS rebinding) nor
//! give it orders (cross-site requests).

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::session::cache::CacheStatistics;
use crate::telemetry::Metrics;

/// Connections at once. A scraper, two probes and a person need four.
const MAX_CONNECTIONS: usize = 32;
/// From the connection to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// For a whole connection: a request and its answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// The head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Before the next attempt when no connection can be accepted (no file descriptors are left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the admin listener shows, and the one thing it does.
pub trait AdminState: Send + Sync + 'static {
    /// Whether requests can be decided; if not, why, in words for an operator.
    ///
    /// # Errors
    /// What is missing, such as the agent keys.
    fn ready(&self) -> Result<(), String>;

    /// The configuration in use as JSON, without secrets.
    fn config_json(&self) -> String;

    /// What the session cache holds.
    fn cache_statistics(&self) -> CacheStatistics;

    /// Forgets every cached session and decision.
    fn flush_cache(&self);

    /// All metrics, in the format of [`Metrics::encode`].
    fn metrics_text(&self) -> String;
}

/// Answers on `listener` until the future is dropped, and every connection with it.
pub async fn serve(listener: TcpListener, state: Arc<dyn AdminState>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&state)));
            }
            Err(error) => {
                tracing::warn!(%error, "the admin listener cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One request and its answer: without keep-alive, an unread body or a second request has no meaning.
async fn connection(stream: TcpStream, state: Arc<dyn AdminState>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let response = answer(
            request.method(),
            request.uri().path(),
            request.headers(),
            &*state,
        );
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an admin connection broke off"),
        Err(_) => tracing::debug!("an admin connection took too long"),
    }
}

type Answer = Response<Full<Bytes>>;

fn answer(method: &Method, path: &str, headers: &HeaderMap, state: &dyn AdminState) -> Answer {
    if !names_this_machine(headers) {
        return text(
            StatusCode::FORBIDDEN,
            "Use localhost or an address as the host.\n",
        );
    }
    // To the caller HEAD is GET; hyper leaves the body out.
    match (
        path,
        if method == Method::HEAD {
            &Method::GET
        } else {
            method
        },
    ) {
        ("/live", &Method::GET) => text(StatusCode::OK, "live\n"),
        ("/ready", &Method::GET) => match state.ready() {
            Ok(()) => text(StatusCode::OK, "ready\n"),
            Err(why) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("not ready: {why}\n"),
            ),
        },
        ("/metrics", &Method::GET) => {
            respond(StatusCode::OK, Metrics::CONTENT_TYPE, state.metrics_text())
        }
        ("/config", &Method::GET) => json(state.config_json()),
        ("/cache", &Method::GET) => json(
            serde_json::to_string(&state.cache_statistics()).expect("plain numbers become JSON"),
        ),
        ("/cache/flush", &Method::POST) if comes_from_a_browser(headers) => {
            text(StatusCode::FORBIDDEN, "Not from a web page.\n")
        }
        ("/cache/flush", &Method::POST) => {
            state.flush_cache();
            tracing::info!("the session cache was flushed through the admin listener");
            text(StatusCode::OK, "flushed\n")
        }
        ("/live" | "/ready" | "/metrics" | "/config" | "/cache", _) => wrong_method("GET, HEAD"),
        ("/cache/flush", _) => wrong_method("POST"),
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// A page can make its visitor's browser ask this listener under the page's own name (DNS rebinding),
/// but never under an address or `localhost`: those are not names it can point anywhere.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(authority) = http::uri::Authority::try_from(host.as_bytes()) else {
        return false;
    };
    let name = authority.host();
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// Browsers send one of these with every POST, and no page of ours sends any.
fn comes_from_a_browser(headers: &HeaderMap) -> bool {
    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    headers.contains_key(header::ORIGIN) || headers.contains_key(SEC_FETCH_SITE)
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    answer
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    respond(status, "text/plain; charset=utf-8", body)
}

fn json(body: String) -> Answer {
    respond(StatusCode::OK, "application/json", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}

#[cfg(test)]
mod tests;
