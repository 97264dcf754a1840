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
            gateway
                .policy_server
                .server()
                .roll_agent_keys()
                .await
                .unwrap();
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
