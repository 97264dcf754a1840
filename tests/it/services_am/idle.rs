//! Which calls count as a use of a session, and which do not.

use std::time::Duration;

use harness::Protocol;
use http::Method;
use policy_protocol::Clock as _;
use serde_json::{Value, json};

use super::{Am, TOKEN, setup};
use crate::support::{holding, refused};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn only_calls_that_are_meant_to_keep_a_session_alive() {
    let idle = "[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"";
    let am = Am::of(setup().with(idle)).await;
    let filter = "/openam/json/sessions?_queryFilter=realm%20eq%20%22%2F%22";
    // Version, action with its parameters, and whether it does.
    for (version, action, keeps) in [
        ("1.1", "validate", true),
        ("3.1", "validate", true),
        ("4.0", "validate&refresh=false", false),
        ("2.0", "refresh", true),
        ("3.0", "refresh", true),
        ("4.0", "getSessionInfoAndResetIdleTime", true),
        ("1.1", "isActive", false),
        ("1.1", "isActive&refresh=true", true),
        ("2.0", "getSessionInfo", false),
        ("4.0", "getSessionInfo", false),
        ("1.1", "getIdle", false),
        ("1.1", "getTimeLeft", false),
        ("1.1", "getPropertyNames", false),
        ("2.0", "getSessionProperties", false),
        ("list", "", false),
    ] {
        let token = am.login("alice").await;
        am.gateway.clock.advance(MINUTE * 9);
        let answer = if version == "list" {
            am.get(filter, &[(TOKEN, &token)]).await
        } else {
            am.act(version, action, Some(&token), &Value::Null).await
        };
        assert_eq!(answer.status, 200, "{version} {action} {}", answer.text());
        am.gateway.clock.advance(MINUTE * 2);
        assert_eq!(am.is_alive(&token).await, keeps, "{version} {action}");
        // Nor did it live on at the gateway.
        let client = holding(&am.gateway, &token, Protocol::Http1);
        let status = client.get("/app/").await.status.as_u16();
        assert_eq!(status, if keeps { 200 } else { 302 }, "{version} {action}");
    }
}

/// The other endpoints, likewise.
#[tokio::test(flavor = "multi_thread")]
async fn reading_keeps_nothing_alive_and_a_decision_does() {
    let idle = "[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"";
    let am = Am::of(setup().with(idle)).await;
    let resources = json!({ "resources": ["https://app.test/app/"] }).to_string();
    for (method, path, body, keeps) in [
        (Method::POST, "users?_action=idFromSession", "", false),
        (Method::GET, "users/alice", "", false),
        (Method::GET, "serverinfo/version", "", false),
        (Method::GET, "realm-config/services/session", "", false),
        (
            Method::POST,
            "policies?_action=evaluate",
            resources.as_str(),
            true,
        ),
    ] {
        let token = am.login("alice").await;
        am.gateway.clock.advance(MINUTE * 9);
        let target = format!("/openam/json/{path}");
        let answer = am.call(method, &target, &[(TOKEN, &token)], body).await;
        assert_eq!(answer.status, 200, "{path} {}", answer.text());
        am.gateway.clock.advance(MINUTE * 2);
        assert_eq!(am.is_alive(&token).await, keeps, "{path}");
    }
}

/// The client keeps the token that it got at login, however often the session is used.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_token_lives_as_long_as_its_session_at_every_agent() {
    let idle = "[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"";
    let am = Am::of(setup().with(idle)).await;
    let token = am.login("bob").await;
    for _ in 0..4 {
        am.gateway.clock.advance(MINUTE * 8);
        let answer = am.act("2.0", "refresh", Some(&token), &Value::Null).await;
        assert_eq!(answer.json::<Value>()["idletime"], 0);
    }
    am.gateway.clock.advance(MINUTE * 8);
    let beside = am.gateway.beside("").await;
    let other = Am {
        client: beside.client(Protocol::Http1),
        gateway: beside,
    };
    let info = other.info(&token).await;
    assert_eq!(info["username"], "bob", "{info}");
    let idle = other
        .act("1.1", "getIdle", Some(&token), &Value::Null)
        .await;
    assert_eq!(idle.json::<Value>(), json!({ "idletime": 480 }));
    am.gateway.clock.advance(MINUTE * 2);
    assert!(!other.is_alive(&token).await);
}

/// A use at the gateway is one here as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_knows_of_a_session_is_known_here() {
    let am = Am::start().await;
    let token = am.login("bob").await;
    am.gateway.clock.advance(MINUTE);
    let client = holding(&am.gateway, &token, Protocol::Http1);
    assert_eq!(client.get("/app/").await.status, 200);
    let used = am.gateway.clock.now().to_string();
    assert_eq!(am.info(&token).await["latestAccessTime"], used.as_str());
}

/// The gateway's cache knows of uses that the policy server has not heard of.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_alive_at_the_gateway_is_alive_here_and_ends_here() {
    let timed = "[[realms]]\nname = \"app\"\nidle_timeout = \"10m\"\nvalidation_period = \"8m\"";
    for version in ["2.1", "3.1"] {
        let am = Am::of(setup().with(timed)).await;
        let token = am.login("alice").await;
        let browser = holding(&am.gateway, &token, Protocol::Http1);
        am.gateway.clock.advance(Duration::from_secs(7 * 60));
        assert_eq!(browser.get("/app/").await.status, 200);
        am.gateway.clock.advance(Duration::from_secs(4 * 60));
        assert!(am.is_alive(&token).await);
        let answer = am.act(version, "logout", Some(&token), &Value::Null).await;
        assert_eq!(answer.text(), r#"{"result":"Successfully logged out"}"#);
        refused(
            &holding(&am.gateway, &token, Protocol::Http1)
                .get("/app/")
                .await,
        );
    }
}
