//! No policy server: what is cached goes on for a while, everything else is refused, nothing passes
//! unauthenticated, and nobody has to restart anything.

use std::time::Duration;

use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::policy_watch::Call;
use harness::{Protocol, SeenRequest, eventually};
use policy_client::PolicyError;

use crate::support::{holding, logged_in};

const MINUTE: Duration = Duration::from_secs(60);
const CONFIG: &str =
    "policy_server.outage_grace = \"10m\"\n[[realms]]\nname = \"app\"\nvalidation_period = \"5m\"";

#[tokio::test(flavor = "multi_thread")]
async fn cached_sessions_go_on_for_validation_period_and_grace() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup()
            .deployment(deployment)
            .with(CONFIG)
            .start()
            .await;
        let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
        gateway.policy_server.stop().await;
        for minutes in [0, 4, 5, 5] {
            gateway.clock.advance(MINUTE * minutes);
            let answer = client.get("/app/").await;
            assert_eq!(answer.status, 200, "{minutes} minutes on");
        }
        gateway.clock.advance(MINUTE);
        let seen = gateway.origin.requests().len();
        let late = client.get("/app/").await;
        assert_eq!(late.status, 503);
        assert!(late.header("retry-after").parse::<u32>().is_ok());
        let unknown = gateway.beside("").await;
        assert_eq!(
            holding(&unknown, &cookie, Protocol::Http1)
                .get("/app/")
                .await
                .status,
            503
        );
        assert_eq!(gateway.origin.requests().len(), seen);

        gateway.policy_server.start().await;
        eventually("all is well again", async || {
            (client.get("/app/").await.status == 200).then_some(())
        })
        .await;
        eventually("new logins work", async || {
            let client = gateway.client(Protocol::Http1);
            (client.submit_login("/app/", "bob", PASSWORD).await.status == 303).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_failure_is_a_503_and_never_a_pass() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for error in [
        PolicyError::NoConnection,
        PolicyError::TimedOut,
        PolicyError::Unavailable,
        PolicyError::Failure,
        PolicyError::Protocol,
    ] {
        for protocol in Protocol::BOTH {
            gateway.policy.open();
            let fresh = gateway.beside("").await;
            eventually("the agent has its keys", async || {
                (fresh.client(protocol).get("/app/").await.status == 302).then_some(())
            })
            .await;
            gateway.policy.cut(error);
            let seen = gateway.origin.requests().len();
            let answer = holding(&fresh, &cookie, protocol).get("/app/").await;
            assert_eq!(answer.status, 503, "{error:?}");
            assert!(answer.header("retry-after").parse::<u32>().is_ok());
            assert_eq!(gateway.origin.requests().len(), seen);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_during_an_outage_says_so_and_works_afterwards() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    let page = client.login_page("/app/").await;
    gateway.policy.cut(PolicyError::NoConnection);
    let answer = client.fill_login(&page, "alice", PASSWORD).await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").parse::<u32>().is_ok());
    assert_eq!(client.cookie("SMSESSION"), None);
    gateway.policy.open();
    client.login("/app/", "alice", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_realms_do_not_care() {
    let gateway = Gateway::start().await;
    gateway.policy.cut(PolicyError::NoConnection);
    let seen: SeenRequest = gateway.client(Protocol::Http2).get("/open/").await.json();
    assert_eq!(seen.header("SM_USER"), None);
}

/// Users and policies may have changed while the policy server was away.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_policy_server_sessions_are_validated_again() {
    let gateway = Gateway::setup()
        .with("[[realms]]\nname = \"app\"\nvalidation_period = \"1h\"")
        .start()
        .await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    client.get("/app/").await;
    assert_eq!(gateway.policy.count(Call::Validate), 0);
    let before = gateway.policy.count(Call::Events);
    gateway.policy_server.restart().await;
    eventually("the agent listens again", async || {
        (gateway.policy.count(Call::Events) > before).then_some(())
    })
    .await;
    eventually("the session is validated", async || {
        assert_eq!(client.get("/app/").await.status, 200);
        (gateway.policy.count(Call::Validate) > 0).then_some(())
    })
    .await;
}
