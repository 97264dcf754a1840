//! The admin listener: what operators see, without a secret in it.

use harness::client::empty;
use harness::gateway::{Gateway, PASSWORD};
use harness::{Protocol, eventually};
use http::Method;

use crate::support::logged_in;

/// Empties the session cache.
pub async fn flush_cache(gateway: &Gateway) {
    let admin = gateway.admin();
    let answer = admin
        .send(
            admin
                .request(Method::POST, "/cache/flush")
                .body(empty())
                .unwrap(),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn live_ready_metrics_configuration_and_cache_are_shown() {
    let gateway = Gateway::start().await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http2).await;
    client.get("/app/").await;
    let admin = gateway.admin();
    assert_eq!(admin.get("/live").await.status, 200);
    eventually("ready", async || {
        (admin.get("/ready").await.status == 200).then_some(())
    })
    .await;
    let metrics = admin.get("/metrics").await.text();
    assert!(metrics.contains("doorward_"), "{metrics}");
    let config: serde_json::Value = admin.get("/config").await.json();
    assert!(config.to_string().contains("agent-1"));
    let cache: serde_json::Value = admin.get("/cache").await.json();
    assert!(cache["entries"].as_u64().unwrap() > 0, "{cache}");
    flush_cache(&gateway).await;
    let cache: serde_json::Value = admin.get("/cache").await.json();
    assert_eq!(cache["entries"], 0);
    for page in ["/metrics", "/config", "/cache", "/ready"] {
        let text = admin.get(page).await.text();
        for secret in [PASSWORD, &cookie, harness::policy_host::AGENT_SECRET] {
            assert!(!text.contains(secret), "a secret in {page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_keys_is_live_but_not_ready() {
    let gateway = Gateway::start().await;
    gateway.policy.cut(policy_client::PolicyError::NoConnection);
    gateway.policy_server.stop().await;
    let waiting = gateway.beside("").await;
    let admin = waiting.admin();
    assert_eq!(admin.get("/live").await.status, 200);
    assert_eq!(admin.get("/ready").await.status, 503);
    gateway.policy_server.start().await;
    gateway.policy.open();
    eventually("ready", async || {
        (admin.get("/ready").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_pages_are_not_on_the_public_listener() {
    let gateway = Gateway::start().await;
    for path in ["/live", "/ready", "/metrics", "/config", "/cache"] {
        assert_eq!(gateway.client(Protocol::Http1).get(path).await.status, 404);
    }
}
