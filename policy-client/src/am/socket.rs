//! The WebSocket of notifications, as a stream of events.
//!
//! AM says nothing while nothing happens, so the agent asks each second whether it is still there (ping); each
//! answer is a heartbeat. What was missed while there was no socket is never told: the stream begins with a gap,
//! and ends with the socket.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, StatusCode, Uri};
use policy_protocol::event::{HEARTBEAT_SECONDS, SILENCE};
use policy_protocol::{Event, EventKind, EventPosition};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::beginnings::Beginnings;
use super::limits::MAX_MESSAGE;
use super::notices::{self, Notice, SUBPROTOCOL, TOPICS};
use super::own_session::{OwnSession, Use};
use super::rest::{Rest, secret_header};
use super::sessions::Sessions;
use crate::limits::CONNECT_TIMEOUT;
use crate::{EventStream, PolicyError};

/// Connects to notifications.
pub(super) struct Notifications {
    tls: TlsConnector,
}

type Ws = WebSocketStream<TlsStream<TcpStream>>;

/// Why there is no socket.
enum Unconnected {
    /// AM does not accept the agent's session.
    Unauthenticated,
    Otherwise,
}

impl Notifications {
    /// Over the same TLS as the calls.
    pub(super) fn new(mut tls: ClientConfig) -> Self {
        // A WebSocket begins with a request of HTTP/1.1.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            tls: TlsConnector::from(Arc::new(tls)),
        }
    }

    /// Subscribes at the first server that lets us, within `limit`: each server has its share of what is left.
    ///
    /// # Errors
    /// If none does.
    pub(super) async fn listen(
        &self,
        rest: &Rest,
        own: &OwnSession,
        sessions: &Sessions,
        limit: Duration,
        beginnings: Arc<Beginnings>,
    ) -> Result<EventStream, PolicyError> {
        let end = Instant::now() + limit;
        let mut session = own.get(rest).await?;
        let mut renewed = false;
        let servers = rest.link.transport.usable();
        for (tried, base) in servers.iter().enumerate() {
            let left = u32::try_from(servers.len() - tried).unwrap_or(u32::MAX);
            loop {
                let token = secret_header(session.token.expose())?;
                let turn = end.saturating_duration_since(Instant::now()) / left;
                let socket = timeout(turn, self.connect(base.as_str(), rest, token)).await;
                let socket = socket.unwrap_or_else(|_| {
                    tracing::warn!(
                        server = base.as_str(),
                        "no notifications: no answer in time"
                    );
                    Err(Unconnected::Otherwise)
                });
                match socket {
                    Ok(socket) => {
                        session.accept(Use::Notifications);
                        return Ok(stream(socket, beginnings));
                    }
                    Err(Unconnected::Unauthenticated) if !renewed => {
                        renewed = true;
                        let what = Use::Notifications;
                        session = own.instead_of(&session, what, rest, sessions).await?;
                    }
                    Err(_) => break,
                }
            }
        }
        Err(PolicyError::NoConnection)
    }

    async fn connect(
        &self,
        base: &str,
        rest: &Rest,
        token: HeaderValue,
    ) -> Result<Ws, Unconnected> {
        let lost = |error: &dyn std::fmt::Display| {
            tracing::warn!(server = base, %error, "no notifications");
            Unconnected::Otherwise
        };
        let uri: Uri = base.parse().map_err(|error| lost(&error))?;
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(443);
        let plain = host.trim_matches(['[', ']']);
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((plain, port)));
        let stream = stream.await.map_err(|error| lost(&error))?;
        let stream = stream.map_err(|error| lost(&error))?;
        // A message is small, and waits for no other.
        stream.set_nodelay(true).map_err(|error| lost(&error))?;
        let name = ServerName::try_from(plain.to_owned()).map_err(|error| lost(&error))?;
        let stream = self.tls.connect(name, stream);
        let stream = stream.await.map_err(|error| lost(&error))?;

        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let context = uri.path().trim_end_matches('/');
        let address = format!("wss://{authority}{context}/notifications");
        let mut request = address
            .into_client_request()
            .map_err(|error| lost(&error))?;
        let headers = request.headers_mut();
        headers.insert(&rest.token_header, token);
        headers.insert(
            http::header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        );
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) if answer.status() == StatusCode::UNAUTHORIZED => {
                Err(Unconnected::Unauthenticated)
            }
            Err(Error::Http(answer)) => {
                let hint = match answer.status() {
                    StatusCode::FORBIDDEN => "the account is not that of an agent",
                    StatusCode::NOT_FOUND => "no notifications there, or no way for WebSockets",
                    _ => "not a WebSocket",
                };
                let status = answer.status().as_u16();
                tracing::warn!(server = base, status, hint, "no notifications");
                Err(Unconnected::Otherwise)
            }
            Err(error) => Err(lost(&error)),
        }
    }
}

/// What has come, and what is to be told.
struct Listening {
    socket: Ws,
    ping: Interval,
    begun: Instant,
    /// When anything came last.
    heard: Instant,
    /// Topics that are subscribed to.
    subscribed: [bool; TOPICS.len()],
    greeted: bool,
    pending: VecDeque<EventKind>,
    sequence: u64,
    beginnings: Arc<Beginnings>,
    lost: bool,
}

fn stream(socket: Ws, beginnings: Arc<Beginnings>) -> EventStream {
    let mut ping = interval(Duration::from_secs(HEARTBEAT_SECONDS));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listening = Listening {
        socket,
        ping,
        begun: Instant::now(),
        heard: Instant::now(),
        subscribed: [false; TOPICS.len()],
        greeted: false,
        pending: VecDeque::new(),
        sequence: 0,
        beginnings,
        lost: false,
    };
    Box::pin(futures_util::stream::unfold(
        listening,
        |mut listening| async move {
            if listening.lost {
                return None;
            }
            let event = listening.next().await;
            listening.lost = event.is_err();
            Some((event, listening))
        },
    ))
}

impl Listening {
    async fn next(&mut self) -> Result<Event, PolicyError> {
        if self.sequence == 0 {
            for topic in 0..TOPICS.len() {
                self.send(Message::text(notices::subscription(topic)))
                    .await?;
            }
        }
        loop {
            if let Some(kind) = self.pending.pop_front() {
                self.sequence += 1;
                let position = EventPosition {
                    instance: String::from("am"),
                    sequence: self.sequence,
                };
                return Ok(Event { position, kind });
            }
            // A server that answers but does not subscribe us tells nothing.
            let since = if self.greeted { self.heard } else { self.begun };
            tokio::select! {
                message = self.socket.next() => {
                    let message = message.ok_or(PolicyError::NoConnection)?;
                    let message = message.map_err(|_| PolicyError::Protocol)?;
                    // This process was stopped meanwhile, and nobody knows how old what has come is.
                    if self.heard.elapsed() >= SILENCE {
                        return Err(PolicyError::TimedOut);
                    }
                    self.heard = Instant::now();
                    self.take(message)?;
                }
                _ = self.ping.tick() => self.send(Message::Ping(Bytes::new())).await?,
                () = tokio::time::sleep_until(since + SILENCE) => return Err(PolicyError::TimedOut),
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), PolicyError> {
        let sent = timeout_at(self.heard + SILENCE, self.socket.send(message)).await;
        let sent = sent.map_err(|_| PolicyError::TimedOut)?;
        sent.map_err(|_| PolicyError::NoConnection)
    }

    fn take(&mut self, message: Message) -> Result<(), PolicyError> {
        let notice = match message {
            Message::Text(text) => notices::read(&text)?,
            Message::Ping(_) | Message::Pong(_) => Notice::Nothing,
            Message::Close(_) => return Err(PolicyError::NoConnection),
            Message::Binary(_) | Message::Frame(_) => return Err(PolicyError::Protocol),
        };
        match notice {
            Notice::Subscribed(topic) => self.subscribed[topic] = true,
            Notice::Ended(token) => {
                let ids = self.beginnings.ids(token.expose());
                self.pending
                    .extend(ids.map(|session_id| EventKind::SessionRevoked { session_id }));
            }
            Notice::PoliciesChanged => self.pending.push_back(EventKind::CacheFlush),
            Notice::Unknown => self.pending.push_back(EventKind::Unknown),
            Notice::Nothing => {}
        }
        if !self.greeted {
            // Until everything is subscribed to, the end of a session may go by unheard.
            if !self.subscribed.iter().all(|is| *is) {
                return Ok(());
            }
            self.greeted = true;
            self.pending.push_back(EventKind::Hello { gap: true });
        } else if self.pending.is_empty() {
            self.pending.push_back(EventKind::Heartbeat);
        }
        Ok(())
    }
}
