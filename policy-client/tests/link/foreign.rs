//! Servers of other systems, as recorded: each answers as its test says.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy_client::foreign::ForeignSettings;
use policy_client::{PolicyCalls, ServerList};
use policy_protocol::message::{
    AuthorizeRequest, Credentials, LoginAnswer, LoginRequest, LogoutRequest, SessionTicket,
    ValidateRequest,
};
use policy_protocol::{
    AuthScheme, Clock, ManualClock, ProtectionLevel, RealmContext, ResourceContext, Session,
    Timestamp,
};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::server::{Pki, TIMEOUT};

/// The moment of every test: 2026-11-21T10:10:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_795_255_800);
/// Everybody's password.
pub(crate) const PASSWORD: &str = "plainly fake";
/// The level of sessions that were begun there.
pub(crate) const THERE: ProtectionLevel = ProtectionLevel(3);

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

/// What a server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers with this status and body.
    Says(u16, String),
    /// Sends the client elsewhere.
    Redirects,
    /// Says nothing.
    Waits,
    /// Breaks the connection.
    Breaks,
}

impl Does {
    pub(crate) fn says(status: u16, body: &str) -> Self {
        Self::Says(status, body.to_owned())
    }
}

type Answers = Arc<dyn Fn(&Received) -> Does + Send + Sync>;

/// A server of another system.
pub(crate) struct Script {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    running: AbortHandle,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Script {
    pub(crate) async fn start(answers: impl Fn(&Received) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (answers, seen): (Answers, _) = (Arc::new(answers), Arc::clone(&received));
        let task = tokio::spawn(async move {
            let acceptor = Pki::get().acceptor();
            // Connections end with the server.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answers, seen) =
                    (acceptor.clone(), Arc::clone(&answers), Arc::clone(&seen));
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(move |request| {
                        answer(Arc::clone(&answers), Arc::clone(&seen), request)
                    });
                    _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            address,
            received,
            running: task.abort_handle(),
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

async fn answer(
    answers: Answers,
    seen: Arc<Mutex<Vec<Received>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let received = Received {
        method: parts.method,
        target: parts.uri.path_and_query().unwrap().to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    seen.lock().unwrap().push(received.clone());
    match answers(&received) {
        Does::Says(status, body) => {
            let response = Response::builder()
                .status(status)
                .header("content-type", "text/plain");
            Ok(response.body(Full::from(body)).unwrap())
        }
        Does::Redirects => {
            let response = Response::builder().status(302).header("location", "/login");
            Ok(response.body(Full::default()).unwrap())
        }
        Does::Waits => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
        Does::Breaks => Err("broken"),
    }
}

/// An agent's settings for some servers, in order.
pub(crate) fn settings(servers: &[&Script]) -> ForeignSettings {
    ForeignSettings {
        servers: ServerList::in_order(servers.iter().map(|server| server.url()).collect()),
        ca_file: Some(Pki::get().file("ca.pem")),
        client_certificate: None,
        timeout: TIMEOUT,
        agent_keys_file: None,
        foreign_level: THERE,
    }
}

/// The settings for a server of which no answer is expected.
pub(crate) fn hasty(server: &Script) -> ForeignSettings {
    ForeignSettings {
        timeout: TIMEOUT / 8,
        ..settings(&[server])
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(NOW))
}

pub(crate) fn resource() -> ResourceContext {
    ResourceContext {
        agent: String::from("doorward"),
        server: String::from("app.example.com"),
        resource: String::from("/cart/items"),
        action: String::from("GET"),
    }
}

pub(crate) fn realm() -> RealmContext {
    RealmContext {
        name: String::from("shop"),
        protection_level: ProtectionLevel(5),
        auth_scheme: AuthScheme::Form,
        idle_timeout: Duration::from_secs(900),
        max_timeout: Duration::from_secs(7200),
        persistent: true,
    }
}

pub(crate) fn login(user: &str, password: &str) -> LoginRequest {
    LoginRequest {
        resource: resource(),
        realm: realm(),
        credentials: Credentials::password(user, password),
        client_address: None,
        previous: Vec::new(),
        transaction_id: String::from("1"),
    }
}

/// The session of a login that is let in.
pub(crate) async fn logged_in(client: &impl PolicyCalls) -> Session {
    match client.login(login("alice", PASSWORD)).await.unwrap() {
        LoginAnswer::Yes { session } => *session,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn validate(session: SessionTicket) -> ValidateRequest {
    ValidateRequest {
        session,
        resource: resource(),
        realm: realm(),
        client_address: None,
        last_access: Timestamp(0),
        overlooked: false,
        transaction_id: String::from("1"),
    }
}

pub(crate) fn authorize(session: SessionTicket) -> AuthorizeRequest {
    AuthorizeRequest {
        session,
        resource: resource(),
        realm: realm(),
        from: [192, 0, 2, 1].into(),
        client_address: None,
        transaction_id: String::from("1"),
    }
}

pub(crate) fn logout(session: SessionTicket) -> LogoutRequest {
    LogoutRequest {
        session,
        transaction_id: String::from("1"),
    }
}

/// What is no answer of any of these systems, with and without a body.
pub(crate) fn no_answers() -> Vec<Does> {
    vec![
        Does::says(200, ""),
        Does::says(200, "<html><form action=\"/login\">Sign in</form></html>"),
        Does::says(200, &"x".repeat(1024 * 1024 + 1)),
        Does::says(500, ""),
        Does::says(500, "<resultCode>Server Error</resultCode>"),
        Does::says(502, "<html>Bad Gateway</html>"),
        Does::says(
            503,
            "{\"error_type\":\"SERVICE_UNAVAILABLE\",\"messages\":[]}",
        ),
        Does::Redirects,
        Does::Waits,
        Does::Breaks,
    ]
}
