//! Deciding for others.

use std::time::Duration;

use policy_protocol::Clock as _;
use serde_json::{Value, json};

use super::{Am, TOKEN, setup};

const TARGET: &str = "/openam/json/policies?_action=evaluate";
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

async fn evaluate(am: &Am, caller: &str, body: &Value) -> harness::Answer {
    am.post(TARGET, &[(TOKEN, caller)], &body.to_string()).await
}

async fn decisions(am: &Am, caller: &str, body: &Value) -> Vec<Value> {
    let answer = evaluate(am, caller, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-api-version"), "resource=2.1");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_those_of_the_gateway() {
    let am = Am::start().await;
    let (alice, carol) = (am.login("alice").await, am.login("carol").await);
    let resources = [
        "https://app.test/app/x?y=1",
        "https://app.test:443/staff/",
        "http://elsewhere.test/strong/",
        "https://app.test/open/",
        "https://app.test/none",
        "https://app.test/app/../staff/",
        "not an address",
    ];
    let all = |allowed: bool| -> Value {
        METHODS
            .map(|name| (name, allowed))
            .into_iter()
            .map(|(name, allowed)| (name.to_owned(), Value::from(allowed)))
            .collect()
    };
    let none = json!({});
    let now = am.gateway.clock.now();
    let until = now.plus(Duration::from_secs(300)).0 * 1000;
    for (token, staff) in [(&alice, true), (&carol, false)] {
        let found = decisions(&am, token, &json!({ "resources": resources })).await;
        assert_eq!(found.len(), resources.len());
        for (decision, resource) in found.iter().zip(resources) {
            assert_eq!(decision["resource"], resource);
            assert_eq!(decision["attributes"], none);
            assert_eq!(decision["ttl"], until, "{resource}");
        }
        assert_eq!(found[0]["actions"], all(true));
        assert_eq!(found[1]["actions"], all(staff));
        // Only the level is missing, and which one is told.
        assert_eq!(found[2]["actions"], none);
        assert_eq!(
            found[2]["advices"],
            json!({ "AuthLevelConditionAdvice": ["10"] })
        );
        assert_eq!(found[3]["actions"], all(true));
        for decision in &found[4..] {
            assert_eq!(
                decision["actions"], none,
                "nothing is known of it: a refusal"
            );
            assert_eq!(decision["advices"], none);
        }
    }
    assert!(am.gateway.origin.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn others_may_be_asked_about_by_those_who_may() {
    let am = Am::start().await;
    let (admin, evaluator) = (am.login("alice").await, am.login("bob").await);
    let (carol, dave) = (am.login("carol").await, am.login("dave").await);
    let body = |token: &str| {
        json!({
            "resources": ["https://app.test/staff/"],
            "application": "iPlanetAMWebAgentService",
            "subject": { "ssoToken": token },
        })
    };
    for (caller, subject, expected) in [
        (&carol, &carol, 200),
        (&carol, &dave, 403),
        (&evaluator, &carol, 200),
        (&admin, &carol, 200),
    ] {
        let answer = evaluate(&am, caller, &body(subject)).await;
        assert_eq!(answer.status.as_u16(), expected, "{}", answer.text());
    }
    // It is the subject that counts.
    let found = decisions(&am, &admin, &body(&carol)).await;
    assert_eq!(found[0]["actions"]["GET"], false);
    let found = decisions(&am, &evaluator, &body(&admin)).await;
    assert_eq!(found[0]["actions"]["GET"], true);
    let resources = json!(["https://app.test/app/"]);
    let many = vec!["https://app.test/app/"; 65];
    for (body, status, message) in [
        (json!({}), 400, "Invalid value resources"),
        (json!({ "resources": [] }), 400, "Invalid value resources"),
        (json!({ "resources": [1] }), 400, "Invalid value resources"),
        (json!({ "resources": many }), 400, "Invalid value resources"),
        (
            json!({ "resources": resources, "subject": {} }),
            400,
            "Invalid value subject",
        ),
        (
            json!({ "resources": resources, "subject": { "jwt": "x" } }),
            400,
            "Invalid value subject",
        ),
        (body("rubbish"), 400, "Invalid value subject"),
        (
            json!({ "resources": resources, "environment": { "requestIp": ["x"] } }),
            400,
            "Invalid value environment",
        ),
        (
            json!({ "resources": resources, "application": "other" }),
            404,
            "DoesNotExist application not found in realm.",
        ),
    ] {
        let answer = evaluate(&am, &evaluator, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        assert_eq!(answer.json::<Value>()["message"], message, "{body}");
    }
    let denied = r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#;
    super::is_exactly(&evaluate(&am, "rubbish", &body(&carol)).await, 401, denied);
    super::is_exactly(&am.post(TARGET, &[], "{}").await, 401, denied);
    am.gateway.policy.cut(policy_client::PolicyError::TimedOut);
    assert_eq!(evaluate(&am, &admin, &body(&carol)).await.status, 503);
}

/// Rules about networks are about the user's, which only those may tell who speak for users.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_believed_of_evaluators_only() {
    let rule = "[[realms]]\nname = \"app\"\nrules = [{ name = \"inside\", effect = \"allow\", networks = [\"203.0.113.0/24\"] }]";
    let am = Am::of(setup().with(rule)).await;
    let (evaluator, carol) = (am.login("bob").await, am.login("carol").await);
    for (caller, address, expected) in [
        (&evaluator, "203.0.113.9", true),
        (&evaluator, "198.51.100.1", false),
        (&carol, "203.0.113.9", false),
    ] {
        let body = json!({
            "resources": ["https://app.test/app/"],
            "subject": { "ssoToken": carol },
            "environment": { "requestIp": [address] },
        });
        let found = decisions(&am, caller, &body).await;
        assert_eq!(found[0]["actions"]["GET"], expected, "{address}");
    }
}

/// Of decisions by policies only the policy server knows how long they hold.
#[tokio::test(flavor = "multi_thread")]
async fn decisions_by_policies_are_not_to_be_kept() {
    let am = Am::of(setup().with("[[realms]]\nname = \"app\"\nauthorize = true")).await;
    let carol = am.login("carol").await;
    let now = am.gateway.clock.now();
    let body = json!({ "resources": ["https://app.test/app/"] });
    let found = decisions(&am, &carol, &body).await;
    assert_eq!(found[0]["ttl"], now.0 * 1000);
    assert_eq!(found[0]["actions"]["GET"], false, "there are no policies");
}
