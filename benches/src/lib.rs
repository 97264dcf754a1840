//! A stage for measurements: a gateway's parts with one user logged in, and no network.
//!
//! * `benches/micro.rs`: how long the pieces of the hot path take
//!   (`cargo bench -p benchmarks --features micro`).
//! * `benches/revocation.rs`: how long until a hundred agents refuse a session that ended.
//! * `tests/allocations.rs`: what a session cache hit may allocate, as a test.
//! * `load/compare`: what a whole request costs, side by side with nginx.

mod unreachable_policy;

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::access::authenticate::authenticate;
use agent::access::authorize::authorize;
use agent::access::protection::Protection;
use agent::access::{Facts, Grant};
use agent::config::{Config, Environment, Realm, load_text};
use agent::http::ConnectionInfo;
use agent::http::body::RequestBody;
use agent::http::client_origin::ClientOrigin;
use agent::http::target::RequestTarget;
use agent::http::transaction::TransactionId;
use agent::outbound;
use agent::session::Sessions;
use agent::session::reissue::Writer;
use agent::site::Site;
use agent::telemetry::Metrics;
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{HeaderValue, Request, header};
use policy_protocol::{
    AgentKey, AgentKeySet, AuthScheme, Identity, KeyId, ProtectionLevel, Secret, Session,
    SessionId, SessionSpec, SystemClock,
};

use unreachable_policy::UnreachablePolicy;

/// Length of a session spec, in bytes: about what Doorward's policy server seals for a user with a
/// handful of groups.
const SPEC_LENGTH: usize = 700;

/// A gateway's parts with one user logged in.
#[derive(Debug)]
pub struct Stage {
    /// What is known of sessions.
    pub sessions: Arc<Sessions>,
    /// The configuration in force: `/open` is open, everything else protected.
    pub site: Site,
    /// The connection that requests come over.
    pub conn: ConnectionInfo,
    /// The user's `SMSESSION=…`.
    pub cookie: HeaderValue,
    /// When all requests come, for trust in the cache never to end.
    arrived: Instant,
    _runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// Sets it up.
    ///
    /// # Panics
    /// If any part of it does not work.
    pub fn set() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        let entered = runtime.enter();
        let metrics = Arc::new(Metrics::new(1));
        let sessions = Arc::new(Sessions::new(
            Arc::new(UnreachablePolicy),
            Arc::new(SystemClock),
            metrics,
            64 << 20,
        ));
        sessions
            .keys
            .replace(&agent_keys(), sessions.now())
            .expect("the keys are good");
        let arrived = Instant::now();
        sessions.trust.regained(false, arrived);
        let site = Site::build(config(0), None).expect("the configuration works");
        let cookie = log_in(&sessions, &site);
        drop(entered);
        let client = "192.0.2.7:50000".parse().expect("an address");
        let conn = ConnectionInfo {
            peer: client,
            local: "192.0.2.1:443".parse().expect("an address"),
            tls: true,
            server_name: Some("app.example.com".into()),
            require_matching_host: true,
            client_certificate: None,
            worker: 0,
            redirect_to_https: None,
            services: None,
            forwarding: std::sync::OnceLock::new(),
        };
        Self {
            sessions,
            site,
            conn,
            cookie,
            arrived,
            _runtime: runtime,
        }
    }

    /// A request as a browser makes it, with the session cookie and two others.
    ///
    /// # Panics
    /// If `path` is not one.
    pub fn request(&self, path: &str) -> Parts {
        let mut request = Request::get(path);
        for (name, value) in BROWSER_HEADERS {
            request = request.header(name, value);
        }
        let ours = self.cookie.to_str().expect("a cookie is text");
        let cookies = format!("theme=dark; {ours}; _ga=GA1.1.1402938475.1795291044");
        let request = request.header(header::COOKIE, cookies).body(());
        request.expect("a request").into_parts().0
    }

    /// The way of a request with a session that is in the cache, from the parsed head to what is handed to
    /// the upstream's connection: the gateway's own work, and nothing of hyper's or the system's. The same
    /// steps as in the pipeline.
    ///
    /// # Panics
    /// If the request is not let in at once.
    pub fn hit(&self, parts: &mut Parts) -> (Grant, Request<RequestBody>) {
        let target = RequestTarget::parse(&self.conn, parts).expect("a good target");
        let origin = ClientOrigin::read(
            &self.conn,
            &parts.headers,
            &self.site.config.trusted_proxies,
        )
        .expect("an origin");
        self.site.managed.strip(&mut parts.headers);
        let facts = Facts {
            site: &self.site,
            conn: &self.conn,
            target: &target,
            origin: &origin,
            now: self.sessions.now(),
            arrived: self.arrived,
            transaction_id: TransactionId::next(),
            metrics: self.sessions.metrics.worker(0),
            from_script: false,
            resumed: None,
        };
        let visit = facts.with(&parts.headers);
        let grant = match self.site.realms.find(&target).expect("a realm") {
            Protection::Open(open) => open.grant(),
            Protection::Protected(realm) => {
                let admitted = authenticate(&self.sessions, &visit, &realm)
                    .now_or_never()
                    .expect("nobody is asked")
                    .expect("the session is good");
                authorize(&self.sessions, &visit, &realm, &admitted)
                    .now_or_never()
                    .expect("nobody is asked")
                    .expect("the user may")
            }
        };
        let request = outbound::prepare(&facts, parts, RequestBody::empty(), &grant);
        (grant, request)
    }
}

/// What a current browser sends along with a navigation.
const BROWSER_HEADERS: [(&str, &str); 12] = [
    ("host", "app.example.com"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://app.example.com/reports"),
    ("upgrade-insecure-requests", "1"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-user", "?1"),
    ("priority", "u=0, i"),
];

/// A configuration with `more` realms besides the two that every one has.
///
/// # Panics
/// If it is not valid.
pub fn config(more: usize) -> Config {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    fs::write(folder.path().join("policy-server.toml"), "").expect("a file can be written");
    let mut text = String::from(CONFIG);
    for index in 0..more {
        write!(
            text,
            "[[realms]]\nname = \"realm {index}\"\nhosts = [\"host-{}.example.com\"]\n\
             resource = \"/area/{index}\"\nupstream = \"app\"\nscheme = \"form\"\n",
            index % 100
        )
        .expect("writing to memory cannot fail");
    }
    load_text(&text, "bench.toml", folder.path(), &Environment::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// The realms of a configuration with `more` of them.
///
/// # Panics
/// As [`config`].
pub fn realms(more: usize) -> Vec<Arc<Realm>> {
    config(more).realms
}

const CONFIG: &str = r#"
[agent]
name = "bench"
workers = 1
admin = ""

[[listeners]]
address = "127.0.0.1:0"

[policy_server]
kind = "embedded"
config_file = "policy-server.toml"

[[upstreams]]
name = "app"
servers = ["http://127.0.0.1:9"]

[[realms]]
name = "open"
resource = "/open"
upstream = "app"
scheme = "none"

[[realms]]
name = "app"
resource = "/"
upstream = "app"
scheme = "form"
rules = [{ name = "staff", groups = ["staff"] }]
responses = [{ header = "SM_MAIL", attribute = "mail" }]
"#;

/// Agent keys that nobody else has.
///
/// # Panics
/// If there is no randomness.
pub fn agent_keys() -> AgentKeySet {
    let key = |id| AgentKey::random(KeyId(id)).expect("randomness");
    let assertion = rcgen::KeyPair::generate().expect("a key");
    AgentKeySet {
        store: String::new(),
        version: 1,
        current: key(1),
        next: key(2),
        previous: Vec::new(),
        static_key: key(3),
        assertion_key: Secret::new(assertion.serialize_der()),
    }
}

/// A user's session as the policy server would describe it.
pub fn session() -> Session {
    let now = policy_protocol::Clock::now(&SystemClock);
    Session {
        id: SessionId::from_bytes([7; SessionId::LENGTH]),
        spec: SessionSpec::new("x".repeat(SPEC_LENGTH)),
        identity: Identity {
            user_name: String::from("alice"),
            user_dn: String::from("uid=alice,ou=people,dc=example,dc=com"),
            universal_id: String::from("c8f1b1f0-5a7e-4a57-9d5e-2f1a86d6f5f1"),
            groups: vec![String::from("staff"), String::from("sales")],
            attributes: [(
                String::from("mail"),
                vec![String::from("alice@example.com")],
            )]
            .into(),
            ..Identity::default()
        },
        auth_scheme: AuthScheme::Form,
        protection_level: ProtectionLevel(5),
        started: now,
        last_access: now,
        idle_timeout: Duration::from_secs(3600),
        max_timeout: Duration::from_secs(7200),
        persistent: false,
    }
}

fn log_in(sessions: &Sessions, site: &Site) -> HeaderValue {
    let now = sessions.now();
    let adopted = sessions
        .cache
        .adopt(session(), sessions.trust.generation(), now);
    let keys = sessions.keys.load().expect("there are keys");
    let writer = Writer {
        jar: &site.cookies,
        ring: &keys.ring,
        agent_name: &site.config.agent_name,
        client_ip: None,
    };
    let set_cookie = sessions.issue_cookie(&adopted.expect("the session is alive"), now, writer);
    let set_cookie = set_cookie.expect("the session fits into a cookie");
    let text = set_cookie.to_str().expect("a cookie is text");
    let pair = text.split(';').next().unwrap_or_default();
    HeaderValue::from_str(pair).expect("part of a header value is one")
}
