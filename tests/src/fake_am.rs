//! An AM server for tests: sessions, users, policies and notifications in the forms that real ones have.
//!
//! What PingAM 8.0.1 and OpenAM 16.0.5 answer was recorded from them; see [`Dialect`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use policy_protocol::Timestamp;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::broadcast;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::Leaf;
use crate::gateway::PASSWORD;
use crate::policy_host::AGENT_SECRET;

/// The cookie of its sessions.
pub const COOKIE: &str = "iPlanetDirectoryPro";
/// The agent's account; its password is [`AGENT_SECRET`].
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
    /// Answers what has this in its target with this status and body instead.
    pub instead_of: Option<(&'static str, u16, &'static str)>,
    /// What policies say: `actions`, `advices` and `ttl`.
    pub decision: Value,
    /// Whether users may read themselves.
    pub users_readable: bool,
}

struct State {
    script: Mutex<Script>,
    sessions: Mutex<BTreeMap<String, AmSession>>,
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
                    instead_of: None,
                    decision: json!({
                        "actions": {"GET": true, "POST": true},
                        "advices": {},
                        "ttl": (now() + 60) * 1000,
                    }),
                    users_readable: true,
                }),
                sessions: Mutex::default(),
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

type Answered = Response<Full<Bytes>>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Answered, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/am/notifications" {
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

fn refusal(status: u16, reason: &str, message: &str) -> (u16, String) {
    let body = json!({"code": status, "reason": reason, "message": message});
    (status, body.to_string())
}

fn denied() -> (u16, String) {
    refusal(401, "Unauthorized", "Access Denied")
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

impl State {
    fn begin(&self, user: &str) -> String {
        let mut sessions = self.sessions.lock().unwrap();
        let token = format!("AQIC5wFakeToken{}-{user}.*AAJTSQACMDE*", sessions.len());
        let session = AmSession {
            user: user.to_owned(),
            realm: String::from("/"),
            latest: now(),
            end: now() + LIFE,
            level: None,
            uses: 0,
        };
        sessions.insert(token.clone(), session);
        token
    }

    fn respond(&self, request: &AmRequest) -> (u16, String) {
        let script = self.script.lock().unwrap();
        if let Some((status, body)) = script.instead {
            return (status, body.to_owned());
        }
        if let Some((part, status, body)) = script.instead_of
            && request.target.contains(part)
        {
            return (status, body.to_owned());
        }
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        match path {
            "/authenticate" => self.authenticate(request, script.callbacks),
            "/sessions" => self.about_session(request, query, script.dialect),
            "/policies" => self.policies(request, &script.decision),
            _ => match path.strip_prefix("/users/") {
                Some(user) => self.user(request, user, script.users_readable),
                None => refusal(404, "Not Found", "Resource not found"),
            },
        }
    }

    fn authenticate(&self, request: &AmRequest, callbacks: bool) -> (u16, String) {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let header = |name: &str| {
            let value = request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (user, password) = if body["authId"].is_string() {
            let value = |at: usize| body["callbacks"][at]["input"][0]["value"].as_str();
            (
                value(0).unwrap_or_default().to_owned(),
                value(1).unwrap_or_default().to_owned(),
            )
        } else if callbacks {
            let asks = json!({
                "authId": "eyJ0eXAi.test.test", "template": "", "stage": "DataStore1",
                "callbacks": [
                    {"type": "NameCallback", "input": [{"name": "IDToken1", "value": ""}]},
                    {"type": "PasswordCallback", "input": [{"name": "IDToken2", "value": ""}]},
                ],
            });
            return (200, asks.to_string());
        } else {
            (header("x-openam-username"), header("x-openam-password"))
        };
        let agent = request
            .target
            .contains("authIndexType=module&authIndexValue=Application");
        let expected = if agent { AGENT_SECRET } else { PASSWORD };
        let known = (user == AGENT) == agent;
        if !known || password != expected {
            return refusal(401, "Unauthorized", "Authentication Failed");
        }
        let token = self.begin(&user);
        let body = json!({"tokenId": token, "successUrl": "/am/console", "realm": "/"});
        (200, body.to_string())
    }

    /// The user of a live session; `used` if it is one more use of it.
    fn alive(&self, token: Option<&str>, used: bool) -> Option<AmSession> {
        let mut sessions = self.sessions.lock().unwrap();
        let session = sessions.get_mut(token?)?;
        if session.end <= now() || session.latest + IDLE <= now() {
            return None;
        }
        if used {
            session.latest = now();
            session.uses += 1;
        }
        Some(session.clone())
    }

    fn about_session(&self, request: &AmRequest, query: &str, dialect: Dialect) -> (u16, String) {
        let caller = request.token.as_deref();
        let in_header = self.alive(caller, caller.is_some());
        let action = query.strip_prefix("_action=").unwrap_or_default();
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let major = request
            .version
            .strip_prefix("resource=")
            .unwrap_or_default();
        let major = major.split('.').next().unwrap_or_default();
        let self_proving = dialect == Dialect::PingAm && body["tokenId"].is_string();
        let validates = dialect != Dialect::PingAm && major == "1" && action == "validate";
        if in_header.is_none() && !self_proving && !validates {
            return denied();
        }
        let knows: &[&str] = match dialect {
            Dialect::PingAm => &["1", "2", "3", "4", "5"],
            Dialect::OpenAm => &["1", "2"],
            Dialect::Old => &["1"],
        };
        if !knows.contains(&major) {
            return match dialect {
                Dialect::OpenAm => refusal(404, "Not Found", "Resource &#39;&#39; not found"),
                _ => refusal(
                    404,
                    "Not Found",
                    "Accept-API-Version: Requested version \"4.0\" does not match any routes.",
                ),
            };
        }
        let target = body["tokenId"].as_str().or(caller).unwrap_or_default();
        let resets = matches!(action, "validate" | "getSessionInfoAndResetIdleTime");
        if action == "logout" {
            self.sessions.lock().unwrap().remove(target);
            return (
                200,
                json!({"result": "Successfully logged out"}).to_string(),
            );
        }
        let Some(session) = self.alive(Some(target), resets) else {
            return (200, json!({"valid": false}).to_string());
        };
        let levels = session
            .level
            .iter()
            .map(|level| ("AuthLevel", level.as_str()));
        let levels: BTreeMap<&str, &str> = levels.collect();
        let text = |seconds| Timestamp(seconds).to_string();
        let answer = match (major, action) {
            ("1", "validate") => {
                json!({"valid": true, "uid": session.user, "realm": session.realm})
            }
            ("1", "getProperty") | ("2", "getSessionProperties") => json!(levels),
            ("2" | "3" | "4" | "5", "getSessionInfo")
            | ("4" | "5", "getSessionInfoAndResetIdleTime") => json!({
                "username": session.user,
                "universalId": format!("id={},ou=user,dc=am", session.user),
                "realm": session.realm,
                "latestAccessTime": text(session.latest),
                "maxIdleExpirationTime": text(session.latest + IDLE),
                "maxSessionExpirationTime": text(session.end),
                "properties": levels,
            }),
            _ => {
                return refusal(
                    501,
                    "Not Implemented",
                    "Action not implemented for this resource",
                );
            }
        };
        (200, answer.to_string())
    }

    fn user(&self, request: &AmRequest, user: &str, readable: bool) -> (u16, String) {
        match self.alive(request.token.as_deref(), true) {
            None => denied(),
            Some(session) if session.user != user || !readable => {
                refusal(403, "Forbidden", "Forbidden")
            }
            Some(_) => {
                let user = json!({
                    "_id": user, "username": user, "realm": "/", "uid": [user],
                    "mail": [format!("{user}@example.com")],
                    "dn": [format!("uid={user},ou=people,dc=am")],
                    "isMemberOf": ["cn=staff,ou=groups,dc=am"],
                });
                (200, user.to_string())
            }
        }
    }

    fn policies(&self, request: &AmRequest, decision: &Value) -> (u16, String) {
        match self.alive(request.token.as_deref(), true) {
            None => return denied(),
            Some(session) if session.user != AGENT => {
                return refusal(403, "Forbidden", "The user has insufficient privileges");
            }
            Some(_) => {}
        }
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        if self
            .alive(body["subject"]["ssoToken"].as_str(), false)
            .is_none()
        {
            return refusal(400, "Bad Request", "Invalid value subject");
        }
        let mut decision = decision.clone();
        decision["resource"] = body["resources"][0].clone();
        decision["attributes"] = json!({});
        (200, json!([decision]).to_string())
    }

    fn notifications(self: Arc<Self>, mut request: Request<Incoming>) -> Answered {
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
                    Some(Ok(Message::Text(text))) => {
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
