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

/// What becomes of a request with this certificate.
async fn ask(gateway: &Gateway, leaf: &Leaf) -> Option<u16> {
    let config = Arc::new(gateway.pki.client_config(&["http/1.1"], Some(leaf)));
    let mut raw = RawClient::try_connect(gateway.address(), HOST, &config)
        .await
        .ok()?;
    // In TLS 1.3 the client learns of the refusal with its first read.
    raw.send(get("/certified/", &[])).await;
    raw.response().await.map(|response| response.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_fails_the_handshake_from_when_it_is_listed() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let [alice, other] = [(); 2].map(|()| gateway.pki.client("alice"));
    let listed = CONFIG.replace("client_ca_file", "crl_files = [\"ca.crl\"]\nclient_ca_file");
    for (revoked, until, [alices, others]) in [
        (&[&other][..], 2999, [Some(200), None]),
        (&[&alice], 2999, [None, Some(200)]),
        // A list that is too old says nothing of anybody.
        (&[], 2021, [None, None]),
        (&[], 2999, [Some(200), Some(200)]),
    ] {
        let list = gateway.pki.revocation_list(revoked, until);
        std::fs::write(gateway.folder.path().join("ca.crl"), list).unwrap();
        gateway.reload(&listed).await.unwrap();
        assert_eq!(ask(&gateway, &alice).await, alices, "{until}");
        assert_eq!(ask(&gateway, &other).await, others, "{until}");
    }
    assert_eq!(
        client(&gateway, Protocol::Http2, None)
            .get("/open/")
            .await
            .status,
        200
    );
}

/// Otherwise who keeps a connection busy goes on logging in with a revoked certificate.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_connection_does_not_outlive_the_trust_in_its_certificate() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let [alice, other] = [(); 2].map(|()| gateway.pki.client("alice"));
    let config = Arc::new(gateway.pki.client_config(&["http/1.1"], Some(&alice)));
    let mut certified = RawClient::connect(gateway.address(), HOST, &config).await;
    let mut without = gateway.raw().await;
    let request = get("/certified/", &[]);
    assert_eq!(certified.ask(&request).await.status, 200);
    assert_eq!(without.ask(get("/open/", &[])).await.status, 200);
    // Nothing that certificates are verified with has changed.
    gateway.reload(CONFIG).await.unwrap();
    assert_eq!(certified.ask(&request).await.status, 200);
    // Whom the list names does not matter: who is on it is found out by a new handshake.
    let list = gateway.pki.revocation_list(&[&other], 2999);
    std::fs::write(gateway.folder.path().join("ca.crl"), list).unwrap();
    let listed = CONFIG.replace("client_ca_file", "crl_files = [\"ca.crl\"]\nclient_ca_file");
    gateway.reload(&listed).await.unwrap();
    certified.send(&request).await;
    // It may be closed before it takes the request.
    let status = certified.response().await.map(|response| response.status);
    assert!(matches!(status, None | Some(403)), "{status:?}");
    assert_eq!(certified.response().await, None, "closed");
    assert_eq!(without.ask(get("/open/", &[])).await.status, 200);
    assert_eq!(ask(&gateway, &alice).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_no_list_speaks_of_is_refused_unless_allowed() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let alice = gateway.pki.client("alice");
    // The list of another authority.
    let list = Pki::new("Other CA").revocation_list(&[], 2999);
    std::fs::write(gateway.folder.path().join("other.crl"), list).unwrap();
    for (allow, status) in [(false, None), (true, Some(200))] {
        let keys =
            format!("crl_files = [\"other.crl\"]\ncrl_allow_unknown = {allow}\nclient_ca_file");
        gateway
            .reload(&CONFIG.replace("client_ca_file", &keys))
            .await
            .unwrap();
        assert_eq!(ask(&gateway, &alice).await, status, "{allow}");
    }
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
