//! An AM server for tests: sessions, users, policies and notifications in the forms that real ones have.
//!
//! What PingAM 8.0.1 and OpenAM 16.0.5 answer was recorded from them; see [`Dialect`].

mod answers;
mod notifications;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::broadcast;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::Leaf;

/// The cookie of its sessions.
pub const COOKIE: &str = "iPlanetDirectoryPro";
/// The agent's account; its password is [`AGENT_SECRET`](crate::policy_host::AGENT_SECRET).
pub const AGENT: &str = "doorward";
/// Seconds without a use after which a session ends.
const IDLE: u64 = 1800;
/// Seconds after its beginning at which a session ends.
const LIFE: u64 = 7200;

/// Which server it is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PingAM 8: versions 3 to 5 of sessions; the token may stand in the body alone.
    PingAm,
    /// OpenAM 16: versions 1 and 2; of others it says that there is no such resource, and only to whoever is
    /// logged in.
    OpenAm,
    /// A server from before: version 1.
    Old,
}

/// One request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmRequest {
    /// Path below the context, without `/json/realms/root`, and query.
    pub target: String,
    /// `Accept-API-Version`.
    pub version: String,
    /// The token in the header.
    pub token: Option<String>,
    /// The body.
    pub body: String,
    /// All headers.
    pub headers: HeaderMap,
}

/// A session there.
#[derive(Clone, Debug)]
pub struct AmSession {
    /// Whose.
    pub user: String,
    /// In which realm.
    pub realm: String,
    /// When it was last used.
    pub latest: u64,
    /// When it ends.
    pub end: u64,
    /// `AuthLevel`, where it may be read.
    pub level: Option<String>,
    /// How often its idle time was reset.
    pub uses: usize,
}

/// What it is to do.
#[derive(Debug)]
pub struct Script {
    /// Which server it is like.
    pub dialect: Dialect,
    /// Whether a login has to fill in callbacks.
    pub callbacks: bool,
    /// Answers everything with this status and body instead.
    pub instead: Option<(u16, &'static str)>,
    /// Answers what has this in its target with this status and body instead; the first that fits.
    pub instead_of: Vec<(&'static str, u16, &'static str)>,
    /// Whether notifications can be subscribed to.
    pub subscribes: bool,
    /// How many of the next requests for notifications get no answer.
    pub silent: usize,
    /// What policies say: `actions`, `advices` and `ttl`.
    pub decision: Value,
    /// Whether users may read themselves.
    pub users_readable: bool,
}

struct State {
    script: Mutex<Script>,
    sessions: Mutex<BTreeMap<String, AmSession>>,
    /// Sessions that there ever were: no token comes twice.
    begun: AtomicUsize,
    requests: Mutex<Vec<AmRequest>>,
    notices: broadcast::Sender<Option<String>>,
}

/// See the module. It stops when it is dropped.
pub struct FakeAm {
    address: SocketAddr,
    tls: TlsAcceptor,
    state: Arc<State>,
    serving: Mutex<Option<AbortHandle>>,
}

impl std::fmt::Debug for FakeAm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeAm")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for FakeAm {
    fn drop(&mut self) {
        self.stop();
    }
}

impl FakeAm {
    /// One that shows `certificate`, and whose policies allow everything for a minute.
    pub async fn start(certificate: &Leaf, dialect: Dialect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let am = Self {
            address: listener.local_addr().expect("bound"),
            tls: TlsAcceptor::from(certificate.server_config()),
            state: Arc::new(State {
                script: Mutex::new(Script {
                    dialect,
                    callbacks: false,
                    instead: None,
                    instead_of: Vec::new(),
                    subscribes: true,
                    silent: 0,
                    decision: json!({
                        "actions": {"GET": true, "POST": true},
                        "advices": {},
                        "ttl": (now() + 60) * 1000,
                    }),
                    users_readable: true,
                }),
                sessions: Mutex::default(),
                begun: AtomicUsize::new(0),
                requests: Mutex::default(),
                notices: broadcast::Sender::new(64),
            }),
            serving: Mutex::default(),
        };
        am.serve(listener);
        am
    }

    /// The section `[policy_server]` of an agent that asks it.
    pub fn section(&self, more: &str) -> String {
        format!(
            "[policy_server]\nkind = \"am\"\nurls = [\"{}\"]\nca_file = \"ca.crt\"\n\
             agent_keys_file = \"agent-keys.json\"\nforeign_level = 5\nam_agent_user = \"{AGENT}\"\n\
             am_agent_password_file = \"agent.secret\"\nam_agent_login = \"module=Application\"\n{more}\n",
            self.url()
        )
    }

    /// Its address with its context.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/am", self.address.port())
    }

    /// Changes what it does.
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.state.script.lock().unwrap()
    }

    /// Its sessions, by token.
    pub fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, AmSession>> {
        self.state.sessions.lock().unwrap()
    }

    /// What has arrived.
    pub fn requests(&self) -> Vec<AmRequest> {
        self.state.requests.lock().unwrap().clone()
    }

    /// How many requests had this in their target.
    pub fn count(&self, part: &str) -> usize {
        let requests = self.state.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.target.contains(part))
            .count()
    }

    /// Begins a session there, as somebody else's login would; returns its token.
    pub fn begin(&self, user: &str) -> String {
        self.state.begin(user)
    }

    /// Sends a message to whoever listens.
    pub fn tell(&self, message: &Value) {
        _ = self.state.notices.send(Some(message.to_string()));
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.state.notices.receiver_count()
    }

    /// Closes all WebSockets.
    pub fn hang_up(&self) {
        _ = self.state.notices.send(None);
    }

    /// Stops it: nobody answers at its port, and everything that was under way breaks.
    pub fn stop(&self) {
        if let Some(serving) = self.serving.lock().unwrap().take() {
            serving.abort();
        }
        self.hang_up();
    }

    /// Starts it again, at the same port and with the same sessions.
    pub fn restart(&self) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("set");
        socket.bind(self.address).expect("the same port");
        self.serve(socket.listen(64).expect("listening"));
    }

    fn serve(&self, listener: TcpListener) {
        let (tls, state) = (self.tls.clone(), Arc::clone(&self.state));
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, state) = (tls.clone(), Arc::clone(&state));
                connections.spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    let builder = auto::Builder::new(TokioExecutor::new());
                    _ = builder
                        .serve_connection_with_upgrades(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        *self.serving.lock().unwrap() = Some(serving.abort_handle());
    }
}

impl State {
    /// Whether a request for notifications gets no answer.
    fn is_silent(&self) -> bool {
        let mut script = self.script.lock().unwrap();
        let is = script.silent > 0;
        script.silent = script.silent.saturating_sub(1);
        is
    }
}

type Answered = Response<Full<Bytes>>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Answered, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/am/notifications" {
        if state.is_silent() {
            return std::future::pending().await;
        }
        let script = state.script.lock().unwrap();
        let mut instead = script.instead_of.iter();
        let instead = instead.find(|(part, ..)| path.contains(part));
        if let Some((_, status, body)) = instead {
            let mut response = Response::new(Full::from(*body));
            *response.status_mut() = StatusCode::from_u16(*status).expect("a status");
            return Ok(response);
        }
        drop(script);
        return Ok(state.notifications(request));
    }
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |all| all.as_str());
    let target = target
        .strip_prefix("/am/json/realms/root")
        .unwrap_or(target);
    let seen = AmRequest {
        target: target.to_owned(),
        version: header("accept-api-version").unwrap_or_default(),
        token: header(COOKIE),
        headers: request.headers().clone(),
        body: match request.into_body().collect().await {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Err(_) => String::new(),
        },
    };
    state.requests.lock().unwrap().push(seen.clone());
    let (status, body) = state.respond(&seen);
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}
