//! `doorward policy-server` as a process, and the commands that administer it.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use policy_client::PolicyCalls;
use policy_client::ServerList;
use policy_client::native::{NativeClient, NativeSettings};
use policy_protocol::message::{Credentials, LoginAnswer, LoginRequest};
use policy_protocol::{AuthScheme, ProtectionLevel, RealmContext, ResourceContext, Secret};
use serde_json::Value;
use tempfile::TempDir;

const PASSWORD: &str = "correct horse";
const SECRET: &str = "a secret that is long enough";
/// A generous end to all waiting: only a test that has failed reaches it.
const DEADLINE: Duration = Duration::from_secs(60);

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
struct World {
    folder: TempDir,
    child: Child,
}

impl World {
    fn start() -> Self {
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
        write("policy-server.toml", CONFIG);
        let child = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args(["policy-server", "--config"])
            .arg(folder.path().join("policy-server.toml"))
            .stdout(File::create(folder.path().join("audit.jsonl")).unwrap())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { folder, child }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    async fn url(&self) -> String {
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

    async fn client(&self) -> NativeClient {
        NativeClient::new(&NativeSettings {
            servers: ServerList::in_order(vec![self.url().await]),
            ca_file: Some(self.folder.path().join("cert.pem")),
            agent_name: String::from("agent-1"),
            agent_secret: Some(Secret::new(String::from(SECRET))),
            client_certificate: None,
            timeout: Duration::from_secs(20),
        })
        .unwrap()
    }

    async fn sessions(&self, arguments: &[&str]) -> Output {
        let url = self.url().await;
        let file = |name: &str| self.folder.path().join(name);
        Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args(["sessions", "--url", &url, "--ca-file"])
            .arg(file("cert.pem"))
            .arg("--secret-file")
            .arg(file("secret"))
            .args(arguments)
            .output()
            .unwrap()
    }
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

fn login(user: &str, password: &str, transaction_id: String) -> LoginRequest {
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

async fn log_in(client: &NativeClient, user: &str) {
    let answer = client
        .login(login(user, PASSWORD, String::from("t")))
        .await
        .unwrap();
    assert!(matches!(answer, LoginAnswer::Yes { .. }), "{answer:?}");
}

fn records(text: &str) -> Vec<Value> {
    // A kill may cut the last line, which nobody was told of.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn what_anybody_was_told_is_in_the_audit_after_a_kill() {
    let mut world = World::start();
    let client = Arc::new(world.client().await);
    let told = Arc::new(Mutex::new(BTreeSet::new()));
    let load = (0..16).map(|caller| {
        let (client, told) = (Arc::clone(&client), Arc::clone(&told));
        tokio::spawn(async move {
            for number in 0.. {
                let id = format!("{caller}-{number}");
                let password = if number % 3 == 0 { "wrong" } else { PASSWORD };
                if client
                    .login(login("alice", password, id.clone()))
                    .await
                    .is_err()
                {
                    return;
                }
                told.lock().unwrap().insert(id);
            }
        })
    });
    let load: Vec<_> = load.collect();
    let start = Instant::now();
    while told.lock().unwrap().len() < 100 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.child.kill().unwrap();
    world.child.wait().unwrap();
    for caller in load {
        caller.await.unwrap();
    }
    let records = records(&world.read("audit.jsonl"));
    let recorded: BTreeSet<_> = records
        .iter()
        .map(|record| record["transaction_id"].as_str().unwrap().to_owned())
        .collect();
    let told = told.lock().unwrap();
    let lost: Vec<_> = told.difference(&recorded).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(records.iter().all(|record| record["server"] == "ps-1"));
}

#[tokio::test]
async fn sessions_are_listed_by_pages_and_ended_by_command() {
    let world = World::start();
    let client = world.client().await;
    for _ in 0..102 {
        log_in(&client, "alice").await;
    }
    log_in(&client, "bob").await;

    let listed = world.sessions(&["list", "--json"]).await;
    assert!(listed.status.success(), "{listed:?}");
    let sessions = records(&String::from_utf8(listed.stdout).unwrap());
    let ids: BTreeSet<_> = sessions
        .iter()
        .map(|session| session["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 103, "two pages, every session once");
    assert!(
        sessions.is_sorted_by_key(|session| std::cmp::Reverse(session["started"].as_u64())),
        "the newest first"
    );
    let of_bob = |session: &&Value| session["identity"]["user_name"] == "bob";
    let bob = sessions.iter().find(of_bob).unwrap();
    for (arguments, count) in [
        (&["--user", "bob"][..], 1),
        (
            &["--agent", "agent-1", "--realm", "app", "--newer-than", "1h"],
            103,
        ),
        (&["--older-than", "1h"], 0),
        (&["--agent", "agent-2"], 0),
    ] {
        let listed = world.sessions(&[&["list"], arguments].concat()).await;
        let text = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(text.lines().count(), 1 + count, "{arguments:?}");
    }

    let id = bob["id"].as_str().unwrap();
    let shown = world.sessions(&["show", "--", id]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(
        (&shown["id"], &shown["limits"]["because"]),
        (&id.into(), &42.into())
    );

    // Not by leaving something out, nor together with something else.
    for arguments in [
        &["--all"][..],
        &["--yes"],
        &[],
        &["--all", "--yes", "--user", "bob"],
    ] {
        let refused = world.sessions(&[&["revoke"], arguments].concat()).await;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
    }
    assert!(world.sessions(&["revoke", "--", id]).await.status.success());
    let gone = world.sessions(&["show", "--", id]).await;
    assert!(!gone.status.success());
    assert!(
        world
            .sessions(&["revoke", "--all", "--yes"])
            .await
            .status
            .success()
    );
    let listed = world.sessions(&["list", "--json"]).await;
    assert!(listed.stdout.is_empty(), "{listed:?}");
    let acts: Vec<_> = records(&world.read("audit.jsonl"))
        .into_iter()
        .filter(|record| record["event"] == "AdminLogin")
        .map(|record| record["action"].as_str().unwrap().to_owned())
        .collect();
    assert!(acts.contains(&String::from("revoke-all")), "{acts:?}");
}

#[tokio::test]
async fn a_session_is_used_and_noted_about_by_command() {
    let world = World::start();
    log_in(&world.client().await, "alice").await;
    let listed = world.sessions(&["list", "--json"]).await;
    let session: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = session["id"].as_str().unwrap();
    let ask = async |arguments: &[&str]| {
        let output = world.sessions(&[arguments, &["--", id]].concat()).await;
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), answer)
    };
    let (code, used) = ask(&["reset-idle"]).await;
    assert_eq!((code, &used["id"]), (Some(0), &session["id"]));
    assert!(used["last_access"].as_u64() >= session["last_access"].as_u64());
    let done = |properties| (Some(0), properties);
    let set = ["properties", "--set", "note=a=b", "--set", "ticket=7"];
    let both = serde_json::json!({"note": "a=b", "ticket": "7"});
    assert_eq!(ask(&set).await, done(both));
    let change = ["properties", "--remove", "note", "--set", "ticket="];
    let one = serde_json::json!({"ticket": ""});
    assert_eq!(ask(&change).await, done(one.clone()));
    for (refused, code) in [
        (&["properties", "--set", "other=1"][..], 1),
        (&["properties", "--set", "note=1", "--remove", "note"], 1),
        (&["properties", "--set", "note"], 2),
    ] {
        assert_eq!(ask(refused).await.0, Some(code), "{refused:?}");
    }
    assert_eq!(ask(&["properties"]).await, done(one));
    assert_eq!(ask(&["revoke"]).await.0, Some(0));
    assert_eq!(ask(&["reset-idle"]).await.0, Some(1));
    assert_eq!(ask(&["properties"]).await.0, Some(1));
}

#[test]
fn the_openapi_document_is_printed() {
    let printed = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(["schema", "--openapi"])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference/openapi.json");
    let committed: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(document == committed, "the committed document is another");
}
