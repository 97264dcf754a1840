//! Clients that go away in the middle of what they asked for: a tab that is closed, a button that is clicked twice.

use harness::gateway::Gateway;
use harness::policy_watch::Call;
use harness::{Protocol, eventually};
use policy_client::PolicyError;

use crate::support::{challenge_reason, get, holding, logged_in, refused};

/// Sends a request that causes `call`, and hangs up while the policy server keeps that waiting. Returns when the agent
/// knows; calls still wait. Until then nobody else may end a connection.
async fn hang_up_during(gateway: &Gateway, call: Call, request: impl AsRef<[u8]>) {
    gateway.policy.hold();
    let asked = gateway.policy.count(call);
    let mut client = gateway.raw().await;
    client.send(request).await;
    eventually("the policy server is asked", async || {
        (gateway.policy.count(call) > asked).then_some(())
    })
    .await;
    let open = metric(gateway, "doorward_connections_open").await;
    drop(client);
    eventually("the agent has noticed", async || {
        (metric(gateway, "doorward_connections_open").await < open).then_some(())
    })
    .await;
}

async fn metric(gateway: &Gateway, name: &str) -> u64 {
    let metrics = gateway.admin().get("/metrics").await.text();
    let line = metrics.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name}: {metrics}"))
}

/// A user who closes the tab has logged out all the same: of every session that the browser showed.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_carried_out_although_nobody_waits_for_it() {
    let gateway = Gateway::start().await;
    let other = gateway.beside("").await;
    let (_first, one) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let (_second, two) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let elsewhere = [&one, &two].map(|cookie| holding(&other, cookie, Protocol::Http1));
    for client in &elsewhere {
        assert_eq!(client.get("/app/").await.status, 200);
    }

    let cookies = format!("Cookie: SMSESSION={one}; SMSESSION={two}");
    let request = get("/doorward/logout", &[&cookies]);
    hang_up_during(&gateway, Call::Logout, request).await;
    gateway.policy.cut(PolicyError::TimedOut);
    for cookie in [&one, &two] {
        let here = holding(&gateway, cookie, Protocol::Http1);
        refused(&here.get("/app/").await);
    }

    gateway.policy.open();
    for client in &elsewhere {
        eventually("the session is over at the other agent", async || {
            challenge_reason(&client.get("/app/").await)
        })
        .await;
    }
}
