//! A policy server as a process, with its files, its agents and its administrators.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use policy_client::native::{NativeClient, NativeSettings};
use policy_client::{PolicyCalls as _, ServerList};
use policy_protocol::message::{
    Credentials, LoginAnswer, LoginRequest, LogoutRequest, SessionTicket, ValidateAnswer,
    ValidateRequest,
};
use policy_protocol::{
    AuthScheme, ProtectionLevel, RealmContext, Reason, ResourceContext, Secret, Session,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const SECRET: &str = "a secret that is long enough";
/// A generous end to all waiting: only a test that has failed reaches it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

const CONFIG: &str = r#"
name = "ps-1"
state_dir = "state"
users_file = "users.toml"
agents = [{ name = "agent-1", secret_file = "secret" }]
admin = { secret_file = "secret" }
sessions = { properties = ["note", "ticket"] }
[listen]
address = "127.0.0.1:0"
cert_file = "cert.pem"
key_file = "key.pem"
"#;

/// A policy server whose audit records, on standard output, are caught in a file.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) child: Child,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With more sections in its configuration.
    pub(crate) fn start_with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let made = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
        write("cert.pem", &made.cert.pem());
        write("key.pem", &made.signing_key.serialize_pem());
        write("secret", SECRET);
        let hash =
            policy_server::hash_password_at(PASSWORD, policy_server::PasswordCost::LIGHT).unwrap();
        let users = ["alice", "bob"]
            .map(|name| format!("[[users]]\nname = {name:?}\npassword = {hash:?}\n"));
        write("users.toml", &users.concat());
        write("policy-server.toml", &format!("{CONFIG}{more}"));
        let child = spawn(folder.path());
        Self { folder, child }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGKILL, and a new process on the same folder.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.folder.path());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) async fn url(&self) -> String {
        let start = Instant::now();
        loop {
            let log = self.read("log");
            let address = log
                .split_once("listening address=")
                .and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((address, _)) = address {
                let (_, port) = address.trim().rsplit_once(':').unwrap();
                return format!("https://localhost:{port}");
            }
            assert!(start.elapsed() < DEADLINE, "{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn client(&self) -> NativeClient {
        self.client_of("agent-1", SECRET).await
    }

    /// An agent process.
    pub(crate) async fn client_of(&self, agent: &str, secret: &str) -> NativeClient {
        NativeClient::new(&NativeSettings {
            servers: ServerList::in_order(vec![self.url().await]),
            ca_file: Some(self.path("cert.pem")),
            agent_name: agent.to_owned(),
            agent_secret: Some(Secret::new(secret.to_owned())),
            client_certificate: None,
            timeout: Duration::from_secs(20),
        })
        .unwrap()
    }

    /// Runs a command of administrators.
    pub(crate) async fn command(&self, command: &str, arguments: &[&str]) -> Output {
        let url = self.url().await;
        Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args([command, "--url", &url, "--ca-file"])
            .arg(self.path("cert.pem"))
            .arg("--secret-file")
            .arg(self.path("secret"))
            .args(arguments)
            .output()
            .unwrap()
    }

    pub(crate) async fn sessions(&self, arguments: &[&str]) -> Output {
        self.command("sessions", arguments).await
    }

    /// What administrators did, by the audit records.
    pub(crate) fn acts(&self) -> Vec<String> {
        records(&self.read("audit.jsonl"))
            .into_iter()
            .filter(|record| record["event"] == "AdminLogin")
            .map(|record| record["action"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A process on a folder that is prepared.
fn spawn(folder: &Path) -> Child {
    let audit = File::options()
        .create(true)
        .append(true)
        .open(folder.join("audit.jsonl"));
    // Beyond a limit on the size of files it is to get an error, as from a full disk, and no signal.
    Command::new("/bin/sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_doorward"))
        .args(["policy-server", "--config"])
        .arg(folder.join("policy-server.toml"))
        .stdout(audit.unwrap())
        .stderr(File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap()
}

impl Drop for World {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.read("log"));
        }
    }
}

pub(crate) fn login(user: &str, password: &str, transaction_id: String) -> LoginRequest {
    LoginRequest {
        resource: ResourceContext {
            agent: String::new(),
            server: String::from("app.test"),
            resource: String::from("/app"),
            action: String::from("GET"),
        },
        realm: RealmContext {
            name: String::from("app"),
            protection_level: ProtectionLevel(5),
            auth_scheme: AuthScheme::Form,
            idle_timeout: Duration::from_secs(1800),
            max_timeout: Duration::from_secs(7200),
            persistent: true,
        },
        credentials: Credentials::password(user, password),
        client_address: None,
        previous: Vec::new(),
        transaction_id,
    }
}

pub(crate) async fn log_in(client: &NativeClient, user: &str) -> Session {
    session_of(&login(user, PASSWORD, String::from("t")), client).await
}

pub(crate) async fn session_of(request: &LoginRequest, client: &NativeClient) -> Session {
    match client.login(request.clone()).await.unwrap() {
        LoginAnswer::Yes { session } => *session,
        other => panic!("{other:?}"),
    }
}

fn ticket(session: &Session) -> SessionTicket {
    SessionTicket {
        session_id: session.id,
        session_spec: session.spec.clone(),
    }
}

pub(crate) fn logout(session: &Session) -> LogoutRequest {
    LogoutRequest {
        session: ticket(session),
        transaction_id: String::from("t"),
    }
}

/// Why a session is refused, if it is.
pub(crate) async fn refusal(client: &NativeClient, session: &Session) -> Option<Reason> {
    let login = login("", "", String::from("t"));
    let request = ValidateRequest {
        session: ticket(session),
        resource: login.resource,
        realm: login.realm,
        client_address: None,
        last_access: session.last_access,
        overlooked: false,
        transaction_id: String::from("t"),
    };
    match client.validate(request).await.unwrap() {
        ValidateAnswer::Yes { .. } => None,
        ValidateAnswer::No { reason } => Some(reason),
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn records(text: &str) -> Vec<Value> {
    // A kill may cut the last line, which nobody was told of.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
