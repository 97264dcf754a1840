//! The program itself: processes with files, signals and exit codes, as an operator meets them.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE};
use reqwest::{Client, Response, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery staple";
/// A generous end to all waiting: only a test that has failed reaches it.
const DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

const POLICY_SERVER: &str = r#"
state_dir = "state"
users_file = "users.toml"
agents = [{ name = "agent-1", secret_file = "agent.secret" }]
[listen]
address = "127.0.0.1:PORT"
cert_file = "server.crt"
key_file = "server.key"
"#;

const NATIVE: &str = r#"
[policy_server]
kind = "native"
urls = ["https://localhost:PORT"]
ca_file = "ca.crt"
agent_secret_file = "agent.secret"
outage_grace = "10m"
"#;

const EMBEDDED: &str = r#"
[policy_server]
kind = "embedded"
config_file = "embedded.toml"
"#;

/// Everything of an agent but its `[policy_server]`.
const AGENT: &str = r#"
[agent]
name = "agent-1"
admin = ""
[log]
access_log = false
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "server.crt", key_file = "server.key" }]
[[upstreams]]
name = "origin"
servers = ["http://ORIGIN"]
[[realms]]
name = "app"
resource = "/app"
upstream = "origin"
scheme = "form"
[[realms]]
name = "staff"
resource = "/staff"
upstream = "origin"
scheme = "form"
rules = [{ name = "staff only", groups = ["staff"] }]
[[realms]]
name = "open"
resource = "/open"
upstream = "origin"
scheme = "none"
"#;

/// Files of both, and an application.
struct World {
    folder: TempDir,
    origin: Origin,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            origin: Origin::start(),
        };
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        world.write("ca.crt", &ca.self_signed(&ca_key).unwrap().pem());
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![String::from("localhost")]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        world.write("server.crt", &leaf.pem());
        world.write("server.key", &key.serialize_pem());
        world.write("agent.secret", "the agents' very own secret");
        let user = |name: &str, groups: &str| {
            let hash = password_hash();
            format!("[[users]]\nname = {name:?}\npassword = {hash:?}\ngroups = [{groups}]\n")
        };
        world.write(
            "users.toml",
            &(user("alice", "\"staff\"") + &user("bob", "")),
        );
        world.write(
            "embedded.toml",
            "state_dir = \"state\"\nusers_file = \"users.toml\"",
        );
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file at once: whoever reads it sees the old one or the new one.
    fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// Starts a policy server; port 0 is any free port.
    fn policy_server(&self, port: u16) -> Process {
        let text = POLICY_SERVER.replace("PORT", &port.to_string());
        self.write("policy-server.toml", &text);
        Process::start(
            &["policy-server", "--config"],
            &self.path("policy-server.toml"),
        )
    }

    /// Writes `agent.toml` with this `[policy_server]`.
    fn write_agent(&self, policy_server: &str) -> PathBuf {
        let text = AGENT.replace("ORIGIN", &self.origin.address.to_string());
        self.write("agent.toml", &(text + policy_server));
        self.path("agent.toml")
    }

    /// Starts an agent and waits until it has its keys and hears of the end of sessions.
    fn agent(&self, policy_server: &str) -> (Process, Browser) {
        let agent = Process::start(&["agent", "--config"], &self.write_agent(policy_server));
        agent.wait_for_log("listening to the policy server");
        let browser = Browser::new(agent.address(), &self.path("ca.crt"));
        (agent, browser)
    }
}

/// A running `doorward`. It is killed when it is dropped.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(arguments: &[&str], file: &Path) -> Self {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let log = file.with_extension(format!("{number}.log"));
        let child = doorward(arguments)
            .arg(file)
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Where it says that it listens.
    fn address(&self) -> SocketAddr {
        poll("the process listens", || {
            let log = self.log();
            let (_, rest) = log.split_once("listening address=")?;
            rest.split_once('\n')?.0.trim().parse().ok()
        })
    }

    fn wait_for_log(&self, what: &str) {
        poll(what, || self.log().contains(what).then_some(()));
    }

    /// Sends a signal by the shell, whose `kill` is everywhere.
    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(sent.success());
    }

    /// As by `kill -9`.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn exit(mut self) -> ExitStatus {
        poll("the process ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

fn doorward(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself, and hands over its exit code, standard output and standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    told(&command.output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    (
        output.status.code().expect("no signal"),
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

/// Everybody's password, as `doorward hash-password` makes it: once, because it takes its time.
fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let (code, hash, _) = hash_password(&format!("{PASSWORD}\n"));
        assert_eq!(code, 0);
        String::from(hash.trim_end())
    })
}

fn hash_password(input: &str) -> (i32, String, String) {
    let mut child = doorward(&["hash-password"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    told(&child.wait_with_output().unwrap())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is what polls for a condition"
)]
fn poll<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// An application that answers with the head of the request. To `/open/slow` it sends `first`, and `last`
/// when the file `release` is there.
struct Origin {
    address: SocketAddr,
    folder: TempDir,
}

impl Origin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Self {
            address: listener.local_addr().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        let release = origin.folder.path().join("release");
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let release = release.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &release));
            }
        });
        origin
    }

    fn release(&self) {
        File::create(self.folder.path().join("release")).unwrap();
    }
}

fn answer(mut stream: TcpStream, release: &Path) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let slow = head.starts_with(b"GET /open/slow ");
    let body = if slow { b"first".to_vec() } else { head };
    let length = body.len() + if slow { 4 } else { 0 };
    let start = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    // Who asked may be gone.
    let _ = stream.write_all(&[start.as_bytes(), &body].concat());
    if slow {
        poll("the release", || release.exists().then_some(()));
        let _ = stream.write_all(b"last");
    }
}

/// A client of one agent. Cookies are handed to it for each request: every request may be a replay.
struct Browser {
    client: Client,
    base: String,
}

/// The login page, ready to be filled in.
struct LoginPage {
    cookie: String,
    state: String,
}

impl Browser {
    fn new(agent: SocketAddr, ca: &Path) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(ca).unwrap())
            .unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .resolve("localhost", agent)
            .build()
            .unwrap();
        Self {
            client,
            base: format!("https://localhost:{}", agent.port()),
        }
    }

    async fn get(&self, path: &str, cookie: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.base));
        let request = request.header(ACCEPT, "text/html").header(COOKIE, cookie);
        request.send().await.unwrap()
    }

    async fn status(&self, path: &str, cookie: &str) -> StatusCode {
        self.get(path, cookie).await.status()
    }

    async fn login_page(&self) -> LoginPage {
        let challenge = self.get("/app/", "").await;
        let location = challenge.headers()[LOCATION].to_str().unwrap();
        // An agent that has just begun has no keys yet, and says so.
        let page = eventually("there is a login page", async || {
            let page = self.get(location, "").await;
            (page.status() != StatusCode::SERVICE_UNAVAILABLE).then_some(page)
        });
        let page = page.await;
        let cookie = set_cookie(&page, "__Host-SMLOGIN").expect("a cookie of the form");
        let html = page.text().await.unwrap();
        let (_, rest) = html.split_once("name=\"STATE\"").expect("a state");
        let (_, rest) = rest.split_once("value=\"").expect("a value");
        let state = String::from(rest.split('"').next().unwrap());
        LoginPage { cookie, state }
    }

    async fn fill_in(&self, page: &LoginPage, user: &str) -> Response {
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("USER", user),
                ("PASSWORD", PASSWORD),
                ("STATE", &page.state),
            ])
            .finish();
        let request = self.client.post(format!("{}/doorward/login", self.base));
        let request = request
            .header(COOKIE, &page.cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(form).send().await.unwrap()
    }

    /// Logs in and hands over the session's cookie.
    async fn login(&self, user: &str) -> String {
        let answer = self.fill_in(&self.login_page().await, user).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        set_cookie(&answer, "SMSESSION").expect("a session")
    }

    /// Asserts that the origin is told that the cookie's user is `user`.
    #[track_caller]
    fn is(&self, cookie: &str, user: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.get("/app/", cookie).await;
            assert_eq!(answer.status(), StatusCode::OK, "at {place}");
            let told = answer.text().await.unwrap().to_ascii_lowercase();
            let line = format!("\r\nsm_user: {user}\r\n");
            assert!(told.contains(&line), "{told} at {place}");
        }
    }

    /// Waits until a cookie is refused; it must never pass on the way there.
    async fn is_refused(&self, cookie: &str) {
        eventually("the replay is refused", async || {
            match self.status("/app/", cookie).await {
                StatusCode::FOUND => Some(()),
                StatusCode::SERVICE_UNAVAILABLE => None,
                other => panic!("a dead session got {other}"),
            }
        })
        .await;
    }
}

fn set_cookie(answer: &Response, name: &str) -> Option<String> {
    let lines = answer.headers().get_all(SET_COOKIE).iter();
    let mut lines = lines.filter_map(|line| line.to_str().ok());
    let line = lines.find(|line| line.split('=').next() == Some(name))?;
    line.split(';').next().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_outlive_each_other() {
    let world = World::new();
    let policy_server = world.policy_server(0);
    let port = policy_server.address().port();
    let native = NATIVE.replace("PORT", &port.to_string());
    let (agent, browser) = world.agent(&native);
    let alice = browser.login("alice").await;
    browser.is(&alice, "alice").await;
    let bob = browser.login("bob").await;
    browser.is(&bob, "bob").await;
    assert_eq!(
        browser.status("/doorward/logout", &bob).await,
        StatusCode::OK
    );
    browser.is_refused(&bob).await;
    let page = browser.login_page().await;

    policy_server.kill();
    browser.is(&alice, "alice").await;
    let late = browser.fill_in(&page, "bob").await;
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait = late.headers()[RETRY_AFTER].to_str().unwrap();
    assert!(wait.parse::<u32>().is_ok(), "{wait}");
    assert_eq!(set_cookie(&late, "SMSESSION"), None);
    browser.is(&alice, "alice").await;

    // The same port, the same state.
    let policy_server = world.policy_server(port);
    eventually("new logins work", async || {
        let answer = browser.fill_in(&page, "bob").await;
        (answer.status() == StatusCode::SEE_OTHER).then_some(())
    })
    .await;
    browser.is(&alice, "alice").await;
    browser.is_refused(&bob).await;

    // What a logout has answered outlives both processes.
    assert_eq!(
        browser.status("/doorward/logout", &alice).await,
        StatusCode::OK
    );
    policy_server.kill();
    agent.kill();
    let policy_server = world.policy_server(port);
    let (agent, browser) = world.agent(&native);
    browser.is_refused(&alice).await;
    browser.is_refused(&bob).await;
    let again = browser.login("alice").await;
    browser.is(&again, "alice").await;

    for process in [agent, policy_server] {
        process.signal("TERM");
        assert_eq!(process.exit().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_refuses_sessions_while_its_policy_server_is_away() {
    let world = World::new();
    let policy_server = world.policy_server(0);
    let native = NATIVE.replace("PORT", &policy_server.address().port().to_string());
    let (agent, browser) = world.agent(&native);
    let alice = browser.login("alice").await;
    policy_server.kill();
    agent.kill();
    let agent = Process::start(&["agent", "--config"], &world.path("agent.toml"));
    let browser = Browser::new(agent.address(), &world.path("ca.crt"));
    let answer = browser.get("/app/", &alice).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(RETRY_AFTER));
    assert_eq!(browser.status("/open/", "").await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_ignored_and_a_sound_one_is_taken_on() {
    let world = World::new();
    let (agent, browser) = world.agent(EMBEDDED);
    let alice = browser.login("alice").await;
    let sound = fs::read_to_string(world.path("agent.toml")).unwrap();

    world.write("agent.toml", &sound.replace("\"/open\"", "open"));
    agent.signal("HUP");
    agent.wait_for_log("the new configuration is not used");
    assert!(agent.log().contains("agent.toml:"), "no line is named");
    browser.is(&alice, "alice").await;
    assert_eq!(browser.status("/open/", "").await, StatusCode::OK);
    assert_eq!(browser.status("/other/", "").await, StatusCode::NOT_FOUND);

    world.write("agent.toml", &sound.replace("\"/open\"", "\"/other\""));
    agent.signal("HUP");
    agent.wait_for_log("the new configuration is in force");
    browser.is(&alice, "alice").await;
    assert_eq!(browser.status("/other/", "").await, StatusCode::OK);
    assert_eq!(browser.status("/open/", "").await, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_a_response_runs_to_its_end() {
    let world = World::new();
    let (agent, browser) = world.agent(EMBEDDED);
    let address = agent.address();
    let mut answer = browser.get("/open/slow", "").await;
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
    agent.signal("TERM");
    poll("nobody else is let in", || {
        TcpStream::connect(address).err()
    });
    world.origin.release();
    assert_eq!(answer.text().await.unwrap(), "last");
    assert_eq!(agent.exit().code(), Some(0));
}

#[test]
fn a_port_in_use_is_one_clear_sentence() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let agent = world.write_agent(EMBEDDED);
    let text = fs::read_to_string(&agent).unwrap();
    world.write(
        "agent.toml",
        &text.replace("127.0.0.1:0", &address.to_string()),
    );
    let text = POLICY_SERVER.replace("PORT", &address.port().to_string());
    world.write("policy-server.toml", &text);
    for (command, file) in [
        ("agent", "agent.toml"),
        ("policy-server", "policy-server.toml"),
    ] {
        let (code, out, err) = run(doorward(&[command, "--config"]).arg(world.path(file)));
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        let complaint = format!("doorward: cannot listen on {address}: ");
        let lines: Vec<_> = err
            .lines()
            .filter(|line| line.starts_with("doorward: "))
            .collect();
        assert_eq!(lines.len(), 1, "{err}");
        assert!(lines[0].starts_with(&complaint), "{err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}

#[test]
fn ten_mistakes_are_ten_messages_with_their_lines() {
    let mistakes = [
        (1, "nonsense = 1"),
        (2, "[agent]"),
        (3, "workers = \"many\""),
        (4, "drain_timeout = \"30 parsecs\""),
        (5, "[[listeners]]"),
        (6, "address = \"nowhere\""),
        (7, "[policy_server]"),
        (8, "kind = \"telepathic\""),
        (9, "[session]"),
        (10, "same_site = \"sideways\""),
        (11, "cache_size = \"64 bananas\""),
        (12, "[[upstreams]]"),
        (13, "name = \"a\""),
        (14, "servers = [\"gopher://x\"]"),
        (15, "[[realms]]"),
        (16, "name = \"r\""),
        (17, "resource = \"app\""),
        (18, "upstream = \"a\""),
        (19, "protection_level = 5000"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    fs::write(&file, mistakes.map(|(_, line)| line).join("\n")).unwrap();
    let (code, out, err) = run(doorward(&["check"]).arg(&file));
    assert_eq!((code, out.as_str()), (64, ""), "{err}");
    let place = format!("{}:", file.display());
    let mut lines: Vec<u32> = err
        .lines()
        .filter_map(|line| line.strip_prefix(&place)?.split(':').next()?.parse().ok())
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [1, 3, 4, 6, 8, 10, 11, 14, 17, 19], "{err}");
    assert!(err.ends_with("\n10 problems\n"), "{err}");
}

#[test]
fn an_import_says_by_its_exit_code_whether_something_protects_less() {
    let folder = tempfile::tempdir().unwrap();
    let (aco, am) = (
        folder.path().join("web.aco"),
        folder.path().join("agent.conf"),
    );
    let made = folder.path().join("made.toml");
    fs::write(
        &aco,
        "DefaultAgentName=\"web-1\"\nsharedsecret=\"swordfish\"\n",
    )
    .unwrap();
    fs::write(&am, "com.sun.identity.agents.config.sso.only = true\n").unwrap();
    let (code, out, err) = run(doorward(&["import", "--siteminder-aco"]).arg(&aco));
    assert_eq!(code, 3, "{err}");
    assert!(
        out.contains("\n# LOOK AT THESE FIRST") && out.contains("# * CSSChecking"),
        "{out}"
    );
    assert!(
        err.contains("2 settings and rules read") && !out.contains("swordfish"),
        "{err}"
    );

    let import = || {
        let mut command = doorward(&["import", "--openam-agent"]);
        command.arg(&am).arg("--output").arg(&made);
        run(&mut command)
    };
    let (code, out, err) = import();
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    let (code, _, err) = run(doorward(&["check"]).arg(&made));
    assert_eq!(code, 64);
    assert!(err.ends_with("\n5 problems\n"), "{err}");
    assert_eq!(import().0, 1, "a file that is there is left alone");

    fs::write(&aco, "one\ntwo=2\n\"three\n").unwrap();
    let (code, out, err) = run(doorward(&["import", "--siteminder-aco"]).arg(&aco));
    assert_eq!((code, out.as_str()), (64, ""));
    assert!(
        err.starts_with("web.aco:1: no `=`") && err.contains("web.aco:3:"),
        "{err}"
    );
    assert_eq!(run(&mut doorward(&["import"])).0, 2);
}

/// As the guides say it: by its bare name, from the folder that it is in.
#[test]
fn a_configuration_is_read_from_the_folder_that_one_is_in() {
    let folder = tempfile::tempdir().unwrap();
    let guide = r#"
[[listeners]]
address = "127.0.0.1:0"
[policy_server]
kind = "am"
urls = ["https://am.example.com/am"]
agent_keys_file = "agent-keys.json"
[[upstreams]]
name = "payroll"
servers = ["http://127.0.0.1:3000"]
[[realms]]
name = "payroll"
resource = "/"
upstream = "payroll"
scheme = "form"
protection_level = 0
"#;
    fs::write(folder.path().join("agent.toml"), guide).unwrap();
    let check = || run(doorward(&["check", "agent.toml"]).current_dir(folder.path()));
    let (code, out, err) = check();
    assert_eq!(code, 0, "{out}{err}");
    let elsewhere = guide.replace("agent-keys.json", "keys/agent-keys.json");
    fs::write(folder.path().join("agent.toml"), elsewhere).unwrap();
    let (code, out, err) = check();
    assert_eq!((code, out.as_str()), (64, ""));
    assert!(err.contains("policy_server.agent_keys_file"), "{err}");
}

#[test]
fn what_is_sound_is_said_to_be_and_explained() {
    let world = World::new();
    let file = world.write_agent(EMBEDDED);
    let (code, out, err) = run(doorward(&["check"]).arg(&file));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        out.contains("sound: 1 listener, 1 upstream, 3 realms"),
        "{out}"
    );

    let why = |arguments: &[&str]| {
        let (code, out, err) = run(doorward(&["why", "--config"]).arg(&file).args(arguments));
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        out
    };
    let out = why(&["https://localhost/staff/x", "--user", "alice"]);
    for line in [
        "realm       staff ",
        "rule        staff only (allow)",
        "decision    passes",
    ] {
        assert!(out.contains(line), "{out}");
    }
    let out = why(&["https://localhost/staff/x", "--user", "bob"]);
    assert!(out.contains("decision    refused with 403"), "{out}");
    let out = why(&["https://localhost/open/"]);
    assert!(
        out.contains("passes without a session: the realm is open"),
        "{out}"
    );
    let out = why(&["https://localhost/nowhere"]);
    assert!(out.contains("decision    refused with 404"), "{out}");
}

const POLICIES: &str = r#"
[[domains]]
name = "intranet"
realms = [{ name = "asked", resource = "/asked" }]
rules = [
    { name = "use", realm = "asked" },
    { name = "send", realm = "asked", actions = ["POST"], effect = "deny" },
]
responses = [{ name = "who", header = "SM_WHO", attribute = "user_name" }]
[[domains.policies]]
name = "staff"
rules = ["use"]
groups = ["staff"]
networks = ["192.0.2.0/24"]
times = [{ from = "08:00", to = "18:00" }]
time_zone = "Europe/Berlin"
responses = ["who"]
on_reject_redirect = "/open/sorry"
[[domains.policies]]
name = "look only"
rules = ["send"]
"#;

#[test]
fn what_the_policy_server_decides_is_explained_from_its_files_and_over_https() {
    let world = World::new();
    world.write("policies.toml", POLICIES);
    world.write("admin.secret", "the administrators' very own secret");
    let policies = "\npolicies_file = \"policies.toml\"\n";
    let embedded = fs::read_to_string(world.path("embedded.toml")).unwrap();
    world.write("embedded.toml", &(embedded + policies));
    let asked = "[[realms]]\nname = \"asked\"\nresource = \"/asked\"\nupstream = \"origin\"\nauthorize = true\n";
    let file = world.write_agent(&format!("{asked}{EMBEDDED}"));

    let text = POLICY_SERVER
        .replace("PORT", "0")
        .replacen('\n', policies, 1);
    world.write(
        "remote.toml",
        &(text + "[admin]\nsecret_file = \"admin.secret\"\n"),
    );
    let server = Process::start(&["policy-server", "--config"], &world.path("remote.toml"));
    let url = format!("https://localhost:{}", server.address().port());

    let why = |remote: bool, arguments: &[&str]| {
        let mut command = doorward(&["why", "https://localhost/asked/x", "--config"]);
        command.arg(&file).args(arguments);
        if remote {
            command
                .args(["--url", &url, "--ca-file"])
                .arg(world.path("ca.crt"));
            command.arg("--secret-file").arg(world.path("admin.secret"));
        }
        run(&mut command)
    };
    let at = |time| ["--client", "192.0.2.7", "--at", time];
    let noon = at("2026-01-14T12:00:00+01:00");
    for remote in [false, true] {
        let why = |arguments: &[&str]| {
            let (code, out, err) = why(remote, arguments);
            assert_eq!((code, err.as_str()), (0, ""), "{out}");
            out
        };
        for (arguments, expected) in [
            (
                [&noon[..], &["--user", "ALICE"]].concat(),
                vec![
                    "user        alice in groups [staff]",
                    "server      realm asked",
                    "policy      intranet/staff: rule use (allow) applies",
                    "policy      intranet/look only: rule send (deny) is about other methods",
                    "response    header sm_who: alice",
                    "kept        300 s at most",
                    "decision    passes, with a session of level",
                ],
            ),
            (
                [&at("2026-01-14T17:59:50+01:00")[..], &["--user", "alice"]].concat(),
                vec!["kept        9 s at most", "decision    passes"],
            ),
            (
                [&at("2026-01-14T18:00:00+01:00")[..], &["--user", "alice"]].concat(),
                vec![
                    "rule use (allow) is for other times",
                    "decision    refused by the policy server, and led to /open/sorry",
                ],
            ),
            (
                [&noon[..], &["--user", "bob"]].concat(),
                vec!["rule use (allow) is for other groups"],
            ),
            (
                [&noon[..], &["--user", "alice", "--method", "POST"]].concat(),
                vec![
                    "rule send (deny) applies",
                    "decision    refused by the policy server with 403",
                ],
            ),
        ] {
            let out = why(&arguments);
            for line in expected {
                assert!(out.contains(line), "no {line:?} in\n{out}");
            }
        }
    }
    let (code, _, err) = why(true, &["--user", "nobody"]);
    assert_eq!(code, 1);
    assert!(err.contains("there is no user"), "{err}");
    // Said on the command line, nobody is looked up.
    let (code, out, _) = why(
        false,
        &[&noon[..], &["--user", "zoe", "--group", "staff"]].concat(),
    );
    assert!(
        code == 0 && out.contains("response    header sm_who: zoe"),
        "{out}"
    );

    world.write("policies.toml", "[[domain]]\n");
    let (code, _, err) = run(doorward(&["check"]).arg(&file));
    assert_eq!(code, 64);
    assert!(err.contains("policies.toml:1:3: "), "{err}");
}

#[test]
fn the_schema_is_json_and_the_reference_markdown() {
    let (code, out, err) = run(&mut doorward(&["schema"]));
    assert_eq!((code, err.as_str()), (0, ""));
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    for section in ["listeners", "policy_server", "realms", "upstreams"] {
        assert!(schema["properties"].get(section).is_some(), "no {section}");
    }
    let (code, out, _) = run(&mut doorward(&["schema", "--markdown"]));
    assert_eq!(code, 0);
    assert!(out.contains("outage_grace"), "{out}");
}

#[test]
fn a_hash_needs_a_password() {
    assert!(password_hash().starts_with("$argon2id$"));
    let (code, out, err) = hash_password("\n");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("doorward: the password is empty"), "{err}");
}

#[test]
fn the_demo_plays_its_story_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = run(doorward(&["demo", "--check", "--dir"]).arg(folder.path()));
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.ends_with("The whole story holds.\n"), "{out}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let nowhere = folder.path().join("missing");
    let (code, out, err) = run(doorward(&["demo", "--check", "--dir"]).arg(&nowhere));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.starts_with("doorward: cannot make the folder ") && err.lines().count() == 1,
        "{err}"
    );
}
