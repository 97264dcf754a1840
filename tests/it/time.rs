//! Time, by a clock that only moves when told to.

use std::time::Duration;

use harness::gateway::{Deployment, Gateway};
use harness::policy_watch::Call;
use harness::{Client, Protocol, eventually};
use policy_protocol::Reason;

use crate::support::{holding, logged_in, refused};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// A realm that is never validated again, so that only the agent itself can end sessions.
const UNVALIDATED: &str = "[[realms]]\nname = \"app\"\nvalidation_period = \"2h\"\n";

async fn passes(client: &Client) {
    let answer = client.get("/app/").await;
    assert_eq!(answer.status, 200, "{}", answer.location());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_ends_exactly_at_its_idle_timeout() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup()
            .deployment(deployment)
            .with(&format!("{UNVALIDATED}idle_timeout = \"10m\""))
            .start()
            .await;
        let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
        for _ in 0..5 {
            gateway.clock.advance(MINUTE * 10 - SECOND);
            passes(&client).await;
        }
        gateway.clock.advance(MINUTE * 10);
        assert_eq!(refused(&client.get("/app/").await), Reason::IDLE_SESSION);
        assert_eq!(
            gateway.policy.count(Call::Validate),
            0,
            "the cache alone knew"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_session_ends_exactly_at_its_max_timeout() {
    let config = "[[realms]]\nname = \"app\"\nvalidation_period = \"20m\"\nmax_timeout = \"30m\"";
    let gateway = Gateway::setup().with(config).start().await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for _ in 0..29 {
        gateway.clock.advance(MINUTE);
        passes(&client).await;
    }
    gateway.clock.advance(MINUTE - SECOND);
    passes(&client).await;
    gateway.clock.advance(SECOND);
    assert_eq!(refused(&client.get("/app/").await), Reason::EXPIRED_SESSION);
    assert_eq!(
        gateway.policy.count(Call::Validate),
        1,
        "not at the end: the cache alone knew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_agent_knows_of_the_last_access_from_the_cookie() {
    let gateway = Gateway::setup()
        .with("[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"")
        .start()
        .await;
    let (client, old) = logged_in(&gateway, "alice", Protocol::Http1).await;
    gateway.clock.advance(MINUTE * 9);
    passes(&client).await;
    let refreshed = client.cookie("SMSESSION").unwrap();
    assert_ne!(refreshed, old, "the cookie was older than the grace period");
    gateway.clock.advance(MINUTE * 9);
    let other = gateway.beside("").await;
    passes(&holding(&other, &refreshed, Protocol::Http1)).await;
    gateway.clock.advance(MINUTE * 10);
    let third = gateway.beside("").await;
    refused(
        &holding(&third, &refreshed, Protocol::Http1)
            .get("/app/")
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_refreshed_only_after_the_session_grace_period() {
    let gateway = Gateway::setup()
        .with(&format!("session.grace_period = \"30s\"\n{UNVALIDATED}"))
        .start()
        .await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http2).await;
    gateway.clock.advance(SECOND * 29);
    assert_eq!(client.get("/app/").await.set_cookie("SMSESSION"), None);
    gateway.clock.advance(SECOND * 2);
    assert!(client.get("/app/").await.set_cookie("SMSESSION").is_some());
    assert_eq!(client.get("/app/").await.set_cookie("SMSESSION"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn background_polling_does_not_keep_a_session_alive() {
    let gateway = Gateway::setup()
        .with("[[session.overlook]]\nmethods = [\"GET\"]\nresource = \"/app/poll\"")
        .with(&format!("{UNVALIDATED}idle_timeout = \"10m\""))
        .start()
        .await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for _ in 0..9 {
        gateway.clock.advance(MINUTE);
        let answer = client.get("/app/poll").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.set_cookie("SMSESSION"), None);
    }
    gateway.clock.advance(MINUTE);
    assert_eq!(
        refused(&client.get("/app/poll").await),
        Reason::IDLE_SESSION
    );
}

/// The answer about the old cookie is not one about the new.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cookie_that_comes_at_the_same_moment_changes_nothing() {
    let gateway = Gateway::setup()
        .with(&format!("{UNVALIDATED}idle_timeout = \"10m\""))
        .start()
        .await;
    let (client, old) = logged_in(&gateway, "alice", Protocol::Http1).await;
    gateway.clock.advance(MINUTE * 9);
    passes(&client).await;
    let newer = client.cookie("SMSESSION").unwrap();
    gateway.clock.advance(MINUTE * 2);
    let other = gateway.beside("").await;
    let [thief, user] = [&old, &newer].map(|cookie| holding(&other, cookie, Protocol::Http1));
    gateway.policy.hold();
    let asked = async |calls| {
        eventually("Validate", async || {
            (gateway.policy.count(Call::Validate) == calls).then_some(())
        })
        .await;
    };
    let calls = async {
        asked(1).await;
        let user = async { user.get("/app/").await };
        let open = async {
            asked(2).await;
            gateway.policy.open();
        };
        tokio::join!(user, open).0
    };
    // Which answer comes first, and so what becomes of the old cookie, is open.
    let (_, users) = tokio::join!(thief.get("/app/"), calls);
    assert_eq!(users.status, 200);
}

/// Old cookies outlive their last access in backups and logs; the session goes on with newer ones.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cookie_does_not_end_its_session_at_another_agent() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup()
            .deployment(deployment)
            // The policy server does not hear of the use in between.
            .with(&format!("{UNVALIDATED}idle_timeout = \"10m\""))
            .start()
            .await;
        let (client, old) = logged_in(&gateway, "alice", Protocol::Http1).await;
        gateway.clock.advance(MINUTE * 9);
        passes(&client).await;
        let newer = client.cookie("SMSESSION").unwrap();
        assert_ne!(newer, old);
        gateway.clock.advance(MINUTE * 2);
        let other = gateway.beside("").await;
        let thief = holding(&other, &old, Protocol::Http1);
        let user = holding(&other, &newer, Protocol::Http1);
        for _ in 0..2 {
            assert_eq!(refused(&thief.get("/app/").await), Reason::IDLE_SESSION);
            passes(&user).await;
        }
    }
}
