//! AM's WebSocket.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{AGENT, Answered, COOKIE, State};

impl State {
    pub(super) fn notifications(self: Arc<Self>, mut request: Request<Incoming>) -> Answered {
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let status = match self.alive(header(COOKIE), true) {
            None => StatusCode::UNAUTHORIZED,
            Some(session) if session.user != AGENT => StatusCode::FORBIDDEN,
            Some(_) => StatusCode::SWITCHING_PROTOCOLS,
        };
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let key = header("sec-websocket-key").unwrap_or_default();
            let accept = derive_accept_key(key.as_bytes());
            for (name, value) in [
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("sec-websocket-accept", &accept),
                ("sec-websocket-protocol", "v1.notifications.forgerock.org"),
            ] {
                response.headers_mut().insert(
                    http::HeaderName::from_static(name),
                    value.parse().expect("a header"),
                );
            }
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                if let Ok(upgraded) = upgraded.await {
                    self.speak(upgraded).await;
                }
            });
        }
        response
    }

    async fn speak(&self, upgraded: hyper::upgrade::Upgraded) {
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        let mut subscriptions = 0;
        // Who has subscribed to nothing does not listen.
        let mut notices = None;
        loop {
            let next = async {
                match &mut notices {
                    None => std::future::pending().await,
                    Some(notices) => broadcast::Receiver::recv(notices).await,
                }
            };
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) if self.script.lock().unwrap().subscribes => {
                        let asked: Value = serde_json::from_str(&text).unwrap_or_default();
                        let said = json!({"topic": asked["topic"], "message": "subscription registered"});
                        subscriptions += 1;
                        if subscriptions == 2 {
                            notices = Some(self.notices.subscribe());
                        }
                        if socket.send(Message::text(said.to_string())).await.is_err() {
                            return;
                        }
                    }
                    // The library has answered a ping itself, and sends it with the next message or flush.
                    Some(Ok(_)) => _ = socket.flush().await,
                    Some(Err(_)) | None => return,
                },
                notice = next => match notice {
                    Ok(Some(text)) => _ = socket.send(Message::text(text)).await,
                    Ok(None) | Err(_) => {
                        _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
                        return;
                    }
                },
            }
        }
    }
}
