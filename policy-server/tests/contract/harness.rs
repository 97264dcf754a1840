//! A policy server with two agents, a few users and a clock that moves when told to.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_client::admin::{AdminClient, AdminSettings};
use policy_client::native::{NativeClient, NativeSettings};
use policy_client::{PolicyCalls, PolicyError, ServerList};
use policy_protocol::administration::{RollAnswer, RollRequest, RollWhich};
use policy_protocol::message::{
    AuthorizeAnswer, AuthorizeRequest, Credentials, LoginAnswer, LoginRequest, LogoutAnswer,
    LogoutRequest, SessionTicket, ValidateAnswer, ValidateRequest,
};
use policy_protocol::sessions::SessionQuery;
use policy_protocol::{
    AuthScheme, Clock, ManualClock, ProtectionLevel, RealmContext, Reason, ResourceContext, Secret,
    Session, SessionId, Timestamp,
};
use policy_server::store::Store;
use policy_server::store::sqlite::SqliteStore;
use policy_server::{
    PasswordCost, PolicyServer, PolicyServerConfig, RunningPolicyServer, hash_password_at, serve,
};
use tempfile::TempDir;

use crate::store_server::StoreServer;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const AGENT: &str = "gateway-1";
pub(crate) const AGENT_SECRET: &str = "the secret of gateway-1";
pub(crate) const ADMIN_SECRET: &str = "the secret of administrators";
pub(crate) const FINGERPRINT: &str =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const TIMEOUT: Duration = Duration::from_secs(20);

static HASH: LazyLock<String> =
    LazyLock::new(|| hash_password_at(PASSWORD, PasswordCost::LIGHT).unwrap());

const CONFIG: &str = r#"
    name = "ps-test"
    state_dir = "state"
    users_file = "users.toml"
    policies_file = "policies.toml"
    [[agents]]
    name = "gateway-1"
    secret_file = "agent-secret"
    [admin]
    secret_file = "admin-secret"
    [listen]
    address = "127.0.0.1:0"
    cert_file = "cert.pem"
    key_file = "key.pem"
    [audit]
    file = "audit.jsonl"
    [limits]
    max_timeout = "4h"
    idle_timeout = "1h"
"#;

const POLICIES: &str = r#"
    [[domains]]
    name = "intranet"
    directories = ["users"]
    realms = [
        { name = "app", resource = "/app" },
        { name = "app-admin", resource = "/app/admin" },
    ]
    rules = [
        { name = "use", realm = "app" },
        { name = "do not use", realm = "app", effect = "deny" },
        { name = "administer", realm = "app-admin" },
        { name = "day", realm = "app", resource = "/day" },
        { name = "site", realm = "app", resource = "/site" },
    ]
    responses = [
        { name = "mail", header = "x-mail", attribute = "mail" },
        { name = "tier", cookie = "tier", value = "basic" },
    ]

    [[domains.policies]]
    name = "everybody"
    rules = ["use"]
    responses = ["mail", "tier"]

    [[domains.policies]]
    name = "administrators"
    rules = ["administer"]
    groups = ["admins"]
    ttl = "1m"

    [[domains.policies]]
    name = "no-contractors"
    rules = ["do not use"]
    attributes = { kind = ["contractor"] }

    [[domains.policies]]
    name = "office hours"
    rules = ["day"]
    times = [{ days = ["mon", "tue", "wed", "thu", "fri"], from = "08:00", to = "18:00" }]
    time_zone = "UTC"
    on_reject_redirect = "/closed"

    [[domains.policies]]
    name = "on site"
    rules = ["site"]
    networks = ["192.0.2.0/24", "2001:db8::/32"]
    on_accept_redirect = "https://site.example.com/"
"#;

/// `users.toml`; `more` goes to alice.
pub(crate) fn users(more: &str) -> String {
    let hash = HASH.as_str();
    format!(
        r#"
        [[users]]
        name = "alice"
        password = "{hash}"
        universal_id = "id-of-alice"
        groups = ["staff", "admins"]
        attributes = {{ mail = "alice@example.com", phone = ["1", "2"] }}
        certificates = ["{FINGERPRINT}"]
        certificate_subjects = ["CN=alice,O=Example"]
        {more}
        [[users]]
        name = "bob"
        password = "{hash}"
        groups = ["staff"]
        [[users]]
        name = "carol"
        password = "{hash}"
        attributes = {{ kind = "contractor" }}
        [[users]]
        name = "dora"
        password = "{hash}"
        disabled = true
        [[users]]
        name = "machine"
        "#
    )
}

pub(crate) struct World {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) server: Arc<PolicyServer>,
    pub(crate) calls: Arc<dyn PolicyCalls>,
    running: Option<RunningPolicyServer>,
    /// The server of the store, if this world has one of its own.
    pub(crate) store: Option<StoreServer>,
}

pub(crate) fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

impl World {
    pub(crate) async fn embedded() -> Self {
        Self::start(tempfile::tempdir().unwrap(), false, "").await
    }

    pub(crate) async fn remote() -> Self {
        Self::start(tempfile::tempdir().unwrap(), true, "").await
    }

    pub(crate) async fn start(dir: TempDir, remote: bool, store: &str) -> Self {
        let (dir, clock) = prepare(dir, store);
        let (server, running, calls) = open(dir.path(), &clock, remote, None).await;
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
            let store = Some(Arc::clone(&store));
            let (server, running, calls) = open(dir.path(), &clock, remote, store).await;
            worlds.push(Self {
                dir: Arc::clone(&dir),
                clock: Arc::clone(&clock),
                server,
                calls,
                running,
                store: None,
            });
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
        let (server, running, calls) = open(dir.path(), &clock, remote, None).await;
        Self {
            dir,
            clock,
            server,
            calls,
            running,
            store,
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
        self.present(credentials(user, password), realm, previous)
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
        self.validate_ticket(ticket(session), session.last_access, None)
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
            ..validation(ticket(session))
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

pub(crate) fn by_command() -> RollRequest {
    RollRequest {
        which: RollWhich::Rolling,
        next_key: None,
        force: false,
    }
}

/// The files, and a clock.
/// Writes the files of a policy server, with a section for its store.
fn prepare(dir: TempDir, store: &str) -> (Arc<TempDir>, Arc<ManualClock>) {
    write(dir.path(), "users.toml", &users(""));
    write(dir.path(), "agent-secret", &format!("{AGENT_SECRET}\n"));
    write(dir.path(), "admin-secret", ADMIN_SECRET);
    write(
        dir.path(),
        "policy-server.toml",
        &format!("{CONFIG}{store}"),
    );
    let key = STANDARD.encode([7; 32]);
    write(dir.path(), "master-key", &key);
    write(dir.path(), "policies.toml", POLICIES);
    let made = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
    write(dir.path(), "cert.pem", &made.cert.pem());
    write(dir.path(), "key.pem", &made.signing_key.serialize_pem());
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
    (Arc::new(dir), clock)
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

pub(crate) fn resource(path: &str) -> ResourceContext {
    ResourceContext {
        agent: String::from("an agent that is not asking"),
        server: String::from("app.test"),
        resource: path.to_owned(),
        action: String::from("GET"),
    }
}

/// A realm with a form, half an hour idle and two hours at most.
pub(crate) fn realm() -> RealmContext {
    RealmContext {
        name: String::from("app"),
        protection_level: ProtectionLevel(5),
        auth_scheme: AuthScheme::Form,
        idle_timeout: Duration::from_secs(1800),
        max_timeout: Duration::from_secs(7200),
        persistent: false,
    }
}

pub(crate) fn persistent() -> RealmContext {
    RealmContext {
        persistent: true,
        ..realm()
    }
}

pub(crate) fn ticket(session: &Session) -> SessionTicket {
    SessionTicket {
        session_id: session.id,
        session_spec: session.spec.clone(),
    }
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn credentials(user: &str, password: &str) -> Credentials {
    Credentials::Password {
        user_name: user.to_owned(),
        password: Secret::new(password.to_owned()),
        new_password: None,
        code: None,
    }
}

pub(crate) fn login_request(
    credentials: Credentials,
    realm: &RealmContext,
    previous: Option<&Session>,
) -> LoginRequest {
    LoginRequest {
        resource: resource("/app"),
        realm: realm.clone(),
        credentials,
        client_address: Some(address("192.0.2.1")),
        previous: previous.map(ticket).into_iter().collect(),
        transaction_id: String::from("t1"),
    }
}

pub(crate) fn authorization(session: &Session, path: &str) -> AuthorizeRequest {
    AuthorizeRequest {
        session: ticket(session),
        resource: resource(path),
        realm: realm(),
        from: address("192.0.2.1"),
        client_address: None,
        transaction_id: String::from("t4"),
    }
}

pub(crate) fn validation(session: SessionTicket) -> ValidateRequest {
    ValidateRequest {
        session,
        resource: resource("/app"),
        realm: realm(),
        client_address: None,
        last_access: Timestamp::default(),
        overlooked: false,
        transaction_id: String::from("t2"),
    }
}

/// The session of a YES.
#[track_caller]
pub(crate) fn alive(answer: ValidateAnswer) -> Session {
    match answer {
        ValidateAnswer::Yes { session } => *session,
        ValidateAnswer::No { reason } => panic!("refused: {}", reason.name()),
    }
}

#[track_caller]
pub(crate) fn assert_dead(answer: ValidateAnswer, because: Reason) {
    assert_eq!(answer, ValidateAnswer::No { reason: because });
}
