//! Clients that were written for other systems, unchanged, against one listener that offers all three services.
//! `tests/interop/clients.sh` installs them and runs this.
//!
//! A client says on its standard output what it leaves: `open` or `ended` with a token, and `beyond` with what it asks for
//! that no session service has.

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use harness::gateway::{Gateway, HOST, PASSWORD};
use harness::{Protocol, SeenRequest};
use tokio::process::Command;

use crate::support::{holding, refused};

/// `alice` administers, `bob` asks for others.
const SERVICES: &str = r#"
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "server.crt", key_file = "server.key" }]
[listeners.services]
authaz = { apps = { app = "app.test" }, callers = ["127.0.0.0/8"] }
am = { path = "/am", realm = "app", properties = ["AuthLevel"], policy_evaluators = ["everyone"] }
vsphere = { realm = "app" }
"#;

/// Much longer than any client takes, and shorter than anybody waits.
const PATIENCE: Duration = Duration::from_mins(2);

async fn run(gateway: &Gateway, client: &str) -> Output {
    let folder = std::env::var("DOORWARD_CLIENTS")
        .expect("DOORWARD_CLIENTS is not set: run tests/interop/clients.sh");
    let ca = gateway.folder.path().join("ca.crt");
    let mut command = Command::new(PathBuf::from(folder).join(client));
    command
        .env(
            "DOORWARD_URL",
            format!("https://localhost:{}", gateway.address().port()),
        )
        .env("DOORWARD_USER", "alice")
        .env("DOORWARD_AGENT", "bob")
        .env("DOORWARD_PASSWORD", PASSWORD)
        .env("NO_PROXY", "localhost,127.0.0.1")
        .kill_on_drop(true);
    // How each is told whom to trust.
    for name in [
        "DOORWARD_CA",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
    ] {
        command.env(name, &ca);
    }
    let output = tokio::time::timeout(PATIENCE, command.output());
    output.await.expect("it ends").expect("it starts")
}

/// Plays a client's story, and looks at what it leaves at the gateway.
async fn play(client: &str) {
    let gateway = Gateway::setup()
        .with(SERVICES)
        .with_policy("[sessions]\nadministrators = [\"staff\"]")
        .start()
        .await;
    let output = run(&gateway, client).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{client}: {}\n{told}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let (mut open, mut ended) = (0, 0);
    for line in told.lines() {
        let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
        match what {
            "open" => {
                let answer = holding(&gateway, rest, Protocol::Http2).get("/app/").await;
                let seen: SeenRequest = answer.json();
                assert_eq!(seen.header("SM_USER"), Some("alice"));
                assert_eq!(seen.header("host"), Some(HOST));
                open += 1;
            }
            "ended" => {
                refused(&holding(&gateway, rest, Protocol::Http2).get("/app/").await);
                ended += 1;
            }
            "beyond" => println!("{client}: not a matter of sessions: {rest}"),
            _ => panic!("{client}: {line}"),
        }
    }
    assert!(open > 0, "{client} has left no session: {told}");
    println!("{client}: works; {ended} of its sessions have ended, {open} opens the application");
}

macro_rules! clients {
    ($($client:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        #[ignore = "needs real clients: tests/interop/clients.sh"]
        async fn $client() {
            play(stringify!($client)).await;
        }
    )*};
}

clients! {
    authaz_java
    authaz_rest
    authaz_soap
    frodo
    govmomi
    javascript_sdk
    openam_agent
    vsphere_python
}
