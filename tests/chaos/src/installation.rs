//! Three policy servers, three agents, one store, and a link that can break between any two that speak.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use policy_client::admin::{AdminClient, AdminSettings};
use policy_protocol::Secret;
use policy_server::{PasswordCost, hash_password_at};
use tempfile::TempDir;
use test_services::Certificate;

use crate::browser::Browser;
use crate::origin;
use crate::process::Doorward;
use crate::proxy::Proxy;
use crate::store::{Engine, StoreServer};

/// Policy servers, and agents.
pub const COUNT: usize = 3;
/// Users; each is one task of the load. One more sees whether all is well.
pub const USERS: usize = 240;
/// Everybody's.
pub const PASSWORD: &str = "correct horse battery staple";

/// A port that nobody listens on (tcpmux).
const NOBODY: u16 = 1;
const ADMIN_SECRET: &str = "the administrators' very own secret";
/// Longer than a call to a store.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(5);

const SERVER: &str = r#"
name = "policy-server-NUMBER"
state_dir = "state-NUMBER"
users_file = "users.toml"
admin = { secret_file = "admin.secret" }
audit = { file = "audit-NUMBER.jsonl" }
keys = { master_key_file = "master.key" }
agents = [
    { name = "agent-0", secret_file = "agent.secret" },
    { name = "agent-1", secret_file = "agent.secret" },
    { name = "agent-2", secret_file = "agent.secret" },
]
[listen]
address = "127.0.0.1:0"
cert_file = "server.crt"
key_file = "server.key"
"#;

const AGENT: &str = r#"
[agent]
name = "agent-NUMBER"
admin = ""
workers = 1
[log]
access_log = false
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "server.crt", key_file = "server.key" }]
[policy_server]
kind = "native"
urls = [URLS]
balance = "BALANCE"
ca_file = "ca.crt"
agent_secret_file = "agent.secret"
[[upstreams]]
name = "origin"
servers = ["http://ORIGIN"]
[[realms]]
name = "app"
resource = "/app"
upstream = "origin"
scheme = "form"
[[realms]]
name = "stored"
resource = "/stored"
upstream = "origin"
scheme = "form"
persistent = true
"#;

/// A process that is started again after it was killed, on a port of its own each time.
#[derive(Debug)]
pub struct Member {
    command: &'static str,
    config: PathBuf,
    /// Where it listens.
    pub port: Arc<AtomicU16>,
    process: Option<Doorward>,
    starts: usize,
}

impl Member {
    fn new(command: &'static str, config: PathBuf) -> Self {
        Self {
            command,
            config,
            port: Arc::default(),
            process: None,
            starts: 0,
        }
    }

    /// Starts it, if it does not run.
    pub async fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        let log = self.config.with_extension(format!("{}.log", self.starts));
        self.starts += 1;
        let process = Doorward::start(self.command, &self.config, log).await;
        self.port.store(process.port(), Ordering::SeqCst);
        self.process = Some(process);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        // Somebody else may get its port before it is started again.
        self.port.store(NOBODY, Ordering::SeqCst);
        self.process = None;
    }

    /// The process.
    ///
    /// # Panics
    /// If it was killed.
    pub fn process(&mut self) -> &mut Doorward {
        self.process.as_mut().expect("it runs")
    }
}

/// Everything that can break.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    /// The store.
    pub store: StoreServer,
    /// From each policy server to the store.
    pub store_links: Vec<Proxy>,
    /// The policy servers.
    pub servers: Vec<Member>,
    /// From each agent to each policy server.
    pub links: Vec<Vec<Proxy>>,
    /// The agents.
    pub agents: Vec<Member>,
}

impl Installation {
    /// Starts everything; nothing if there is no such store here.
    pub async fn start(engine: Engine) -> Option<Self> {
        let store = StoreServer::start(engine)?;
        let folder = tempfile::tempdir().unwrap();
        let origin = origin::start().await;
        write_files(folder.path(), &store);
        let mut store_links = Vec::new();
        let mut servers = Vec::new();
        for number in 0..COUNT {
            let port = Arc::new(AtomicU16::new(store.address().port()));
            let link = Proxy::start(port).await;
            let text = SERVER.replace("NUMBER", &number.to_string()) + &store.section(link.address);
            servers.push(member("policy-server", folder.path(), number, &text));
            store_links.push(link);
        }
        let mut links = Vec::new();
        let mut agents = Vec::new();
        for number in 0..COUNT {
            let mut to_servers = Vec::new();
            for server in &servers {
                to_servers.push(Proxy::start(Arc::clone(&server.port)).await);
            }
            let text = agent(number, origin, &to_servers);
            agents.push(member("agent", folder.path(), number, &text));
            links.push(to_servers);
        }
        let mut installation = Self {
            folder,
            store,
            store_links,
            servers,
            links,
            agents,
        };
        installation.start_all().await;
        Some(installation)
    }

    /// Starts what does not run.
    pub async fn start_all(&mut self) {
        for member in self.servers.iter_mut().chain(&mut self.agents) {
            member.start().await;
        }
    }

    /// The way to each agent.
    pub fn browsers(&self) -> Vec<Browser> {
        let ca = self.folder.path().join("ca.crt");
        let browser = |agent: &Member| Browser::new(Arc::clone(&agent.port), &ca);
        self.agents.iter().map(browser).collect()
    }

    /// An administrator, who asks the policy servers over these links.
    pub fn administrator<'a>(&self, links: impl IntoIterator<Item = &'a Proxy>) -> AdminClient {
        let settings = AdminSettings {
            urls: links
                .into_iter()
                .map(|link| format!("https://{}", link.address))
                .collect(),
            ca_file: Some(self.folder.path().join("ca.crt")),
            admin_secret: Secret::new(String::from(ADMIN_SECRET)),
            timeout: ADMIN_TIMEOUT,
        };
        AdminClient::new(&settings).unwrap()
    }

    /// The end of what every process said, for whoever has to find out why.
    pub fn logs(&self) -> String {
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
            .collect();
        names.sort();
        let mut text = String::new();
        for name in names {
            let log = fs::read_to_string(&name).unwrap();
            let start = log.floor_char_boundary(log.len().saturating_sub(3000));
            writeln!(text, "--- {}\n{}", name.display(), &log[start..]).unwrap();
        }
        text
    }
}

fn member(command: &'static str, folder: &Path, number: usize, text: &str) -> Member {
    let config = folder.join(format!("{command}-{number}.toml"));
    fs::write(&config, text).unwrap();
    Member::new(command, config)
}

/// Each agent prefers another policy server, and the last takes them in turn.
fn agent(number: usize, origin: SocketAddr, links: &[Proxy]) -> String {
    let urls: Vec<_> = (0..links.len())
        .map(|turn| {
            format!(
                "\"https://{}\"",
                links[(number + turn) % links.len()].address
            )
        })
        .collect();
    let balance = if number + 1 == COUNT {
        "round_robin"
    } else {
        "ordered"
    };
    AGENT
        .replace("NUMBER", &number.to_string())
        .replace("ORIGIN", &origin.to_string())
        .replace("URLS", &urls.join(", "))
        .replace("BALANCE", balance)
}

fn write_files(folder: &Path, store: &StoreServer) {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let certificate = Certificate::new();
    write("ca.crt", &certificate.ca_pem);
    write("server.crt", &certificate.cert_pem);
    write("server.key", &certificate.key_pem);
    write("agent.secret", "the agents' very own secret");
    write("admin.secret", ADMIN_SECRET);
    // 32 bytes in base64.
    write("master.key", &format!("{}=", "A".repeat(43)));
    write("store.password", store.password());
    let hash = hash_password_at(PASSWORD, PasswordCost::LIGHT).unwrap();
    let mut users = String::new();
    for number in 0..=USERS {
        writeln!(
            users,
            "[[users]]\nname = {:?}\npassword = {hash:?}",
            user(number)
        )
        .unwrap();
    }
    write("users.toml", &users);
}

/// A user's name, which is the universal id as well.
pub fn user(number: usize) -> String {
    format!("user-{number}")
}
