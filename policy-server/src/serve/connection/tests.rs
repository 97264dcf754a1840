use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_protocol::SystemClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

use super::*;
use crate::{PolicyServer, PolicyServerConfig};

const SECRET: &str = "the secret of gateway-1";
/// What a client says first (RFC 9113, section 3.4): the preface and empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

async fn server(dir: &Path) -> Arc<PolicyServer> {
    std::fs::write(dir.join("users"), "").unwrap();
    std::fs::write(dir.join("secret"), SECRET).unwrap();
    let text = r#"
        state_dir = "state"
        users_file = "users"
        [[agents]]
        name = "gateway-1"
        secret_file = "secret"
        [admin]
        secret_file = "secret"
        [audit]
        file = "audit"
    "#;
    let config = PolicyServerConfig::parse(text, "test", dir).unwrap();
    PolicyServer::open(config, Arc::new(SystemClock))
        .await
        .unwrap()
}

/// A connection to a server that is not told to stop.
fn connect(server: &Arc<PolicyServer>, is_http2: bool) -> (DuplexStream, watch::Sender<bool>) {
    let (client, stream) = tokio::io::duplex(64 * 1024);
    let (stopping, stop) = watch::channel(false);
    let peer = Peer {
        address: ([127, 0, 0, 1], 1).into(),
        certificate: None,
    };
    tokio::spawn(serve(stream, peer, is_http2, server.router(), stop));
    (client, stopping)
}

fn get(path: &str, authorization: &str) -> String {
    format!(
        "GET /policy/v1/{path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {authorization}\r\n\r\n"
    )
}

/// The status of the next answer. Store and audit are threads, which the paused clock would not wait for: it stands as
/// long as there is something to do here.
async fn status(client: &mut DuplexStream) -> String {
    let mut answer = vec![0; 16 * 1024];
    let length = tokio::select! {
        biased;
        length = client.read(&mut answer) => length.unwrap(),
        () = async { loop { tokio::task::yield_now().await } } => unreachable!(),
    };
    String::from_utf8_lossy(&answer[9..length.min(12)]).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nobody_proves_who_they_are_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path()).await;
    let live = get("live", "");
    let refused = get("agent-keys", "Basic Z2F0ZXdheS0xOndyb25n");
    for (is_http2, said) in [
        (true, PREFACE),
        (false, live.as_bytes()),
        (false, refused.as_bytes()),
    ] {
        let (mut client, _stopping) = connect(&server, is_http2);
        client.write_all(said).await.unwrap();
        let start = Instant::now();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        // The clock moves only when nothing else is left to do.
        assert!(start.elapsed() <= UNPROVEN_TIMEOUT + STOP_TIMEOUT + Duration::from_millis(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_an_agent_or_administrator_may_stay() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path()).await;
    let agent = format!("Basic {}", STANDARD.encode(format!("gateway-1:{SECRET}")));
    let administrator = format!("Bearer {SECRET}");
    for proof in [get("agent-keys", &agent), get("sessions", &administrator)] {
        let (mut client, _stopping) = connect(&server, false);
        for _ in 0..3 {
            client.write_all(proof.as_bytes()).await.unwrap();
            assert_eq!(status(&mut client).await, "200");
            sleep(2 * (UNPROVEN_TIMEOUT + STOP_TIMEOUT)).await;
        }
    }
}
