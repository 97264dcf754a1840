//! The session cache: who asks the policy server, how often, and that users are never mixed up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use harness::gateway::{Gateway, PASSWORD};
use harness::policy_watch::Call;
use harness::{Protocol, SeenRequest, eventually};
use policy_protocol::message::ValidateAnswer;

use crate::support::{holding, logged_in, refused};

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_of_one_uncached_session_cause_one_validate() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for protocol in Protocol::BOTH {
        let fresh = gateway.beside("").await;
        let before = gateway.policy.count(Call::Validate);
        gateway.policy.hold();
        let client = Arc::new(holding(&fresh, &cookie, protocol));
        let requests: Vec<_> = (0..50)
            .map(|_| {
                let client = Arc::clone(&client);
                tokio::spawn(async move { client.get("/app/").await })
            })
            .collect();
        eventually("the first Validate", async || {
            (gateway.policy.count(Call::Validate) > before).then_some(())
        })
        .await;
        gateway.policy.open();
        for answer in join_all(requests).await {
            let seen: SeenRequest = answer.unwrap().json();
            assert_eq!(seen.header("SM_USER"), Some("alice"));
        }
        assert_eq!(gateway.policy.count(Call::Validate), before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gives_up_does_not_take_the_others_with_it() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let fresh = gateway.beside("").await;
    let before = gateway.policy.count(Call::Validate);
    gateway.policy.hold();
    let first = holding(&fresh, &cookie, Protocol::Http1);
    let giving_up = tokio::spawn(async move { first.get("/app/").await });
    eventually("the first Validate", async || {
        (gateway.policy.count(Call::Validate) > before).then_some(())
    })
    .await;
    let patient: Vec<_> = (0..10)
        .map(|_| {
            let client = holding(&fresh, &cookie, Protocol::Http1);
            tokio::spawn(async move { client.get("/app/").await })
        })
        .collect();
    giving_up.abort();
    gateway.policy.open();
    for answer in join_all(patient).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    // One more if nobody else had arrived when the first gave up.
    assert!(gateway.policy.count(Call::Validate) <= before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_cause_no_call_and_the_end_of_the_validation_period_causes_one() {
    let gateway = Gateway::setup()
        .with("[[realms]]\nname = \"app\"\nvalidation_period = \"5m\"")
        .start()
        .await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    for _ in 0..20 {
        assert_eq!(client.get("/app/").await.status, 200);
    }
    assert_eq!(gateway.policy.count(Call::Validate), 0);
    for expected in 1..=3 {
        gateway.clock.advance(Duration::from_secs(299));
        assert_eq!(client.get("/app/").await.status, 200);
        assert_eq!(
            gateway.policy.count(Call::Validate),
            expected - 1,
            "a second before the end"
        );
        gateway.clock.advance(Duration::from_secs(1));
        for _ in 0..3 {
            assert_eq!(client.get("/app/").await.status, 200);
        }
        assert_eq!(gateway.policy.count(Call::Validate), expected, "at the end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_changes_the_spec_and_never_the_id() {
    let gateway = Gateway::setup()
        .with("[[realms]]\nname = \"app\"\nvalidation_period = \"1m\"")
        .start()
        .await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let mut cookies = vec![cookie];
    for _ in 0..3 {
        gateway.clock.advance(Duration::from_secs(60));
        client.get("/app/").await;
        cookies.push(client.cookie("SMSESSION").unwrap());
    }
    let validations = gateway.policy.validations();
    assert_eq!(validations.len(), 3);
    for (asked, answer) in &validations {
        let ValidateAnswer::Yes { session } = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(session.id, asked.session.session_id);
        assert_eq!(session.id, validations[0].0.session.session_id);
        assert_ne!(session.spec, asked.session.session_spec);
    }
    cookies.dedup();
    assert_eq!(cookies.len(), 4, "each new spec is in a new cookie");
    // The oldest cookie is still one of this session, in every agent.
    let fresh = gateway.beside("").await;
    assert_eq!(
        holding(&fresh, &cookies[0], Protocol::Http1)
            .get("/app/")
            .await
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evicted_session_is_validated_once_more() {
    let gateway = Gateway::start().await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    crate::admin::flush_cache(&gateway).await;
    for _ in 0..3 {
        let seen: SeenRequest = client.get("/app/").await.json();
        assert_eq!(seen.header("SM_USER"), Some("alice"));
    }
    assert_eq!(gateway.policy.count(Call::Validate), 1);
}

/// CVE-2021-35472 of another product: two users under load got each other's sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_are_never_mixed_up_under_concurrency_and_eviction() {
    let users = ["alice", "bob", "carol", "dave"];
    let gateway = Gateway::setup()
        .with("session.cache_size = \"64KiB\"\n[[realms]]\nname = \"app\"\nvalidation_period = \"1s\"")
        .start()
        .await;
    let mut sessions = Vec::new();
    for user in users {
        for _ in 0..8 {
            let client = gateway.client(Protocol::Http1);
            sessions.push((user, client.login("/app/", user, PASSWORD).await));
        }
    }
    let clients: Vec<_> = Protocol::BOTH
        .iter()
        .flat_map(|protocol| (0..4).map(|_| Arc::new(gateway.client(*protocol))))
        .collect();
    let mut random = crate::bad_input::Random::new(7);
    let mut tasks = Vec::new();
    for round in 0..40 {
        for client in &clients {
            let (user, cookie) = sessions[random.below(sessions.len())].clone();
            let client = Arc::clone(client);
            tasks.push(tokio::spawn(async move {
                let request = client
                    .request(http::Method::GET, "/app/")
                    .header("cookie", format!("SMSESSION={cookie}"));
                let seen: SeenRequest = client
                    .send(request.body(harness::client::empty()).unwrap())
                    .await
                    .json();
                assert_eq!(seen.header("SM_USER"), Some(user));
            }));
        }
        if round % 4 == 0 {
            gateway.clock.advance(Duration::from_secs(1));
            crate::admin::flush_cache(&gateway).await;
        }
        for task in tasks.drain(..) {
            task.await.unwrap();
        }
    }
    assert!(
        gateway.policy.count(Call::Validate) > 10,
        "there was eviction to survive"
    );
}

/// R5: what was decided for one realm says nothing about another.
#[tokio::test(flavor = "multi_thread")]
async fn a_cached_session_opens_only_the_realms_it_satisfies() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let (client, _) = logged_in(&gateway, "bob", protocol).await;
        for _ in 0..3 {
            assert_eq!(client.get("/app/").await.status, 200);
            assert_eq!(
                refused(&client.get("/strong/").await),
                policy_protocol::Reason::AUTH_LEVEL_TOO_LOW
            );
            assert_eq!(client.get("/staff/").await.status, 403);
        }
    }
    assert_eq!(gateway.origin.count_of("/strong"), 0);
    assert_eq!(gateway.origin.count_of("/staff"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_cookies_of_the_name_are_all_tried() {
    let gateway = Gateway::start().await;
    let (_, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let mut raw = gateway.raw().await;
    for cookies in [
        format!("SMSESSION=garbage; SMSESSION={cookie}"),
        format!("SMSESSION={cookie}; SMSESSION=garbage"),
        format!("SMSESSION=LOGGEDOFF; a=b; SMSESSION={cookie}"),
        format!("SMSESSION=; SMSESSION=\"\"; SMSESSION={cookie}"),
    ] {
        let answer = raw
            .ask(crate::support::get(
                "/app/",
                &[&format!("Cookie: {cookies}")],
            ))
            .await;
        assert_eq!(answer.status, 200, "{cookies}");
    }
    let answer = raw
        .ask(crate::support::get(
            "/app/",
            &[
                "Cookie: SMSESSION=x",
                &format!("Cookie: SMSESSION={cookie}"),
            ],
        ))
        .await;
    assert_eq!(answer.status, 200, "two Cookie headers");
}
