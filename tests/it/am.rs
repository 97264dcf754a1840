//! Another system answers for sessions: AM. Sessions begin here or there, and end here or there.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::fake_am::{COOKIE, Dialect, FakeAm};
use harness::gateway::Gateway;
use harness::policy_watch::Call;
use harness::{Client, Pki, Protocol, SeenRequest, eventually};
use http::Method;
use policy_protocol::Reason;
use serde_json::{Value, json};

use crate::support::{challenge_reason, holding};

/// A gateway that asks AM, and AM.
async fn behind(dialect: Dialect, section: &str, more: &str) -> (Gateway, FakeAm) {
    let pki = Pki::default();
    harness::pki::install_crypto_provider();
    let am = FakeAm::start(&pki.server(&["localhost"]), dialect).await;
    let gateway = Gateway::setup()
        .pki(pki)
        .with_other_system(&am.section(section))
        .with(more)
        .start()
        .await;
    (gateway, am)
}

/// A client with a session that was begun there.
fn visitor(gateway: &Gateway, token: &str) -> Client {
    let client = gateway.client(Protocol::Http1);
    client.set_cookie(COOKIE, token);
    client
}

fn token_of(am: &FakeAm, user: &str) -> String {
    let sessions = am.sessions();
    let mut of_user = sessions.iter().filter(|(_, session)| session.user == user);
    of_user.next().unwrap().0.clone()
}

fn about(token: &str, kind: &str) -> Value {
    json!({"topic": "/agent/session", "timestamp": "2026-11-22T03:00:00Z",
           "body": {"tokenId": token, "eventType": kind}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_begun_by_form_used_and_ended_here() {
    for (dialect, callbacks) in [
        (Dialect::PingAm, false),
        (Dialect::PingAm, true),
        (Dialect::OpenAm, false),
        (Dialect::Old, false),
    ] {
        let (gateway, am) = behind(dialect, "", "").await;
        am.script().callbacks = callbacks;
        let client = gateway.client(Protocol::Http1);
        assert_eq!(
            client.submit_login("/app/", "alice", "wrong").await.status,
            403
        );
        client
            .login("/app/", "alice", harness::gateway::PASSWORD)
            .await;
        let seen: SeenRequest = client.get("/app/").await.json();
        assert_eq!(seen.header("SM_USER"), Some("alice"));
        assert_eq!(seen.header("SM_USERDN"), Some("uid=alice,ou=people,dc=am"));
        let asked = am.count("/sessions");
        client.get("/app/").await;
        assert_eq!(am.count("/sessions"), asked, "{dialect:?}: cached");
        assert_eq!(am.sessions().len(), 1);
        client.get("/doorward/logout").await;
        assert!(am.sessions().is_empty(), "{dialect:?}: ended there too");
        assert!(challenge_reason(&client.get("/app/").await).is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_begun_there_is_accepted_and_ended_with_ours() {
    let (gateway, am) = behind(Dialect::PingAm, "", "").await;
    let token = am.begin("alice");
    let client = visitor(&gateway, &token);
    let answer = client.get("/app/").await;
    assert_eq!(answer.set_cookie("SMSESSION"), None);
    let seen: SeenRequest = answer.json();
    assert_eq!(seen.header("SM_USER"), Some("alice"));
    assert!(
        !seen.all("cookie").concat().contains(&token),
        "not for applications"
    );
    let asked = am.requests().len();
    for _ in 0..5 {
        assert_eq!(client.get("/app/").await.status, 200);
    }
    assert_eq!(am.requests().len(), asked, "cached");
    // The staff of AM is the staff of rules by its distinguished name.
    assert_eq!(client.get("/staff/").await.status, 403);
    // More is asked for than AM tells.
    assert!(challenge_reason(&client.get("/strong/").await).is_some());
    client.get("/doorward/logout").await;
    assert!(am.sessions().is_empty());
    assert!(challenge_reason(&visitor(&gateway, &token).get("/app/").await).is_some());
    assert!(challenge_reason(&visitor(&gateway, "nonsense").get("/app/").await).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_there_is_the_end_of_it_here_at_once() {
    let (gateway, am) = behind(Dialect::PingAm, "notifications = true", "").await;
    for kind in ["LOGOUT", "DESTROY", "IDLE_TIMEOUT", "MAX_TIMEOUT"] {
        let here = gateway.client(Protocol::Http1);
        here.login("/app/", "alice", harness::gateway::PASSWORD)
            .await;
        let begun_here = token_of(&am, "alice");
        let begun_there = am.begin("bob");
        let there = visitor(&gateway, &begun_there);
        for (client, token) in [(here, begun_here), (there, begun_there)] {
            assert_eq!(client.get("/app/").await.status, 200);
            am.sessions().remove(&token);
            // Nothing is asked meanwhile: what was validated counts until the end is told.
            assert_eq!(client.get("/app/").await.status, 200);
            am.tell(&about(&token, kind));
            eventually("the end", async || {
                challenge_reason(&client.get("/app/").await).map(drop)
            })
            .await;
        }
        am.sessions()
            .retain(|_, session| session.user == harness::fake_am::AGENT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notifications_everything_is_validated_anew_until_they_are_back() {
    let (gateway, am) = behind(Dialect::PingAm, "notifications = true", "").await;
    let token = am.begin("alice");
    let client = visitor(&gateway, &token);
    assert_eq!(client.get("/app/").await.status, 200);
    let validated = || gateway.policy.count(Call::Validate);
    let (before, listeners) = (validated(), gateway.policy.count(Call::Events));
    am.sessions().remove(&token);
    // Its end is not told, because nobody listens any more.
    am.hang_up();
    eventually("the end", async || {
        challenge_reason(&client.get("/app/").await).map(drop)
    })
    .await;
    assert!(validated() > before);
    eventually("notifications again", async || {
        (am.listeners() == 1 && gateway.policy.count(Call::Events) > listeners).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_nobody_new_gets_in_and_nobody_is_called_dead() {
    let (gateway, am) = behind(Dialect::PingAm, "", "").await;
    let token = am.begin("alice");
    let other = am.begin("bob");
    let client = visitor(&gateway, &token);
    assert_eq!(client.get("/app/").await.status, 200);
    am.stop();
    assert_eq!(
        client.get("/app/").await.status,
        200,
        "what was validated counts for its period"
    );
    assert_eq!(visitor(&gateway, &other).get("/app/").await.status, 503);
    let login = gateway.client(Protocol::Http1);
    let answer = login
        .submit_login("/app/", "alice", harness::gateway::PASSWORD)
        .await;
    assert_eq!(answer.status, 503);
    gateway.clock.advance(Duration::from_secs(301));
    let late = client.get("/app/").await;
    assert_eq!(late.status, 503);
    assert!(late.header("retry-after").parse::<u32>().is_ok());
    am.restart();
    for token in [token, other] {
        eventually("all is well again", async || {
            (visitor(&gateway, &token).get("/app/").await.status == 200).then_some(())
        })
        .await;
    }
    // 5xx and pages of somebody else are no answers either.
    gateway.clock.advance(Duration::from_secs(301));
    for instead in [
        (500, ""),
        (200, "<html>login</html>"),
        (401, "<html>login</html>"),
    ] {
        am.script().instead = Some(instead);
        assert_eq!(client.get("/app/").await.status, 503, "{instead:?}");
    }
    am.script().instead = None;
    eventually("all is well again", async || {
        (client.get("/app/").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_decide_for_as_long_as_they_say() {
    let (gateway, am) = behind(
        Dialect::PingAm,
        "notifications = true",
        "[[realms]]\nname = \"app\"\nauthorize = true",
    )
    .await;
    let client = visitor(&gateway, &am.begin("alice"));
    let evaluated = || am.count("/policies");
    for _ in 0..3 {
        assert_eq!(client.get("/app/").await.status, 200);
    }
    assert_eq!(evaluated(), 1, "kept");
    // Until AM says that policies have changed.
    am.script().decision["actions"] = json!({"GET": false});
    am.tell(&json!({"topic": "/agent/policy", "body": {"realm": "/", "eventType": "UPDATE"}}));
    eventually("the new policy", async || {
        (client.get("/app/").await.status == 403).then_some(())
    })
    .await;
    // A condition that is not met is no yes, and not kept.
    am.script().decision = json!({
        "actions": {"GET": true}, "advices": {"SessionConditionAdvice": ["deny"]}, "ttl": i64::MAX,
    });
    let before = evaluated();
    for asked in 1..3 {
        assert_eq!(client.get("/app/other").await.status, 403);
        assert_eq!(evaluated(), before + asked);
    }
    am.script().decision = json!({"actions": {}, "advices": {}, "ttl": i64::MAX});
    assert_eq!(
        client.get("/app/none").await.status,
        403,
        "no policy covers it"
    );
    am.script().instead_of = vec![("/policies", 403, r#"{"code":403,"reason":"Forbidden"}"#)];
    assert_eq!(
        client.get("/app/more").await.status,
        503,
        "the agent may not ask: nobody said no"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_policies_find_over_is_over_here_at_once() {
    let asking = "[[realms]]\nname = \"app\"\nauthorize = true";
    let (gateway, am) = behind(Dialect::PingAm, "", asking).await;
    am.script().decision["ttl"] = json!(0);
    let token = am.begin("alice");
    let client = visitor(&gateway, &token);
    assert_eq!(client.get("/app/").await.status, 200);
    // Nobody tells of it, and it is not due to be validated.
    am.sessions().remove(&token);
    let over = |answer| challenge_reason(&answer) == Some(Reason::REVOKED_SESSION);
    assert!(over(client.get("/app/").await));
    let asked = am.requests().len();
    assert!(over(client.get("/app/").await));
    assert_eq!(am.requests().len(), asked, "it is known to be over");
    client
        .login("/app/", "alice", harness::gateway::PASSWORD)
        .await;
    assert_eq!(client.get("/app/").await.status, 200);
    // Another session that the request brings does.
    let ours = token_of(&am, "alice");
    client.set_cookie(COOKIE, &am.begin("bob"));
    am.sessions().remove(&ours);
    let seen: SeenRequest = client.get("/app/").await.json();
    assert_eq!(seen.header("SM_USER"), Some("bob"));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_come_with_each_request_begin_another_session_at_once() {
    let asking = "[[realms]]\nname = \"basic\"\nauthorize = true";
    let (gateway, am) = behind(Dialect::PingAm, "", asking).await;
    am.script().decision["ttl"] = json!(0);
    let client = gateway.client(Protocol::Http1);
    let basic = STANDARD.encode(format!("alice:{}", harness::gateway::PASSWORD));
    let ask = async || {
        client.forget_cookies();
        let request = client
            .request(Method::GET, "/basic/")
            .header("authorization", format!("Basic {basic}"));
        client
            .send(request.body(harness::client::empty()).unwrap())
            .await
            .status
    };
    assert_eq!(ask().await, 200);
    let first = token_of(&am, "alice");
    am.sessions().remove(&first);
    assert_eq!(ask().await, 200);
    assert_ne!(token_of(&am, "alice"), first);
    // Of a level that they do not bring nobody asks for them again.
    am.script().decision = json!({
        "actions": {}, "advices": {"AuthLevelConditionAdvice": ["10"]}, "ttl": i64::MAX,
    });
    assert_eq!(ask().await, 403);
    client.set_cookie(COOKIE, &am.begin("bob"));
    assert_eq!(client.get("/basic/").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_that_policies_want_is_asked_for_once() {
    let asking = "[[realms]]\nname = \"app\"\nauthorize = true";
    let (gateway, am) = behind(Dialect::PingAm, "", asking).await;
    let allowed = am.script().decision.clone();
    let advice = json!({
        "actions": {}, "advices": {"AuthLevelConditionAdvice": ["10"]}, "ttl": i64::MAX,
    });
    am.script().decision = advice.clone();
    let client = visitor(&gateway, &am.begin("alice"));
    for _ in 0..2 {
        let answer = client.get("/app/").await;
        assert_eq!(challenge_reason(&answer), Some(Reason::AUTH_LEVEL_TOO_LOW));
    }
    // A login that does not bring it is not asked for again.
    let cookie = client
        .login("/app/", "alice", harness::gateway::PASSWORD)
        .await;
    assert_eq!(client.get("/app/").await.status, 403);
    assert_eq!(client.get("/app/other").await.status, 403);
    // Nor by another agent, which knows no more of it than the cookie says.
    let beside = gateway.beside("").await;
    let elsewhere = holding(&beside, &cookie, Protocol::Http1);
    assert_eq!(elsewhere.get("/app/").await.status, 403);
    // The session is alive, and one that brings it passes.
    am.script().decision = allowed;
    assert_eq!(client.get("/app/").await.status, 200);
}
