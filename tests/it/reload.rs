//! A new configuration is swapped in without dropping a connection; a bad one changes nothing.

use harness::gateway::Gateway;
use harness::{Protocol, RawClient, eventually, within};
use http_body_util::BodyExt;

use crate::support::{get, logged_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_good_configuration_is_in_force_on_connections_that_live_on() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    assert_eq!(raw.ask(get("/new/", &[])).await.status, 404);
    let address = gateway.address();
    let patch =
        "[[realms]]\nname = \"new\"\nresource = \"/new\"\nupstream = \"origin\"\nscheme = \"none\"";
    gateway.reload(patch).await.unwrap();
    assert_eq!(
        raw.ask(get("/new/", &[])).await.status,
        200,
        "the same connection"
    );
    assert_eq!(gateway.address(), address);
    assert_eq!(
        gateway.client(Protocol::Http2).get("/new/").await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_streams_outlive_a_reload() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let (client, _) = logged_in(&gateway, "alice", protocol).await;
        let request = client
            .request(http::Method::GET, "/app/?do=slow-body")
            .body(harness::client::empty())
            .unwrap();
        let streaming = client.start(request).await.into_body();
        gateway
            .reload("session.grace_period = \"31s\"")
            .await
            .unwrap();
        let validations = gateway.policy.count(harness::policy_watch::Call::Validate);
        assert_eq!(client.get("/app/").await.status, 200);
        assert_eq!(
            gateway.policy.count(harness::policy_watch::Call::Validate),
            validations,
            "the cache was kept"
        );
        gateway.origin.release(1);
        assert_eq!(
            within("the stream", streaming.collect())
                .await
                .unwrap()
                .to_bytes(),
            "firstlast"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_reported_and_ignored() {
    let gateway = Gateway::start().await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for bad in [
        "[[realms]]\nname = \"app\"\nupstream = \"missing\"",
        "session.cache_size = \"banana\"",
        "[[listeners]]\naddress = \"127.0.0.1:0\"\ntls.certificates = [{ cert_file = \"gone.crt\", key_file = \"gone.key\" }]",
    ] {
        assert!(gateway.reload(bad).await.is_err(), "{bad}");
        assert_eq!(client.get("/app/").await.status, 200);
        assert_eq!(
            gateway.client(Protocol::Http2).get("/open/").await.status,
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reload_takes_away_is_gone_for_cached_sessions_too() {
    let gateway = Gateway::start().await;
    let (client, _) = logged_in(&gateway, "bob", Protocol::Http1).await;
    assert_eq!(client.get("/app/").await.status, 200);
    gateway.reload("[[realms]]\nname = \"app\"\nrules = [{ name = \"r\", effect = \"allow\", groups = [\"staff\"] }]").await.unwrap();
    assert_eq!(client.get("/app/").await.status, 403);
    gateway
        .reload("[[realms]]\nname = \"app\"\nprotection_level = 50")
        .await
        .unwrap();
    assert_eq!(client.get("/app/").await.status, 302);
}

/// The certificate that a new connection is shown.
async fn certificate(gateway: &Gateway, name: &str) -> bool {
    RawClient::try_connect(gateway.address(), name, &gateway.tls())
        .await
        .is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_reloaded_without_dropping_a_connection() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    assert!(!certificate(&gateway, "new.test").await);
    gateway
        .pki
        .server(&["app.test", "new.test"])
        .write(gateway.folder.path(), "server");
    gateway.reload("").await.unwrap();
    eventually("the new certificate", async || {
        certificate(&gateway, "new.test").await.then_some(())
    })
    .await;
    assert_eq!(raw.ask(get("/open/", &[])).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_name_gets_its_certificate() {
    let gateway = Gateway::start().await;
    for name in ["one", "two"] {
        gateway
            .pki
            .server(&[&format!("{name}.test")])
            .write(gateway.folder.path(), name);
    }
    let several = r#"
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [
    { cert_file = "server.crt", key_file = "server.key" },
    { cert_file = "one.crt", key_file = "one.key" },
    { cert_file = "two.crt", key_file = "two.key" },
]
"#;
    let gateway = gateway.beside(several).await;
    for name in ["app.test", "one.test", "two.test"] {
        assert!(certificate(&gateway, name).await, "{name}");
        assert_eq!(
            gateway
                .client_of(name, Protocol::Http2)
                .get("/open/")
                .await
                .status,
            200
        );
    }
    assert!(
        !certificate(&gateway, "three.test").await,
        "the default is shown, and does not match"
    );
}
