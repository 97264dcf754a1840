//! WebSockets: the one protocol that may be switched to (R6).
//!
//! `h2c` and whatever else is asked for is removed with the other headers of one connection. Bytes are
//! tunnelled only after the upstream's 101: until then they are requests, and are read as such.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, sleep, sleep_until};

use super::hop_by_hop::{has_token, strip_response};
use crate::http::body::{InProgress, RequestBody};
use crate::http::progress::Progress;
use crate::session::cache::CachedSession;

/// How often a tunnel looks whether its session has ended.
const SESSION_POLL: Duration = Duration::from_secs(1);

/// A client that wants to switch.
pub(super) struct WebSocket {
    client: OnUpgrade,
    /// Whose it is, if it needed a session.
    session: Option<Arc<CachedSession>>,
    /// Keeps the connection counted while the tunnel is open, so that draining waits for it.
    connection: Option<Arc<InProgress>>,
}

impl WebSocket {
    /// Takes the client's side out of a request that asks for a WebSocket (RFC 6455, section 4.1).
    pub(super) fn take(
        request: &mut Request<RequestBody>,
        session: Option<&Arc<CachedSession>>,
    ) -> Option<Self> {
        let wanted = request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && is_websocket(request.headers())
            && has_token(request.headers(), &CONNECTION, "upgrade")
            && request.body().is_end_stream();
        wanted.then(|| Self {
            connection: request.extensions_mut().remove(),
            session: session.cloned(),
            client: hyper::upgrade::on(request),
        })
    }

    /// Says to the upstream what the client wants.
    pub(super) fn ask(headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }

    /// Opens the tunnel after the upstream's 101 and returns the headers of ours; nothing if the
    /// upstream switched to something else.
    pub(super) fn open(
        self,
        response: &mut Response<Incoming>,
        idle_timeout: Duration,
        in_progress: InProgress,
    ) -> Option<HeaderMap> {
        if !is_websocket(response.headers()) {
            return None;
        }
        let upstream = hyper::upgrade::on(&mut *response);
        tokio::spawn(async move {
            let _counted = (self.connection, in_progress);
            if let (Ok(client), Ok(upstream)) = tokio::join!(self.client, upstream) {
                let (client, upstream) = (TokioIo::new(client), TokioIo::new(upstream));
                tokio::select! {
                    () = tunnel(client, upstream, idle_timeout) => {}
                    () = ended(self.session.as_deref()) => {}
                }
            }
        });
        let mut headers = std::mem::take(response.headers_mut());
        strip_response(&mut headers);
        Self::ask(&mut headers);
        Some(headers)
    }
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(UPGRADE).iter();
    let only = values.next().filter(|_| values.next().is_none());
    only.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Waits until the session has ended, by a logout or otherwise; for ever without one. A tunnel is not one
/// request: it could be used for as long as somebody likes.
async fn ended(session: Option<&CachedSession>) {
    let Some(session) = session else {
        return std::future::pending().await;
    };
    while session.check_alive().is_ok() {
        sleep(SESSION_POLL).await;
    }
}

/// Copies both ways until both sides have ended, one fails, or nothing moves for the idle timeout.
async fn tunnel(
    client: impl AsyncRead + AsyncWrite + Unpin,
    mut upstream: impl AsyncRead + AsyncWrite + Unpin,
    idle_timeout: Duration,
) {
    let progress = Progress::start();
    let mut client = Watched {
        io: client,
        progress: &progress,
    };
    let idle = async {
        loop {
            let deadline = progress.last() + idle_timeout;
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    };
    tokio::select! {
        _ended = copy_bidirectional(&mut client, &mut upstream) => {}
        () = idle => {}
    }
}

/// Notes when bytes move. All of a tunnel's bytes pass the client's side.
struct Watched<'a, T> {
    io: T,
    progress: &'a Progress,
}

impl<T> Watched<'_, T> {
    fn note<R>(&self, result: Poll<R>) -> Poll<R> {
        if result.is_ready() {
            self.progress.moved();
        }
        result
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.note(read)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<'_, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn asks(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut request = Request::new(RequestBody::empty());
        for &(name, value) in pairs {
            request
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
        WebSocket::take(&mut request, None).is_some()
    }

    #[test]
    fn only_websockets_are_switched_to() {
        assert!(asks(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket")
        ]));
        assert!(!asks(&[("connection", "upgrade"), ("upgrade", "h2c")]));
        assert!(!asks(&[
            ("connection", "upgrade"),
            ("upgrade", "websocket, h2c")
        ]));
        assert!(!asks(&[
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("upgrade", "h2c")
        ]));
        assert!(!asks(&[("upgrade", "websocket")]));
    }

    #[tokio::test]
    async fn a_tunnel_carries_both_ways_until_both_sides_end() {
        let (mut browser, client) = duplex(64);
        let (upstream, mut application) = duplex(64);
        let tunnel = tokio::spawn(tunnel(client, upstream, Duration::from_secs(60)));
        browser.write_all(b"ping").await.unwrap();
        browser.shutdown().await.unwrap();
        let mut heard = String::new();
        application.read_to_string(&mut heard).await.unwrap();
        application.write_all(b"pong").await.unwrap();
        drop(application);
        let mut answered = String::new();
        browser.read_to_string(&mut answered).await.unwrap();
        tunnel.await.unwrap();
        assert_eq!((heard.as_str(), answered.as_str()), ("ping", "pong"));
    }

    #[tokio::test]
    async fn a_silent_tunnel_is_closed() {
        let (_browser, client) = duplex(64);
        let (upstream, _application) = duplex(64);
        tunnel(client, upstream, Duration::ZERO).await;
    }
}
