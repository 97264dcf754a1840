//! R3: what a client says of itself is not believed; what a listed proxy says is.

use harness::gateway::Gateway;
use harness::policy_watch::Call;
use harness::{Protocol, RawClient, SeenRequest};
use http::Method;

use crate::support::{get, logged_in};

async fn ask(gateway: &Gateway, target: &str, lines: &[&str]) -> SeenRequest {
    let answer = gateway.raw().await.ask(get(target, lines)).await;
    assert_eq!(answer.status, 200);
    serde_json::from_slice(&answer.body).unwrap()
}

const CLAIMS: [&str; 5] = [
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: evil.test",
    "Forwarded: for=203.0.113.9;proto=http;host=evil.test",
    "X-Real-IP: 203.0.113.9",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_believed() {
    let gateway = Gateway::start().await;
    let seen = ask(&gateway, "/open/", &CLAIMS).await;
    assert_eq!(seen.header("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!(seen.header("X-Forwarded-Proto"), Some("https"));
    assert_eq!(seen.header("X-Forwarded-Host"), Some("app.test"));
    assert_eq!(seen.header("X-Real-IP"), None);
    assert!(
        !seen
            .header("Forwarded")
            .unwrap_or_default()
            .contains("203.0.113.9")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_proxy_is_believed_about_the_address_and_nothing_more() {
    let gateway = Gateway::setup()
        .with("trusted_proxies = [\"127.0.0.0/8\"]")
        .start()
        .await;
    let seen = ask(&gateway, "/open/", &CLAIMS).await;
    assert_eq!(
        seen.header("X-Forwarded-For"),
        Some("203.0.113.9, 127.0.0.1")
    );
    assert_eq!(seen.header("X-Forwarded-Host"), Some("app.test"));
    assert_eq!(seen.header("X-Real-IP"), None);
    let seen = ask(
        &gateway,
        "/open/",
        &["X-Forwarded-For: 198.51.100.7, 203.0.113.9"],
    )
    .await;
    assert_eq!(
        seen.header("X-Forwarded-For"),
        Some("198.51.100.7, 203.0.113.9, 127.0.0.1")
    );
}

/// What counts is the nearest address that is no proxy of ours: everything before it may be invented.
#[tokio::test(flavor = "multi_thread")]
async fn rules_about_networks_use_the_address_that_can_be_believed() {
    let rules = r#"
[[realms]]
name = "app"
rules = [{ name = "inside", effect = "allow", networks = ["203.0.113.0/24"] }]
"#;
    let open = Gateway::setup().with(rules).start().await;
    let (client, _) = logged_in_elsewhere(&open).await;
    let request = || client.request(Method::GET, "/app/");
    let forged = client
        .send(
            request()
                .header("x-forwarded-for", "203.0.113.9")
                .body(harness::client::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(forged.status, 403, "a stranger");

    let trusting = Gateway::setup()
        .with(rules)
        .with("trusted_proxies = [\"127.0.0.0/8\"]")
        .start()
        .await;
    let (client, _) = logged_in_elsewhere(&trusting).await;
    for (chain, expected) in [
        ("203.0.113.9", 200),
        ("198.51.100.7, 203.0.113.9", 200),
        ("203.0.113.9, 198.51.100.7", 403),
    ] {
        let request = client
            .request(Method::GET, "/app/")
            .header("x-forwarded-for", chain);
        assert_eq!(
            client
                .send(request.body(harness::client::empty()).unwrap())
                .await
                .status,
            expected,
            "{chain}"
        );
    }
}

async fn logged_in_elsewhere(gateway: &Gateway) -> (harness::Client, String) {
    let client = gateway.client(Protocol::Http1);
    let cookie = client
        .login("/stored/", "alice", harness::gateway::PASSWORD)
        .await;
    (client, cookie)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_bound_to_an_address_is_refused_from_another() {
    let gateway = Gateway::setup()
        .with("trusted_proxies = [\"127.0.0.0/8\"]\nsession.check_client_address = true")
        .start()
        .await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    assert_eq!(client.get("/app/").await.status, 200);
    let request = client
        .request(Method::GET, "/app/")
        .header("x-forwarded-for", "203.0.113.9");
    let answer = client
        .send(request.body(harness::client::empty()).unwrap())
        .await;
    assert_eq!(
        crate::support::refused(&answer),
        policy_protocol::Reason::INVALID_SESSION_IP
    );
    let fresh = gateway.beside("").await;
    let stolen = crate::support::holding(&fresh, &cookie, Protocol::Http1);
    let request = stolen
        .request(Method::GET, "/app/")
        .header("x-forwarded-for", "203.0.113.9");
    crate::support::refused(
        &stolen
            .send(request.body(harness::client::empty()).unwrap())
            .await,
    );
}

/// Users change networks. Unless sessions are bound to an address, nobody holds that against them, the
/// policy server in its decisions included.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_bound_moves_to_another_address_and_is_authorized_there() {
    let gateway = Gateway::setup()
        .with("trusted_proxies = [\"127.0.0.0/8\"]\n[[realms]]\nname = \"app\"\nauthorize = true")
        .with_policies(
            "[[domains]]
             name = 'app'
             realms = [{ name = 'app', resource = '/app' }]
             rules = [{ name = 'use', realm = 'app' }]
             [[domains.policies]]
             name = 'staff'
             rules = ['use']
             groups = ['staff']",
        )
        .start()
        .await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let fresh = gateway.beside("").await;
    let elsewhere = crate::support::holding(&fresh, &cookie, Protocol::Http1);
    for client in [client, elsewhere] {
        for address in ["203.0.113.9", "2001:db8::9"] {
            let request = client
                .request(Method::GET, "/app/")
                .header("x-forwarded-for", address);
            let answer = client
                .send(request.body(harness::client::empty()).unwrap())
                .await;
            assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        }
    }
    assert_eq!(gateway.policy.count(Call::Authorize), 4);
}

const PROXY_V1: &[u8] = b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n";

/// `PROXY protocol`, version 2: signature, version and command, IPv4 over TCP, 12 bytes of addresses.
fn proxy_v2() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([203, 0, 113, 9, 127, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb]);
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_line_is_believed_from_a_listed_network_only() {
    let tls = "tls.certificates = [{ cert_file = \"server.crt\", key_file = \"server.key\" }]";
    let listed = Gateway::setup()
        .with(&format!("[[listeners]]\naddress = \"127.0.0.1:0\"\nproxy_protocol_from = [\"127.0.0.0/8\"]\n{tls}"))
        .start()
        .await;
    for preface in [PROXY_V1.to_vec(), proxy_v2()] {
        let mut raw =
            RawClient::connect_with_preface(listed.address(), &preface, "app.test", &listed.tls())
                .await
                .expect("a connection");
        let answer = raw.ask(get("/open/", &[])).await;
        let seen: SeenRequest = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(seen.header("X-Forwarded-For"), Some("203.0.113.9"));
    }
    let without = RawClient::try_connect(listed.address(), "app.test", &listed.tls()).await;
    assert!(without.is_err(), "a listed peer must send one");
    for bad in [
        &b"PROXY TCP4 203.0.113.9\r\n"[..],
        b"PROXY UNKNOWN",
        &[b'P'; 300],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        assert!(
            RawClient::connect_with_preface(listed.address(), bad, "app.test", &listed.tls())
                .await
                .is_err()
        );
    }

    let open = Gateway::start().await;
    for preface in [PROXY_V1.to_vec(), proxy_v2()] {
        let refused =
            RawClient::connect_with_preface(open.address(), &preface, "app.test", &open.tls())
                .await;
        assert!(refused.is_err(), "nobody is listed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_listener_that_redirects_does_nothing_else() {
    let gateway = Gateway::setup()
        .with(
            "[[listeners]]\naddress = \"127.0.0.1:0\"\n\
             tls.certificates = [{ cert_file = \"server.crt\", key_file = \"server.key\" }]\n\
             [[listeners]]\naddress = \"127.0.0.1:0\"\nredirect_to_https = 8443",
        )
        .start()
        .await;
    let mut raw = RawClient::connect_plain(gateway.addresses()[1]).await;
    for target in ["/open/x?y=1", "/app/", "/doorward/login", "/nowhere"] {
        let answer = raw.ask(get(target, &[])).await;
        assert!(
            matches!(answer.status, 301 | 302 | 307 | 308),
            "{target}: {}",
            answer.status
        );
        assert_eq!(
            answer.header("location"),
            Some(format!("https://app.test:8443{target}").as_str())
        );
    }
    let evil = raw
        .ask("GET /x HTTP/1.1\r\nHost: app.test@evil.test\r\n\r\n")
        .await;
    assert_eq!(evil.status, 400);
    assert_eq!(gateway.origin.bytes_seen(), 0);
}
