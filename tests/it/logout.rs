//! After a logout the copied cookie is worth nothing, anywhere, at once, for good.

use std::time::Duration;

use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::policy_watch::Call;
use harness::{Protocol, eventually, within};
use http::Method;
use http_body_util::BodyExt;

use crate::support::{challenge_reason, holding, logged_in, refused};

/// Until the event has arrived another agent may still answer from its cache; it must not take longer
/// than the event.
async fn soon_refused(gateway: &Gateway, cookie: &str, target: &str) {
    let client = holding(gateway, cookie, Protocol::Http1);
    eventually("the replay is refused", async || {
        challenge_reason(&client.get(target).await)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_refused_here_elsewhere_and_after_restarts() {
    for deployment in Deployment::BOTH {
        for target in ["/app/", "/stored/"] {
            let mut gateway = Gateway::setup().deployment(deployment).start().await;
            let other = gateway.beside("").await;
            let client = gateway.client(Protocol::Http1);
            let cookie = client.login(target, "alice", PASSWORD).await;
            let elsewhere = holding(&other, &cookie, Protocol::Http1);
            assert_eq!(
                elsewhere.get(target).await.status,
                200,
                "cached at the other agent"
            );

            client.get("/doorward/logout").await;
            refused(
                &holding(&gateway, &cookie, Protocol::Http1)
                    .get(target)
                    .await,
            );
            refused(
                &holding(&gateway, &cookie, Protocol::Http2)
                    .get(target)
                    .await,
            );
            soon_refused(&other, &cookie, target).await;

            gateway.restart().await;
            refused(
                &holding(&gateway, &cookie, Protocol::Http1)
                    .get(target)
                    .await,
            );
            gateway.policy_server.restart().await;
            soon_refused(&gateway, &cookie, target).await;
            let third = gateway.beside("").await;
            refused(&holding(&third, &cookie, Protocol::Http1).get(target).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_restarts_that_nobody_logged_out_of() {
    for deployment in Deployment::BOTH {
        for target in ["/app/", "/stored/"] {
            let mut gateway = Gateway::setup().deployment(deployment).start().await;
            let cookie = gateway
                .client(Protocol::Http1)
                .login(target, "alice", PASSWORD)
                .await;
            gateway.policy_server.restart().await;
            gateway.restart().await;
            let client = holding(&gateway, &cookie, Protocol::Http1);
            let answer = eventually("the policy server is back", async || {
                Some(client.get(target).await).filter(|answer| answer.status != 503)
            });
            assert_eq!(answer.await.status, 200, "{deployment:?} {target}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_twice_or_without_a_session_is_no_error() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let (client, cookie) = logged_in(&gateway, "alice", protocol).await;
        for cookie in [&cookie, &cookie, "LOGGEDOFF", "garbage"] {
            client.set_cookie("SMSESSION", cookie);
            let answer = client.get("/doorward/logout").await;
            assert!(
                answer.status.is_success() || answer.status.is_redirection(),
                "{}",
                answer.status
            );
            assert_eq!(client.cookie("SMSESSION").as_deref(), Some("LOGGEDOFF"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_logs_out_as_well_and_further_paths_do() {
    let gateway = Gateway::setup()
        .with("login.logout_paths = [\"/app/signout\"]")
        .start()
        .await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    client.post_form("/doorward/logout", &[]).await;
    assert_eq!(client.cookie("SMSESSION").as_deref(), Some("LOGGEDOFF"));
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    client.get("/app/signout").await;
    refused(
        &holding(&gateway, &cookie, Protocol::Http1)
            .get("/app/")
            .await,
    );
    assert_eq!(gateway.origin.count_of("/app/signout"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_ends_and_the_users_others_live_on() {
    let gateway = Gateway::start().await;
    let (first, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let (second, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    first.get("/doorward/logout").await;
    assert_eq!(second.get("/app/").await.status, 200);
}

/// vSphere's rule: work that was admitted runs to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_streams_while_the_session_ends_is_finished() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let (client, cookie) = logged_in(&gateway, "alice", protocol).await;
        let request = client
            .request(Method::GET, "/app/?do=slow-body")
            .body(harness::client::empty())
            .unwrap();
        let mut streaming = client.start(request).await.into_body();
        let first = within("the first part", streaming.frame())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(first.into_data().unwrap(), "first");
        client.get("/doorward/logout").await;
        refused(&holding(&gateway, &cookie, protocol).get("/app/").await);
        gateway.origin.release(1);
        let rest = within("the rest", streaming.collect())
            .await
            .unwrap()
            .to_bytes();
        assert_eq!(rest, "last");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_cannot_reach_the_policy_server_is_told_later() {
    for target in ["/app/", "/stored/"] {
        let gateway = Gateway::start().await;
        let other = gateway.beside("").await;
        let client = gateway.client(Protocol::Http1);
        let cookie = client.login(target, "alice", PASSWORD).await;
        gateway.policy.cut(policy_client::PolicyError::NoConnection);
        let answer = client.get("/doorward/logout").await;
        assert_eq!(answer.status, 503, "it is not over everywhere yet");
        assert!(answer.header("retry-after").parse::<u32>().is_ok());
        assert_eq!(client.cookie("SMSESSION").as_deref(), Some("LOGGEDOFF"));
        let here = holding(&gateway, &cookie, Protocol::Http1);
        refused(&here.get(target).await);

        gateway.policy.open();
        soon_refused(&other, &cookie, target).await;
        let fresh = gateway.beside("").await;
        refused(&holding(&fresh, &cookie, Protocol::Http1).get(target).await);
    }
}

/// The cookie is the only means to try again.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_without_agent_keys_is_no_logout_and_keeps_the_cookie() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    gateway.policy.cut(policy_client::PolicyError::NoConnection);
    let keyless = gateway.beside("").await;
    let client = holding(&keyless, &cookie, Protocol::Http1);
    let answer = client.get("/doorward/logout").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.set_cookie("SMSESSION"), None);
    gateway.policy.open();
    eventually("the logout succeeds", async || {
        (client.get("/doorward/logout").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(client.cookie("SMSESSION").as_deref(), Some("LOGGEDOFF"));
    soon_refused(&gateway, &cookie, "/app/").await;
}

/// A browser sends the cookies of a longer path first, and anybody on a sibling host can plant some.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_behind_garbage_ends_as_well() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let behind = format!("x; SMSESSION=y; SMSESSION=z; SMSESSION=w; SMSESSION={cookie}");
    let client = holding(&gateway, &behind, Protocol::Http1);
    assert_eq!(client.get("/doorward/logout").await.status, 200);
    let replayed = holding(&gateway, &cookie, Protocol::Http1);
    refused(&replayed.get("/app/").await);
    let fresh = gateway.beside("").await;
    refused(&holding(&fresh, &cookie, Protocol::Http1).get("/app/").await);
}

/// Nor does one that no key here opens, while nobody can be asked for newer ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_beside_one_of_an_unknown_key_ends_as_well() {
    let gateway = Gateway::start().await;
    let elsewhere = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let (_, foreign) = logged_in(&elsewhere, "alice", Protocol::Http1).await;
    let both = format!("{cookie}; SMSESSION={foreign}");
    gateway.policy.cut(policy_client::PolicyError::NoConnection);
    let client = holding(&gateway, &both, Protocol::Http1);
    let answer = client.get("/doorward/logout").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.set_cookie("SMSESSION"), None, "to try again");
    gateway.policy.open();
    let replayed = holding(&gateway, &cookie, Protocol::Http1);
    refused(&replayed.get("/app/").await);
    let fresh = gateway.beside("").await;
    soon_refused(&fresh, &cookie, "/app/").await;
}

/// A login's cookie speaks of the time of its request, and of that of its answer, which the policy server
/// says: a second may lie between them.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_takes_its_time_is_as_good_as_any_other() {
    let gateway = Gateway::start().await;
    let other = gateway.beside("").await;
    let client = gateway.client(Protocol::Http1);
    let page = client.login_page("/app/").await;
    gateway.policy.hold();
    let answering = async {
        eventually("the login waits", async || {
            (gateway.policy.count(Call::Login) > 0).then_some(())
        })
        .await;
        gateway.clock.advance(Duration::from_secs(1));
        gateway.policy.open();
    };
    let (answer, ()) = tokio::join!(client.fill_login(&page, "alice", PASSWORD), answering);
    assert_eq!(answer.status, 303);
    let cookie = client.cookie("SMSESSION").expect("a session");
    let elsewhere = holding(&other, &cookie, Protocol::Http1);
    assert_eq!(elsewhere.get("/app/").await.status, 200);
    client.get("/doorward/logout").await;
    refused(
        &holding(&gateway, &cookie, Protocol::Http1)
            .get("/app/")
            .await,
    );
    soon_refused(&other, &cookie, "/app/").await;
}
