//! Agent keys roll over, and nobody is logged out by that; administrators end sessions, and they are.

use harness::gateway::{Deployment, Gateway};
use harness::policy_watch::Call;
use harness::{Protocol, SeenRequest, eventually};

use crate::support::{challenge_reason, holding, logged_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_rollover_logs_nobody_out() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup().deployment(deployment).start().await;
        let other = gateway.beside("").await;
        let (_, old) = logged_in(&gateway, "alice", Protocol::Http1).await;
        for _ in 0..3 {
            let before = gateway.policy.count(Call::AgentKeys);
            gateway.policy_server.roll_keys().await;
            eventually("both agents fetch the keys", async || {
                (gateway.policy.count(Call::AgentKeys) >= before + 2).then_some(())
            })
            .await;
            let (_, new) = logged_in(&gateway, "bob", Protocol::Http1).await;
            for agent in [&gateway, &other] {
                for (cookie, user) in [(&old, "alice"), (&new, "bob")] {
                    let client = holding(agent, cookie, Protocol::Http1);
                    let seen: SeenRequest = client.get("/app/").await.json();
                    assert_eq!(seen.header("SM_USER"), Some(user));
                }
            }
        }
        let fresh = gateway.beside("").await;
        assert_eq!(
            holding(&fresh, &old, Protocol::Http2)
                .get("/app/")
                .await
                .status,
            200
        );
    }
}

/// Two rollovers go unheard, so that the current key is one that the agent has never had.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_of_an_unknown_key_makes_an_agent_ask_for_the_keys() {
    let gateway = Gateway::start().await;
    logged_in(&gateway, "bob", Protocol::Http1).await;
    gateway.policy.hide_rollovers();
    for _ in 0..2 {
        gateway.policy_server.force_roll_keys().await;
    }
    let fresh = gateway.beside("").await;
    let (_, cookie) = logged_in(&fresh, "alice", Protocol::Http1).await;
    let before = gateway.policy.count(Call::AgentKeys);
    let client = holding(&gateway, &cookie, Protocol::Http1);
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("SM_USER"), Some("alice"));
    assert_eq!(gateway.policy.count(Call::AgentKeys), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_keys_cause_one_call_a_second_at_most() {
    use base64::Engine as _;
    let gateway = Gateway::start().await;
    logged_in(&gateway, "bob", Protocol::Http1).await;
    let before = gateway.policy.count(Call::AgentKeys);
    let begun = std::time::Instant::now();
    for id in 0..50u8 {
        // Version 1, type 1, and a key that nobody has.
        let token = [&[1, 1, 0xff, 0xff, 0xff, id][..], &[7; 100]].concat();
        let cookie = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token);
        let client = holding(&gateway, &cookie, Protocol::Http1);
        assert_ne!(client.get("/app/").await.status, 200);
    }
    let calls = gateway.policy.count(Call::AgentKeys) - before;
    assert!(calls >= 1, "the agent asks at all");
    assert!(calls as u64 <= 1 + begun.elapsed().as_secs());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_ends_all_sessions_of_a_user() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup().deployment(deployment).start().await;
        let (first, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
        let (second, _) = logged_in(&gateway, "alice", Protocol::Http2).await;
        let (bob, _) = logged_in(&gateway, "bob", Protocol::Http1).await;
        gateway
            .policy_server
            .server()
            .revoke_user("alice")
            .await
            .unwrap();
        for client in [&first, &second] {
            eventually("the session is refused", async || {
                challenge_reason(&client.get("/app/").await)
            })
            .await;
        }
        assert_eq!(bob.get("/app/").await.status, 200);
        // Sessions of the very second of the revocation are over; later ones are not.
        gateway.clock.advance(std::time::Duration::from_secs(1));
        let (again, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
        assert_eq!(again.get("/app/").await.status, 200);
    }
}
