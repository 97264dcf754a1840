//! What the actions answer, in each version.

use std::time::Duration;

use harness::policy_watch::Call;
use harness::{Protocol, eventually};
use http::Method;
use serde_json::{Value, json};

use super::{Am, SERVICE, TOKEN, has_members, is_exactly, setup};
use crate::hang_up::{hang_up_during, hang_up_during_nth};
use crate::support::{challenge_reason, holding};

const DEAD: &str = "AQIC5wM2LY4SfcTESTTOKEN.*AAJTSQACMDEAAlNLABM0NQACUzEAAA..*";

#[tokio::test(flavor = "multi_thread")]
async fn version_1_says_one_thing_at_a_time() {
    let am = Am::start().await;
    let admin = am.login("alice").await;
    am.gateway.clock.advance(Duration::from_secs(90));
    for (action, living, dead) in [
        (
            "validate&refresh=false",
            r#"{"valid":true,"uid":"alice","realm":"/"}"#,
            r#"{"valid":false}"#,
        ),
        ("isActive", r#"{"active":true}"#, r#"{"active":false}"#),
        ("getIdle", r#"{"idletime":90}"#, r#"{"idletime":-1}"#),
        (
            "getMaxIdle",
            r#"{"maxidletime":60}"#,
            r#"{"maxidletime":-1}"#,
        ),
        (
            "getMaxSessionTime",
            r#"{"maxsessiontime":120}"#,
            r#"{"maxsessiontime":-1}"#,
        ),
        ("getTimeLeft", r#"{"maxtime":7110}"#, r#"{"maxtime":-1}"#),
        ("getMaxTime", r#"{"maxtime":7110}"#, r#"{"maxtime":-1}"#),
    ] {
        is_exactly(
            &am.act("1.1", action, Some(&admin), &Value::Null).await,
            200,
            living,
        );
        for target in [
            format!("/openam/json/sessions?_action={action}&tokenId={DEAD}"),
            format!("/openam/json/sessions/{DEAD}?_action={action}"),
        ] {
            let headers = [
                (TOKEN, admin.as_str()),
                ("accept-api-version", "resource=1.1"),
            ];
            is_exactly(&am.post(&target, &headers, "").await, 200, dead);
        }
    }
    let body = json!({ "tokenId": DEAD });
    let answer = am.act("1.1", "logout", Some(&admin), &body).await;
    is_exactly(&answer, 200, r#"{"result":"Token has expired"}"#);
    assert!(am.is_alive(&admin).await);
    let no_token = r#"{"code":400,"reason":"Bad Request","message":"iPlanetDirectoryCookie not set on request"}"#;
    is_exactly(
        &am.act("1.1", "validate", None, &Value::Null).await,
        400,
        no_token,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_are_noted_read_and_removed() {
    let am = Am::start().await;
    let token = am.login("carol").await;
    let id = am.info(&token).await["properties"]["AMCtxId"]
        .as_str()
        .unwrap()
        .to_owned();
    let act = async |action, body: Value| am.act("1.2", action, Some(&token), &body).await;
    let names = act("getPropertyNames", Value::Null).await;
    let listed = r#"{"properties":["AMCtxId","AuthLevel","color"]}"#;
    is_exactly(&names, 200, listed);
    // What may be noted and was not yet is empty.
    let one = act("getProperty", json!({ "properties": ["color"] })).await;
    is_exactly(&one, 200, r#"{"color":""}"#);
    let nothing = format!(r#"{{"AMCtxId":"{id}","AuthLevel":"5","color":""}}"#);
    let of_all = act("getProperty", json!({})).await;
    is_exactly(&of_all, 200, &nothing);
    for version in ["2.0", "3.1"] {
        let answer = am
            .act(version, "getSessionProperties", Some(&token), &Value::Null)
            .await;
        is_exactly(&answer, 200, &nothing);
    }
    is_exactly(
        &act("setProperty", json!({ "color": "red" })).await,
        200,
        r#"{"success":true}"#,
    );
    let all = format!(r#"{{"AMCtxId":"{id}","AuthLevel":"5","color":"red"}}"#);
    is_exactly(&act("getProperty", json!({})).await, 200, &all);
    is_exactly(&act("getProperty", Value::Null).await, 200, &all);
    let one = act("getProperty", json!({ "properties": ["color"] })).await;
    is_exactly(&one, 200, r#"{"color":"red"}"#);
    for version in ["2.0", "3.1", "5.0"] {
        let answer = am
            .act(version, "getSessionProperties", Some(&token), &Value::Null)
            .await;
        is_exactly(&answer, 200, &all);
    }
    let deleted = act("deleteProperty", json!({ "properties": ["color"] })).await;
    is_exactly(&deleted, 200, r#"{"success":true}"#);
    let one = act("getProperty", json!({ "properties": ["color"] })).await;
    is_exactly(&one, 200, r#"{"color":""}"#);
    let body = json!({ "tokenId": token, "color": "blue" });
    let updated = am.act("3.1", "updateSessionProperties", None, &body).await;
    is_exactly(&updated, 200, &all.replace("red", "blue"));
    assert_eq!(am.info(&token).await["properties"]["color"], "blue");

    // Not everything may be read or noted, and what is known of a session is not for anybody to say.
    for (action, body, expected) in [
        ("getProperty", json!({ "properties": ["secret"] }), 403),
        ("getProperty", json!({ "properties": ["UserId"] }), 403),
        ("getProperty", json!({ "properties": "color" }), 400),
        ("setProperty", json!({ "secret": "x" }), 403),
        ("setProperty", json!({ "AuthLevel": "100" }), 403),
        ("setProperty", json!({ "color": "x", "AMCtxId": "y" }), 403),
        ("setProperty", json!({ "color": "x".repeat(1025) }), 400),
        ("setProperty", json!({ "color": 1 }), 400),
        ("setProperty", json!({}), 400),
        (
            "deleteProperty",
            json!({ "properties": ["AuthLevel"] }),
            403,
        ),
        ("deleteProperty", json!({}), 400),
        ("updateSessionProperties", json!({ "Host": "x" }), 403),
        ("updateSessionProperties", Value::Null, 400),
    ] {
        let answer = act(action, body.clone()).await;
        assert_eq!(
            answer.status.as_u16(),
            expected,
            "{action} {body} {}",
            answer.text()
        );
    }
    let answer = am
        .act(
            "2.0",
            "getSessionProperties",
            None,
            &json!({ "tokenId": DEAD }),
        )
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(am.info(&token).await["properties"]["color"], "blue");
}

#[tokio::test(flavor = "multi_thread")]
async fn later_versions_say_all_at_once() {
    let am = Am::start().await;
    let token = am.login("carol").await;
    am.gateway.clock.advance(Duration::from_secs(30));
    let info = am
        .act("2.0", "getSessionInfo", Some(&token), &Value::Null)
        .await;
    assert_eq!(info.header("content-api-version"), "resource=2.1");
    has_members(
        &info.text(),
        &[
            "latestAccessTime",
            "maxIdleExpirationTime",
            "maxSessionExpirationTime",
            "properties",
            "realm",
            "sessionHandle",
            "universalId",
            "username",
        ],
    );
    let described: Value = info.json();
    assert_eq!(described["properties"]["AuthLevel"], "5");
    assert_eq!(
        described["properties"],
        am.info(&token).await["properties"],
        "the same in every version"
    );
    let refreshed = am.act("3.0", "refresh", Some(&token), &Value::Null).await;
    is_exactly(
        &refreshed,
        200,
        r#"{"uid":"carol","realm":"/","idletime":0,"maxidletime":60,"maxsessiontime":120,"maxtime":7170}"#,
    );
    let valid = am.act("4.0", "validate", Some(&token), &Value::Null).await;
    let uid = am.info(&token).await["properties"]["AMCtxId"]
        .as_str()
        .unwrap()
        .to_owned();
    let expected = format!(r#"{{"valid":true,"sessionUid":"{uid}","uid":"carol","realm":"/"}}"#);
    is_exactly(&valid, 200, &expected);

    // A dead session, by the right of a living one and by its own.
    for action in [
        "getSessionInfo",
        "getSessionInfoAndResetIdleTime",
        "refresh",
        "validate",
    ] {
        for caller in [Some(token.as_str()), None] {
            for version in ["2.0", "3.1", "4.0", "5.1"] {
                let answer = am
                    .act(version, action, caller, &json!({ "tokenId": DEAD }))
                    .await;
                is_exactly(&answer, 200, r#"{"valid":false}"#);
            }
        }
    }
}

/// While it is asked who asks, the client's own time may be up.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_carried_out_although_nobody_waits_for_it() {
    let am = Am::start().await;
    let other = am.gateway.beside("").await;
    let (one, two) = (am.login("carol").await, am.login("carol").await);
    let named = format!("&tokenId={two}");
    for (caller, named, ended) in [(&one, "", &one), (&am.login("bob").await, &*named, &two)] {
        let request = format!(
            "POST /openam/json/sessions?_action=logout{named} HTTP/1.1\r\nHost: app.test\r\n\
             {TOKEN}: {caller}\r\nContent-Length: 0\r\n\r\n"
        );
        let told = am.gateway.policy.count(Call::Logout);
        hang_up_during(&am.gateway, Call::SessionService, request).await;
        am.gateway.policy.open();
        eventually("the policy server is told", async || {
            (am.gateway.policy.count(Call::Logout) > told).then_some(())
        })
        .await;
        let elsewhere = holding(&other, ended, Protocol::Http1);
        eventually("it is over at the other agent", async || {
            challenge_reason(&elsewhere.get("/app/").await)
        })
        .await;
    }
}

async fn handles_of(am: &Am, tokens: &[String]) -> Vec<Value> {
    let mut handles = Vec::new();
    for token in tokens {
        let answer = am
            .act("2.0", "getSessionInfo", Some(token), &Value::Null)
            .await;
        handles.push(answer.json::<Value>()["sessionHandle"].clone());
    }
    handles
}

/// The own session is the right to end the others.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_logs_out_all_handles_with_the_own_among_them() {
    let am = Am::start().await;
    let tokens = [
        am.login("alice").await,
        am.login("bob").await,
        am.login("carol").await,
    ];
    let mut handles = handles_of(&am, &tokens).await;
    handles.insert(0, handles[0].clone());
    let body = json!({ "sessionHandles": handles });
    let answer = am
        .act("2.0", "logoutByHandle", Some(&tokens[0]), &body)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for token in &tokens {
        assert!(!am.is_alive(token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_handles_are_logged_out_although_nobody_waits_for_it() {
    let am = Am::start().await;
    let admin = am.login("alice").await;
    let tokens = [am.login("bob").await, am.login("carol").await];
    let handles = handles_of(&am, &tokens).await;
    let body = json!({ "sessionHandles": handles }).to_string();
    let request = format!(
        "POST /openam/json/sessions?_action=logoutByHandle HTTP/1.1\r\nHost: app.test\r\n\
         {TOKEN}: {admin}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // First it is asked who asks.
    hang_up_during_nth(&am.gateway, Call::SessionService, 2, request).await;
    am.gateway.policy.open();
    for token in &tokens {
        eventually("it is over", async || {
            (!am.is_alive(token).await).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_in_many_places_and_one_counts() {
    let am = Am::start().await;
    let (bob, carol) = (am.login("bob").await, am.login("carol").await);
    let v4 = ("accept-api-version", "resource=4.0");
    let info = "/openam/json/sessions?_action=getSessionInfo";
    let quoted = format!("x=1; {TOKEN}=\"{bob}\"");
    let cookie = format!("{TOKEN}={bob}");
    let bearer = format!("Bearer {bob}");
    for headers in [
        vec![(TOKEN, bob.as_str())],
        vec![("IPLANETDIRECTORYPRO", bob.as_str())],
        vec![("authorization", bearer.as_str())],
        vec![("cookie", cookie.as_str())],
        vec![("cookie", quoted.as_str())],
        // The header counts for more than the cookie, which may be an old one.
        vec![(TOKEN, bob.as_str()), ("cookie", "iPlanetDirectoryPro=old")],
        vec![
            ("authorization", bearer.as_str()),
            ("cookie", "iPlanetDirectoryPro=old"),
        ],
    ] {
        let headers: Vec<_> = headers.into_iter().chain([v4]).collect();
        let answer = am.post(info, &headers, "").await;
        assert_eq!(answer.json::<Value>()["username"], "bob", "{headers:?}");
    }
    for target in [
        format!("{info}&tokenId={carol}"),
        format!("/openam/json/sessions/{carol}?_action=getSessionInfo"),
    ] {
        let answer = am.post(&target, &[v4], "").await;
        assert_eq!(answer.json::<Value>()["username"], "carol", "{target}");
    }
    // The query counts for more than the body.
    let body = json!({ "tokenId": bob }).to_string();
    let answer = am
        .post(&format!("{info}&tokenId={carol}"), &[v4], &body)
        .await;
    assert_eq!(answer.json::<Value>()["username"], "carol");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_the_path_leads_there() {
    let am = Am::start().await;
    let token = am.login("bob").await;
    for path in [
        "/openam/json/sessions",
        "/openam/json/sessions/",
        "/openam/json/realms/root/sessions",
        "/openam/json/realms/root/sessions/",
        "/openam/json/realms/root/realms/alpha/sessions/",
        "/openam/json/realms/root/realms/alpha/realms/beta/sessions",
        "/openam/json/alpha/sessions",
        "/openam/json/alpha/beta/sessions/",
        "/openam/json/none/sessions?realm=%2F",
        "/openam/json/sessions?realm=alpha",
        "/openam/%6ason/sessions",
    ] {
        let mark = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{mark}_action=validate");
        let answer = am.post(&target, &[(TOKEN, &token)], "").await;
        assert_eq!(answer.status, 200, "{path} {}", answer.text());
        assert_eq!(
            answer.json::<Value>()["realm"],
            "/",
            "the realm of the session"
        );
    }
    let pretty = am
        .call(
            Method::GET,
            "/openam/json/serverinfo/*?_prettyPrint=true&_fields=realm,_id",
            &[],
            "",
        )
        .await;
    assert_eq!(pretty.text(), "{\n  \"_id\": \"*\",\n  \"realm\": \"/\"\n}");
    let domains = am.get("/openam/json/serverinfo/cookieDomains", &[]).await;
    assert_eq!(domains.text(), r#"{"domains":[]}"#);
}

/// Where AM was deployed without a context.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_top_the_rest_is_the_applications() {
    let top = SERVICE.replace("path = \"/openam\"", "path = \"/\"");
    let open = "[[realms]]\nname = \"open\"\nresource = \"/\"";
    let am = Am::of(setup().with(&top).with(open)).await;
    let token = am.login_to("/json/authenticate", "bob").await;
    for path in [
        "/json/sessions",
        "/json/realms/root/sessions/",
        "/json/alpha/sessions/",
    ] {
        let target = format!("{path}?_action=validate");
        let answer = am.post(&target, &[(TOKEN, &token)], "").await;
        assert_eq!(answer.json::<Value>()["valid"], true, "{path}");
    }
    assert_eq!(am.get("/json/none", &[]).await.status, 404);
    assert!(am.gateway.origin.requests().is_empty());
    for path in ["/", "/jsonx", "/sessions/", "/openam/json/sessions"] {
        assert_eq!(am.get(path, &[]).await.status, 200, "{path}");
    }
    assert_eq!(am.gateway.origin.requests().len(), 4);
}
