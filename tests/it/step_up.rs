//! A realm that wants more than the session has: another login, another session id, and the old one is
//! dead.

use harness::gateway::{Gateway, PASSWORD};
use harness::{Protocol, SeenRequest};
use policy_protocol::Reason;

use crate::support::{holding, logged_in, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_makes_a_new_session_and_revokes_the_old_one() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let (client, weak) = logged_in(&gateway, "alice", protocol).await;
        let before: SeenRequest = client.get("/app/").await.json();
        assert_eq!(
            refused(&client.get("/strong/").await),
            Reason::AUTH_LEVEL_TOO_LOW
        );
        let strong = client.login("/strong/", "alice", PASSWORD).await;
        let after: SeenRequest = client.get("/strong/").await.json();
        assert_eq!(after.header("SM_USER"), Some("alice"));
        assert_ne!(
            after.header("SM_SERVERSESSIONID"),
            before.header("SM_SERVERSESSIONID")
        );
        assert_eq!(
            client.get("/app/").await.status,
            200,
            "the stronger session opens the weaker realm"
        );
        assert_ne!(weak, strong);
        refused(&holding(&gateway, &weak, protocol).get("/app/").await);
        let fresh = gateway.beside("").await;
        refused(&holding(&fresh, &weak, protocol).get("/app/").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_up_leaves_the_session_as_it_was() {
    let gateway = Gateway::start().await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    assert_ne!(
        client
            .submit_login("/strong/", "alice", "wrong")
            .await
            .status,
        303
    );
    assert_eq!(
        holding(&gateway, &cookie, Protocol::Http1)
            .get("/app/")
            .await
            .status,
        200
    );
    refused(
        &holding(&gateway, &cookie, Protocol::Http1)
            .get("/strong/")
            .await,
    );
}

/// What comes first among several cookies may be the least of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_behind_a_stale_cookie_revokes_the_live_session() {
    let gateway = Gateway::start().await;
    let (first, stale) = logged_in(&gateway, "alice", Protocol::Http1).await;
    first.get("/doorward/logout").await;
    let (_, live) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let both = format!("{stale}; SMSESSION={live}");
    let client = holding(&gateway, &both, Protocol::Http1);
    assert_eq!(client.get("/app/").await.status, 200);
    let strong = client.login("/strong/", "alice", PASSWORD).await;
    assert_eq!(client.get("/strong/").await.status, 200);
    let fresh = gateway.beside("").await;
    for agent in [&gateway, &fresh] {
        let answer = holding(agent, &strong, Protocol::Http1).get("/app/").await;
        assert_eq!(answer.status, 200);
        refused(&holding(agent, &live, Protocol::Http1).get("/app/").await);
    }
}
