//! The story of the `vsphere` back end with govmomi's simulator. `tests/interop/vcsim.sh` gets it and runs this.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::gateway::Gateway;
use harness::{Pki, Protocol, SeenRequest};
use http::StatusCode;

use crate::support::{holding, refused};

const USER: &str = "operator";
const PASSWORD: &str = "only for this simulator";

/// The simulator. It ends when it is dropped.
struct Simulator {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Simulator {
    async fn start(pki: &Pki) -> Self {
        // It says nowhere which port it got: one that was free a moment ago is tried.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::start_at(port, pki).await
    }

    async fn start_at(port: u16, pki: &Pki) -> Self {
        let folder = tempfile::tempdir().unwrap();
        pki.server(&["localhost"]).write(folder.path(), "vcsim");
        let program = std::env::var("VCSIM").expect("VCSIM is not set: run tests/interop/vcsim.sh");
        let child = Command::new(program)
            .current_dir(folder.path())
            .args(["-l", &format!("127.0.0.1:{port}"), "-E", "/dev/null"])
            .args(["-username", USER, "-password", PASSWORD])
            .args(["-tlscert", "vcsim.crt", "-tlskey", "vcsim.key"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let simulator = Self {
            child,
            port,
            _folder: folder,
        };
        harness::eventually("the simulator listens", async || {
            let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            connected.is_ok().then_some(())
        })
        .await;
        simulator
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a simulator: tests/interop/vcsim.sh"]
async fn the_story_with_a_simulator() {
    let pki = Pki::default();
    let simulator = Simulator::start(&pki).await;
    let gateway = Gateway::setup()
        .pki(pki)
        .with("[[realms]]\nname = \"app\"\nvalidation_period = \"5m\"")
        .with_other_system(&format!(
            "[policy_server]\nkind = \"vsphere\"\nwire_form = \"rest\"\nurls = [\"https://localhost:{}\"]\n\
             ca_file = \"ca.crt\"\nagent_keys_file = \"agent-keys\"\nforeign_level = 5",
            simulator.port
        ))
        .start()
        .await;
    let client = gateway.client(Protocol::Http1);
    refused(&client.get("/app/").await);
    let wrong = client.submit_login("/app/", USER, "wrong").await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    let cookie = client.login("/app/", USER, PASSWORD).await;
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("SM_USER"), Some(USER));
    // Looked after when its time has come, and alive.
    gateway.clock.advance(Duration::from_mins(5));
    assert_eq!(client.get("/app/").await.status, 200);
    client.get("/doorward/logout").await;
    refused(
        &holding(&gateway, &cookie, Protocol::Http1)
            .get("/app/")
            .await,
    );

    // A simulator that is started anew knows none of its sessions: whoever had one logs in again.
    client.login("/app/", USER, PASSWORD).await;
    let port = simulator.port;
    drop(simulator);
    gateway.clock.advance(Duration::from_mins(5));
    let away = client.get("/app/").await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    let _anew = Simulator::start_at(port, &gateway.pki).await;
    harness::eventually("it is asked again", async || {
        let answer = client.get("/app/").await;
        (answer.status != StatusCode::SERVICE_UNAVAILABLE).then(|| refused(&answer))
    })
    .await;
    client.login("/app/", USER, PASSWORD).await;
    assert_eq!(client.get("/app/").await.status, 200);
}
