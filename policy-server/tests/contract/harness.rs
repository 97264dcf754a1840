//! A policy server with two agents, a few users and a clock that moves when told to.

mod files;
mod requests;
mod store_server;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use policy_client::admin::{AdminClient, AdminSettings};
use policy_client::native::{NativeClient, NativeSettings};
use policy_client::{PolicyCalls, PolicyError, ServerList};
use policy_protocol::administration::RollAnswer;
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, Credentials, LoginAnswer, LoginRequest, LogoutAnswer,
    LogoutRequest, SessionTicket, ValidateAnswer, ValidateRequest,
};
use policy_protocol::sessions::SessionQuery;
use policy_protocol::{
    Clock, ManualClock, ProtectionLevel, RealmContext, Secret, Session, SessionId, Timestamp,
};
use policy_server::store::Store;
use policy_server::store::sqlite::SqliteStore;
use policy_server::{PolicyServer, PolicyServerConfig, RunningPolicyServer, serve};
use tempfile::TempDir;

pub(crate) use self::files::{ADMIN_SECRET, AGENT, AGENT_SECRET, FINGERPRINT, PASSWORD, users};
use self::files::{prepare, write};
pub(crate) use self::requests::{
    address, alive, assert_dead, authorization, by_command, login_request, persistent, realm,
    resource, validation,
};
use self::store_server::StoreServer;

const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) server: Arc<PolicyServer>,
    pub(crate) calls: Arc<dyn PolicyCalls>,
    running: Option<RunningPolicyServer>,
    /// The server of the store, if this world has one of its own.
    pub(crate) store: Option<StoreServer>,
}

impl World {
    pub(crate) async fn embedded() -> Self {
        Self::start(tempfile::tempdir().unwrap(), false, "").await
    }

    pub(crate) async fn remote() -> Self {
        Self::start(tempfile::tempdir().unwrap(), true, "").await
    }

    async fn start(dir: TempDir, remote: bool, store: &str) -> Self {
        let (dir, clock) = prepare(dir, store);
        Self::over(dir, clock, remote, None).await
    }

    /// A policy server over the files in `dir`.
    async fn over(
        dir: Arc<TempDir>,
        clock: Arc<ManualClock>,
        remote: bool,
        store: Option<Arc<dyn Store>>,
    ) -> Self {
        let (server, running, calls) = open(dir.path(), &clock, remote, store).await;
        Self {
            dir,
            clock,
            server,
            calls,
            running,
            store: None,
        }
    }

    /// Two policy servers beside one store.
    pub(crate) async fn pair(remote: bool) -> [Self; 2] {
        let (dir, clock) = prepare(tempfile::tempdir().unwrap(), "");
        let store = SqliteStore::open(&dir.path().join("state")).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let mut worlds = Vec::new();
        for _ in 0..2 {
            let (dir, clock) = (Arc::clone(&dir), Arc::clone(&clock));
            worlds.push(Self::over(dir, clock, remote, Some(Arc::clone(&store))).await);
        }
        worlds.try_into().unwrap_or_else(|_| unreachable!())
    }

    /// Closes everything and opens the same state folder again.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            dir,
            clock,
            server,
            calls,
            running,
            store,
        } = self;
        drop((server, calls));
        let remote = running.is_some();
        if let Some(running) = running {
            running.stop().await;
        }
        Self {
            store,
            ..Self::over(dir, clock, remote, None).await
        }
    }

    /// As [`Self::restart`], with another cap on the life of sessions.
    pub(crate) async fn restart_with_max_timeout(self, from: &str, to: &str) -> Self {
        let [from, to] = [from, to].map(|limit| format!("max_timeout = \"{limit}\""));
        self.restart_with(&from, &to).await
    }

    /// As [`Self::restart`], with a part of the configuration replaced.
    pub(crate) async fn restart_with(self, from: &str, to: &str) -> Self {
        self.reconfigure(|text| {
            assert!(text.contains(from));
            text.replace(from, to)
        });
        self.restart().await
    }

    /// As [`Self::restart`], with a `[sessions]` section.
    pub(crate) async fn with_sessions(self, section: &str) -> Self {
        let sessions = format!("[sessions]\n{section}\n[limits]");
        self.restart_with("[limits]", &sessions).await
    }

    /// Changes the configuration file, for the next start.
    pub(crate) fn reconfigure(&self, change: impl FnOnce(String) -> String) {
        let file = self.dir.path().join("policy-server.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, change(text)).unwrap();
    }

    /// Rolls keys over, by command.
    pub(crate) async fn roll(&self) {
        let answer = self.server.roll_keys(&by_command()).await.unwrap();
        assert!(matches!(answer, RollAnswer::Yes { .. }), "{answer:?}");
    }

    /// Stops serving, if this is remote.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    pub(crate) fn write_users(&self, more: &str) {
        write(self.dir.path(), "users.toml", &users(more));
    }

    /// Replaces `from` by `to` in the policies file.
    pub(crate) fn edit_policies(&self, from: &str, to: &str) {
        let file = self.dir.path().join("policies.toml");
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains(from));
        write(self.dir.path(), "policies.toml", &text.replace(from, to));
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "https://localhost:{}",
            self.running.as_ref().unwrap().address.port()
        )
    }

    pub(crate) fn client(&self, urls: Vec<String>, secret: &str) -> NativeClient {
        client(self.dir.path(), urls, secret)
    }

    pub(crate) fn admin(&self, secret: &str) -> AdminClient {
        AdminClient::new(&AdminSettings {
            urls: vec![self.url()],
            ca_file: Some(self.dir.path().join("cert.pem")),
            admin_secret: Secret::new(secret.to_owned()),
            timeout: TIMEOUT,
        })
        .unwrap()
    }

    pub(crate) async fn login(&self, user: &str, realm: &RealmContext) -> Session {
        match self.try_login(user, PASSWORD, realm, None).await {
            LoginAnswer::Yes { session } => *session,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn try_login(
        &self,
        user: &str,
        password: &str,
        realm: &RealmContext,
        previous: Option<&Session>,
    ) -> LoginAnswer {
        self.present(Credentials::password(user, password), realm, previous)
            .await
    }

    pub(crate) async fn present(
        &self,
        credentials: Credentials,
        realm: &RealmContext,
        previous: Option<&Session>,
    ) -> LoginAnswer {
        self.login_of(login_request(credentials, realm, previous))
            .await
    }

    /// Asks again as long as nothing was looked at, as agents ask another policy server: on a machine
    /// with too much to do a store may be late.
    pub(crate) async fn login_of(&self, request: LoginRequest) -> LoginAnswer {
        for _ in 0..50 {
            match self.calls.login(request.clone()).await {
                Err(PolicyError::Unavailable) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                answer => return answer.unwrap(),
            }
        }
        panic!("nobody looks at a login")
    }

    /// Validates a session that was not used since its last answer.
    pub(crate) async fn validate(&self, session: &Session) -> ValidateAnswer {
        self.validate_ticket(session.ticket(), session.last_access, None)
            .await
    }

    pub(crate) async fn validate_ticket(
        &self,
        session: SessionTicket,
        last_access: Timestamp,
        client_address: Option<IpAddr>,
    ) -> ValidateAnswer {
        let request = ValidateRequest {
            client_address,
            last_access,
            ..validation(session)
        };
        self.calls.validate(request).await.unwrap()
    }

    /// Validates a session for a request that does not keep it alive.
    pub(crate) async fn overlook(&self, session: &Session) -> ValidateAnswer {
        let request = ValidateRequest {
            last_access: session.last_access,
            overlooked: true,
            ..validation(session.ticket())
        };
        self.calls.validate(request).await.unwrap()
    }

    pub(crate) async fn logout(&self, session: SessionTicket) -> LogoutAnswer {
        let request = LogoutRequest {
            session,
            transaction_id: String::from("t3"),
        };
        self.calls.logout(request).await.unwrap()
    }

    pub(crate) async fn authorize(
        &self,
        session: &Session,
        path: &str,
        level: u16,
    ) -> AuthorizeAnswer {
        self.authorize_from("192.0.2.1", session, path, level).await
    }

    pub(crate) async fn authorize_from(
        &self,
        from: &str,
        session: &Session,
        path: &str,
        level: u16,
    ) -> AuthorizeAnswer {
        let request = AuthorizeRequest {
            realm: RealmContext {
                protection_level: ProtectionLevel(level),
                ..realm()
            },
            from: address(from),
            ..authorization(session, path)
        };
        self.calls.authorize(request).await.unwrap()
    }

    /// The ids on a page of sessions.
    pub(crate) async fn listed(&self, query: SessionQuery) -> Vec<SessionId> {
        let page = self.server.sessions(query).await.unwrap();
        page.sessions.iter().map(|session| session.id).collect()
    }

    pub(crate) fn audit_text(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("audit.jsonl")).unwrap()
    }

    /// The audit records so far.
    pub(crate) fn audit(&self) -> Vec<serde_json::Value> {
        let text = self.audit_text();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

async fn open(
    dir: &Path,
    clock: &Arc<ManualClock>,
    remote: bool,
    store: Option<Arc<dyn Store>>,
) -> (
    Arc<PolicyServer>,
    Option<RunningPolicyServer>,
    Arc<dyn PolicyCalls>,
) {
    let config = PolicyServerConfig::load(&dir.join("policy-server.toml")).unwrap();
    let listen = config.listen.clone().unwrap();
    let clock = Arc::clone(clock);
    let opened = match store {
        Some(store) => PolicyServer::open_with(config, store, clock).await,
        None => PolicyServer::open(config, clock).await,
    };
    let server = opened.unwrap();
    if !remote {
        let calls = Arc::new(server.as_agent(AGENT));
        return (server, None, calls);
    }
    let running = serve(Arc::clone(&server), listen).await.unwrap();
    let urls = vec![format!("https://localhost:{}", running.address.port())];
    let calls = Arc::new(client(dir, urls, AGENT_SECRET));
    (server, Some(running), calls)
}

fn client(dir: &Path, urls: Vec<String>, secret: &str) -> NativeClient {
    client_of(dir, urls, AGENT, secret)
}

pub(crate) fn client_of(dir: &Path, urls: Vec<String>, agent: &str, secret: &str) -> NativeClient {
    NativeClient::new(&NativeSettings {
        servers: ServerList::in_order(urls),
        ca_file: Some(dir.join("cert.pem")),
        agent_name: agent.to_owned(),
        agent_secret: Some(Secret::new(secret.to_owned())),
        client_certificate: None,
        timeout: TIMEOUT,
    })
    .unwrap()
}

/// Asks until it is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    waited.unwrap_or_else(|_| panic!("never: {what}"));
}
