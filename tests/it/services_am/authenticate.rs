//! Logging in.

use std::time::Duration;

use harness::gateway::PASSWORD;
use serde_json::{Value, json};

use super::{Am, SERVICE, TOKEN, has_members, is_exactly, setup};

const AUTHENTICATE: &str = "/openam/json/realms/root/authenticate";
const FAILED: &str = r#"{"code":401,"reason":"Unauthorized","message":"Authentication Failed"}"#;

async fn form(am: &Am) -> Value {
    let answer = am
        .post(AUTHENTICATE, &[("content-type", "application/json")], "{}")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The form, filled in.
fn filled(mut form: Value, user: &str, password: &str) -> String {
    form["callbacks"][0]["input"][0]["value"] = user.into();
    form["callbacks"][1]["input"][0]["value"] = password.into();
    form["ok"] = true.into();
    form.to_string()
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test(flavor = "multi_thread")]
async fn credentials_in_headers_make_a_session_and_a_cookie() {
    let am = Am::start().await;
    let answer = am.try_login(AUTHENTICATE, "alice", PASSWORD).await;
    has_members(&answer.text(), &["tokenId", "successUrl", "realm"]);
    assert_eq!(answer.header("content-api-version"), "resource=2.1");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let json: Value = answer.json();
    let token = json["tokenId"].as_str().unwrap();
    assert_eq!(json["realm"], "/");
    assert_eq!(
        answer.set_cookie(TOKEN),
        Some(format!("{TOKEN}={token}; HttpOnly; SameSite=Lax; Secure; Path=/").as_str())
    );
    assert!(am.is_alive(token).await);
    // In words that are no ASCII, too; and wherever the realm is named.
    for (target, realm) in [
        ("/openam/json/authenticate", "/"),
        ("/openam/json/authenticate/?realm=%2Falpha", "/alpha"),
        ("/openam/json/alpha/authenticate", "/alpha"),
        (
            "/openam/json/realms/root/realms/alpha/realms/beta/authenticate",
            "/alpha/beta",
        ),
        ("/openam/json/alpha/authenticate?realm=/", "/"),
    ] {
        let headers = [
            ("x-openam-username", "=?UTF-8?B?YWxpY2U=?="),
            (
                "x-openam-password",
                "=?utf-8?Q?correct_horse=20battery_staple?=",
            ),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let answer = am.post(target, &headers, "").await;
        assert_eq!(answer.status, 200, "{target} {}", answer.text());
        let json: Value = answer.json();
        assert_eq!(json["realm"], realm, "{target}");
        assert_eq!(
            am.info(json["tokenId"].as_str().unwrap()).await["realm"],
            realm
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_wrong_credentials_look_alike() {
    let am = Am::start().await;
    let long = "x".repeat(300);
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("erin", PASSWORD),
        ("alice", ""),
        (long.as_str(), PASSWORD),
    ] {
        let answer = am.try_login(AUTHENTICATE, user, password).await;
        is_exactly(&answer, 401, FAILED);
        assert_eq!(answer.set_cookie(TOKEN), None);
        let answer = am
            .post(
                AUTHENTICATE,
                &JSON,
                &filled(form(&am).await, user, password),
            )
            .await;
        is_exactly(&answer, 401, FAILED);
        // As in the first version.
        let headers = [
            ("x-openam-username", user),
            ("x-openam-password", password),
            ("accept-api-version", "resource=1.0"),
        ];
        let answer = am.post(AUTHENTICATE, &headers, "").await;
        is_exactly(&answer, 401, r#"{"errorMessage":"Authentication Failed"}"#);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_can_be_answered_once_within_a_quarter_of_an_hour_and_in_its_realm() {
    let am = Am::start().await;
    let timed_out = r#"{"code":408,"reason":"Request Time-out","message":"Session has timed out"}"#;
    let invalid =
        r#"{"code":400,"reason":"Bad Request","message":"AuthId JWT Signature not valid"}"#;
    let first = filled(form(&am).await, "alice", PASSWORD);
    assert_eq!(am.post(AUTHENTICATE, &JSON, &first).await.status, 200);
    is_exactly(&am.post(AUTHENTICATE, &JSON, &first).await, 408, timed_out);

    let wrong = form(&am).await;
    let answer = am
        .post(
            AUTHENTICATE,
            &JSON,
            &filled(wrong.clone(), "alice", "wrong"),
        )
        .await;
    is_exactly(&answer, 401, FAILED);
    let answer = am
        .post(AUTHENTICATE, &JSON, &filled(wrong, "alice", PASSWORD))
        .await;
    is_exactly(&answer, 408, timed_out);

    let late = filled(form(&am).await, "alice", PASSWORD);
    let in_time = filled(form(&am).await, "alice", PASSWORD);
    let elsewhere = form(&am).await;
    am.gateway.clock.advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(am.post(AUTHENTICATE, &JSON, &in_time).await.status, 200);
    let answer = am
        .post(
            "/openam/json/alpha/authenticate",
            &JSON,
            &filled(elsewhere, "alice", PASSWORD),
        )
        .await;
    is_exactly(&answer, 400, invalid);
    am.gateway.clock.advance(Duration::from_secs(1));
    is_exactly(&am.post(AUTHENTICATE, &JSON, &late).await, 408, timed_out);

    let whole = form(&am).await;
    let auth_id = whole["authId"].as_str().unwrap().to_owned();
    let parts: Vec<&str> = auth_id.split('.').collect();
    assert_eq!(parts.len(), 3);
    let with = |auth_id: &str| {
        let mut form = whole.clone();
        form["authId"] = auth_id.into();
        filled(form, "alice", PASSWORD)
    };
    let (other, _) = (form(&am).await, ());
    let other: Vec<String> = other["authId"]
        .as_str()
        .unwrap()
        .split('.')
        .map(str::to_owned)
        .collect();
    for tampered in [
        format!("{}.{}.{}", parts[0], other[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], other[2]),
        format!("{}.{}.{}x", parts[0], parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
    ] {
        is_exactly(
            &am.post(AUTHENTICATE, &JSON, &with(&tampered)).await,
            400,
            invalid,
        );
    }
    for unread in ["", "x", "x.y", "..", "eyJ.x.y", &"a.".repeat(4000)] {
        let answer = am.post(AUTHENTICATE, &JSON, &with(unread)).await;
        assert_eq!(answer.status, 400);
        let json: Value = answer.json();
        assert!(
            json["message"]
                .as_str()
                .unwrap()
                .starts_with("Failed to parse JWT, ")
        );
    }
    // Nor does a form that was not filled in.
    let empty = format!(r#"{{"authId":"{auth_id}","callbacks":[]}}"#);
    assert_eq!(am.post(AUTHENTICATE, &JSON, &empty).await.status, 400);
    // None of this used it up.
    assert_eq!(
        am.post(AUTHENTICATE, &JSON, &with(&auth_id)).await.status,
        200
    );
}

/// A form from one agent can be answered at another one: they have the same keys.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_can_be_answered_at_another_agent() {
    let am = Am::start().await;
    let beside = am.gateway.beside("").await;
    let other = Am {
        client: beside.client(harness::Protocol::Http1),
        gateway: beside,
    };
    let filled = filled(form(&am).await, "alice", PASSWORD);
    assert_eq!(other.post(AUTHENTICATE, &JSON, &filled).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_does_not_use_a_form_up() {
    let am = Am::start().await;
    let body = filled(form(&am).await, "alice", PASSWORD);
    am.gateway
        .policy
        .cut(policy_client::PolicyError::Unavailable);
    let answer = am.post(AUTHENTICATE, &JSON, &body).await;
    assert_eq!(answer.status, 503);
    has_members(&answer.text(), &["code", "reason", "message"]);
    am.gateway.policy.open();
    assert_eq!(am.post(AUTHENTICATE, &JSON, &body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_there_is_no_token() {
    let am = Am::start().await;
    let target = format!("{AUTHENTICATE}?noSession=true");
    let answer = am.try_login(&target, "alice", PASSWORD).await;
    is_exactly(
        &answer,
        200,
        r#"{"message":"Authentication Successful","successUrl":"/"}"#,
    );
    assert_eq!(answer.set_cookie(TOKEN), None);
    is_exactly(&am.try_login(&target, "alice", "wrong").await, 401, FAILED);
    // Nor is there a session where the call is refused.
    let twice = format!("{target}&noSession=true");
    assert_eq!(am.try_login(&twice, "alice", PASSWORD).await.status, 400);
    let admin = am.login("alice").await;
    let list = am
        .get(
            "/openam/json/sessions?_queryFilter=realm%20eq%20%22%2F%22",
            &[(TOKEN, &admin)],
        )
        .await;
    assert_eq!(list.json::<Value>()["resultCount"], 1, "{}", list.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_session_is_given_back_and_a_dead_one_is_a_bad_request() {
    let am = Am::start().await;
    let token = am.login("carol").await;
    let target = format!("{AUTHENTICATE}?sessionUpgradeSSOTokenId={token}");
    let answer = am.post(&target, &[], "").await;
    let json: Value = answer.json();
    assert_eq!(json["tokenId"].as_str(), Some(token.as_str()));
    // Unless that is not wanted.
    let forced = am.post(&format!("{target}&ForceAuth=true"), &[], "").await;
    assert!(forced.json::<Value>().get("authId").is_some());
    am.act("3.1", "logout", Some(&token), &Value::Null).await;
    assert_eq!(am.post(&target, &[], "").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_clients_send_beside_it_does_not_matter() {
    let am = Am::start().await;
    for query in [
        "authIndexType=service&authIndexValue=Login",
        "authIndexType=module&authIndexValue=DataStore",
        "authIndexType=level&authIndexValue=5",
        "noSession=false&goto=https%3A%2F%2Felsewhere.example.com%2F",
    ] {
        let answer = am
            .try_login(&format!("{AUTHENTICATE}?{query}"), "alice", PASSWORD)
            .await;
        assert_eq!(answer.status, 200, "{query} {}", answer.text());
        assert_eq!(answer.json::<Value>()["successUrl"], "/");
    }
    // What the login pages of others send is no login.
    let headers = [
        ("x-username", "anonymous"),
        ("x-password", "anonymous"),
        ("x-nosession", "true"),
    ];
    let answer = am.post(AUTHENTICATE, &headers, "").await;
    assert!(answer.json::<Value>().get("authId").is_some());
    let strong = format!("{AUTHENTICATE}?authIndexType=level&authIndexValue=6");
    let answer = am.try_login(&strong, "alice", PASSWORD).await;
    is_exactly(
        &answer,
        400,
        r#"{"code":400,"reason":"Bad Request","message":"No Configuration found"}"#,
    );
}

/// What a decision asked for is had at a realm of that level, and nowhere is a session given back that has not got it.
#[tokio::test(flavor = "multi_thread")]
async fn an_advice_leads_to_a_session_that_satisfies_it() {
    let strong = SERVICE.replace("realms = {", "realms = { \"/strong\" = \"strong\",");
    let am = Am::of(setup().with(&strong)).await;
    let weak = am.login("carol").await;
    let evaluate = async |token: &str| -> Value {
        let target = "/openam/json/policies?_action=evaluate";
        let body = json!({ "resources": ["https://app.test/strong/"] }).to_string();
        let answer = am.post(target, &[(TOKEN, token)], &body).await;
        answer.json::<Value>()[0].clone()
    };
    let advice = evaluate(&weak).await["advices"]["AuthLevelConditionAdvice"][0].clone();
    let advice = format!(
        "<Advices><AttributeValuePair><Attribute name=\"AuthLevelConditionAdvice\"/>\
         <Value>{}</Value></AttributeValuePair></Advices>",
        advice.as_str().unwrap()
    );
    let value: String = url::form_urlencoded::byte_serialize(advice.as_bytes()).collect();
    let advised = format!("authIndexType=composite_advice&authIndexValue={value}");
    let upgrade = format!("{advised}&sessionUpgradeSSOTokenId={weak}");
    // Here it is not to be had.
    for query in [&advised, &upgrade, "authIndexType=composite_advice"] {
        let answer = am
            .try_login(&format!("{AUTHENTICATE}?{query}"), "carol", PASSWORD)
            .await;
        let message = r#"{"code":400,"reason":"Bad Request","message":"No Configuration found"}"#;
        is_exactly(&answer, 400, message);
    }
    let strong = format!("{AUTHENTICATE}?realm=%2Fstrong");
    let form = am.post(&format!("{strong}&{upgrade}"), &[], "").await;
    let form: Value = form.json();
    assert!(
        form.get("authId").is_some() && form.get("tokenId").is_none(),
        "{form}"
    );
    let token = am.login_to(&format!("{strong}&{upgrade}"), "carol").await;
    let decision = evaluate(&token).await;
    assert_eq!(decision["actions"]["GET"], true, "{decision}");
    assert_eq!(decision["advices"], json!({}));
    let again = format!("{strong}&{advised}&sessionUpgradeSSOTokenId={token}");
    let again = am.post(&again, &[], "").await;
    assert_eq!(
        again.json::<Value>()["tokenId"].as_str(),
        Some(token.as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_logs_nobody_in() {
    let am = Am::start().await;
    for (name, value) in [
        ("origin", "https://evil.example.com"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let headers = [
            ("x-openam-username", "alice"),
            ("x-openam-password", PASSWORD),
            (name, value),
        ];
        let answer = am.post(AUTHENTICATE, &headers, "").await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.set_cookie(TOKEN), None);
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer = am
            .post(AUTHENTICATE, &[("content-type", kind)], "{\"a\":1}")
            .await;
        assert_eq!(answer.status, 415);
    }
    let answer = am
        .post(AUTHENTICATE, &JSON, &json!({ "authId": 1 }).to_string())
        .await;
    assert_eq!(answer.status, 400);
}
