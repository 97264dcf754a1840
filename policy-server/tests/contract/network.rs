//! What holds of the way between agents and policy servers only.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use futures_util::StreamExt;
use policy_client::{PolicyCalls, PolicyError};
use policy_protocol::EventKind;
use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::ServiceExt;

use crate::harness::{ADMIN_SECRET, AGENT_SECRET, World};

const CALLS: [(&str, &str); 15] = [
    ("POST", "/policy/v1/is-protected"),
    ("POST", "/policy/v1/login"),
    ("POST", "/policy/v1/validate"),
    ("POST", "/policy/v1/authorize"),
    ("POST", "/policy/v1/logout"),
    ("GET", "/policy/v1/agent-keys"),
    ("GET", "/policy/v1/events"),
    ("GET", "/policy/v1/sessions"),
    ("DELETE", "/policy/v1/users/alice/sessions"),
    ("GET", "/policy/v1/keys"),
    ("POST", "/policy/v1/keys/roll"),
    ("GET", "/policy/v1/agents"),
    ("POST", "/policy/v1/agents"),
    ("DELETE", "/policy/v1/agents/gateway-1"),
    ("POST", "/policy/v1/agents/gateway-1/rotate"),
];

async fn send(
    world: &World,
    method: &str,
    path: &str,
    authorization: &[&str],
    body: Body,
) -> (u16, Vec<u8>) {
    let mut request = http::Request::builder().method(method).uri(path);
    for value in authorization {
        request = request.header("authorization", *value);
    }
    let response = world
        .server
        .router()
        .oneshot(request.body(body).unwrap())
        .await
        .unwrap();
    let status = response.status().as_u16();
    (
        status,
        to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap()
            .to_vec(),
    )
}

fn basic(pair: &str) -> String {
    use base64::Engine as _;
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

#[tokio::test]
async fn whoever_cannot_prove_who_they_are_learns_nothing() {
    let world = World::embedded().await;
    let good = basic(&format!("gateway-1:{AGENT_SECRET}"));
    let wrong = [
        vec![],
        vec![String::new()],
        vec![basic("gateway-1:wrong")],
        vec![basic("gateway-1:")],
        vec![basic("gateway-1")],
        vec![basic(&format!("gateway-2:{AGENT_SECRET}"))],
        vec![basic(&format!(":{AGENT_SECRET}"))],
        vec![String::from("Basic %%%")],
        vec![format!("Bearer {AGENT_SECRET}")],
        vec![good.clone(), good],
    ];
    for (method, path) in CALLS {
        for authorization in &wrong {
            let values: Vec<_> = authorization.iter().map(String::as_str).collect();
            let (status, body) = send(&world, method, path, &values, Body::from("{}")).await;
            assert_eq!(status, 401, "{path} {values:?}");
            assert_eq!(
                body,
                br#"{"type":"about:blank","title":"Unauthorized","status":401}"#
            );
        }
    }
}

#[tokio::test]
async fn agents_and_administrators_are_not_each_other() {
    let world = World::embedded().await;
    let agent = basic(&format!("gateway-1:{AGENT_SECRET}"));
    let admin = format!("Bearer {ADMIN_SECRET}");
    for (method, path) in CALLS {
        let for_admin = ["sessions", "/v1/keys", "/v1/agents"];
        let for_admin = for_admin.iter().any(|part| path.contains(part));
        let other = if for_admin { &agent } else { &admin };
        assert_eq!(
            send(&world, method, path, &[other], Body::empty()).await.0,
            401,
            "{path}"
        );
    }
    assert_eq!(
        send(
            &world,
            "GET",
            "/policy/v1/sessions",
            &[&admin],
            Body::empty()
        )
        .await
        .0,
        200
    );
    let keys = send(
        &world,
        "GET",
        "/policy/v1/agent-keys",
        &[&agent],
        Body::empty(),
    )
    .await;
    assert_eq!(keys.0, 200);
}

#[tokio::test]
async fn malformed_requests_are_refused_without_an_echo() {
    let world = World::embedded().await;
    let agent = basic(&format!("gateway-1:{AGENT_SECRET}"));
    let big = "x".repeat(64 * 1024 + 1);
    for (method, path, body, expected) in [
        ("POST", "/policy/v1/login", "{\"password\":\"hunter2\"", 400),
        ("POST", "/policy/v1/login", "hunter2", 400),
        ("POST", "/policy/v1/login", big.as_str(), 413),
        ("GET", "/policy/v1/login", "", 405),
        (
            "GET",
            "/policy/v1/events?sequence=-1&instance=hunter2",
            "",
            400,
        ),
        ("GET", "/policy/v1/hunter2", "", 404),
        ("GET", "/", "", 404),
    ] {
        let (status, answer) =
            send(&world, method, path, &[&agent], Body::from(body.to_owned())).await;
        assert_eq!(status, expected, "{method} {path}");
        assert!(!String::from_utf8(answer).unwrap().contains("hunter2"));
    }
    assert_eq!(
        send(&world, "GET", "/policy/v1/live", &[], Body::empty())
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn a_wrong_secret_is_a_failure_and_never_an_answer() {
    let world = World::remote().await;
    let client = world.client(vec![world.url()], "the secret of somebody else");
    assert_eq!(client.agent_keys().await, Err(PolicyError::Failure));
    assert!(matches!(
        client.events(None).await,
        Err(PolicyError::Failure)
    ));
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_cannot_be_reached() {
    let world = World::remote().await;
    let nowhere = String::from("https://localhost:1");
    let client = world.client(vec![nowhere.clone(), world.url()], AGENT_SECRET);
    for _ in 0..3 {
        client.agent_keys().await.unwrap();
    }
    let client = world.client(vec![nowhere], AGENT_SECRET);
    assert_eq!(client.agent_keys().await, Err(PolicyError::NoConnection));
}

#[tokio::test]
async fn a_server_with_an_unknown_certificate_is_no_server() {
    let world = World::remote().await;
    let other = World::remote().await;
    let client = other.client(vec![world.url()], AGENT_SECRET);
    assert_eq!(client.agent_keys().await, Err(PolicyError::NoConnection));
}

#[tokio::test]
async fn stopping_ends_event_streams_and_then_nothing_answers() {
    let mut world = World::remote().await;
    let mut stream = world.calls.events(None).await.unwrap();
    let hello = stream.next().await.unwrap().unwrap();
    assert_eq!(hello.kind, EventKind::Hello { gap: true });
    world.stop().await;
    while let Some(Ok(_)) = stream.next().await {}
    assert_eq!(
        world.calls.agent_keys().await,
        Err(PolicyError::NoConnection)
    );
}

/// TLS that trusts the certificate of a policy server.
pub(crate) fn trusting(world: &World) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    let file = world.dir.path().join("cert.pem");
    roots
        .add(CertificateDer::from_pem_file(file).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
}

/// A connection that offers `protocols`.
/// The handshake of such a connection may take ten seconds.
#[tokio::test]
async fn who_has_not_said_hello_keeps_no_server_from_stopping() {
    let mut world = World::remote().await;
    let url = world.url();
    let address = url.trim_start_matches("https://");
    let silent = TcpStream::connect(address).await.unwrap();
    // One that is accepted after it has been answered.
    live_over(&world, &[]).await;
    let stopped = tokio::time::timeout(Duration::from_secs(8), world.stop()).await;
    stopped.expect("it does not wait for the handshake");
    drop(silent);
}

pub(crate) async fn connect(world: &World, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut config = trusting(world).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let address = world.url().replace("https://", "");
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

async fn live_over(world: &World, protocols: &[&[u8]]) -> (Option<Vec<u8>>, String) {
    let mut stream = connect(world, protocols).await;
    let chosen = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    let head = "GET /policy/v1/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    (chosen, String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn http_1_1_is_served_to_those_who_want_no_other() {
    let world = World::remote().await;
    for protocols in [vec![], vec![&b"http/1.1"[..]]] {
        let (_, answer) = live_over(&world, &protocols).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    let (chosen, answer) = live_over(&world, &[b"http/1.1", b"h2"]).await;
    assert_eq!(chosen.unwrap(), b"h2", "is preferred");
    assert!(!answer.contains("200 OK"), "HTTP/1.1 is nonsense there");
}
