//! Client certificates: verified by TLS, mapped to a user by the policy server.

use std::sync::Arc;

use harness::gateway::{Gateway, HOST};
use harness::{Client, Leaf, Pki, Protocol, RawClient, SeenRequest};

use crate::support::get;

const CONFIG: &str = r#"
[[listeners]]
address = "127.0.0.1:0"
[listeners.tls]
certificates = [{ cert_file = "server.crt", key_file = "server.key" }]
client_ca_file = "ca.crt"
client_certificate = "optional"

[[realms]]
name = "certified"
resource = "/certified"
upstream = "origin"
scheme = "certificate"
"#;

fn client(gateway: &Gateway, protocol: Protocol, leaf: Option<&Leaf>) -> Client {
    Client::new(
        gateway.address(),
        HOST,
        protocol,
        Some(gateway.pki.client_config(&[], leaf)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_certificate_opens_the_realm() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let alice = gateway.pki.client("alice");
    for protocol in Protocol::BOTH {
        let answer = client(&gateway, protocol, Some(&alice))
            .get("/certified/")
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen: SeenRequest = answer.json();
        assert_eq!(seen.header("SM_USER"), Some("alice"));
        assert_eq!(seen.header("SM_AUTHTYPE"), Some("X509"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_certificate_and_an_unregistered_one_do_not() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let stranger = gateway.pki.client("mallory");
    for leaf in [None, Some(&stranger)] {
        let client = client(&gateway, Protocol::Http1, leaf);
        let status = client.get("/certified/").await.status;
        assert!(matches!(status.as_u16(), 401 | 403), "{status}");
        assert_eq!(
            client.get("/open/").await.status,
            200,
            "a certificate is optional here"
        );
    }
    assert_eq!(gateway.origin.count_of("/certified"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_fails_the_handshake() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let forged = Pki::new("Test CA").client("alice");
    let config = Arc::new(gateway.pki.client_config(&["http/1.1"], Some(&forged)));
    let Ok(mut raw) = RawClient::try_connect(gateway.address(), HOST, &config).await else {
        return;
    };
    // In TLS 1.3 the client learns of the refusal with its first read.
    raw.send(get("/open/", &[])).await;
    assert_eq!(raw.response().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_certificate_is_required_nobody_gets_in_without() {
    let gateway = Gateway::setup()
        .with(&CONFIG.replace("\"optional\"", "\"required\""))
        .start()
        .await;
    if let Ok(mut raw) = RawClient::try_connect(gateway.address(), HOST, &gateway.tls()).await {
        raw.send(get("/open/", &[])).await;
        assert_eq!(raw.response().await, None);
    }
    let alice = gateway.pki.client("alice");
    assert_eq!(
        client(&gateway, Protocol::Http2, Some(&alice))
            .get("/open/")
            .await
            .status,
        200
    );
    assert_eq!(gateway.origin.requests().len(), 1);
}

/// Identity headers that an application might take for a certificate's are ours to set.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_cannot_be_claimed_in_a_header() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    for header in [
        "X-SSL-Client-Cert: x",
        "SSL_CLIENT_S_DN: CN=alice",
        "X-Client-Cert: x",
        "Client-Cert: :x:",
    ] {
        let answer = gateway.raw().await.ask(get("/certified/", &[header])).await;
        assert!(
            matches!(answer.status, 401 | 403),
            "{header}: {}",
            answer.status
        );
    }
    assert_eq!(gateway.origin.bytes_seen(), 0);
}
