//! What is one session here is one everywhere.

use harness::{Protocol, SeenRequest};
use http::Method;
use serde_json::{Value, json};

use super::{Am, TOKEN, setup};
use crate::support::{holding, logged_in, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_the_gateways_session_and_dead_there_after_logout() {
    for deployment in harness::gateway::Deployment::BOTH {
        let am = Am::of(setup().deployment(deployment)).await;
        let token = am.login("alice").await;
        let client = holding(&am.gateway, &token, Protocol::Http1);
        let answer = client.get("/app/").await;
        assert_eq!(
            answer.json::<SeenRequest>().header("SM_USER"),
            Some("alice")
        );
        let answer = am.act("3.1", "logout", Some(&token), &Value::Null).await;
        assert_eq!(answer.text(), r#"{"result":"Successfully logged out"}"#);
        refused(
            &holding(&am.gateway, &token, Protocol::Http1)
                .get("/app/")
                .await,
        );
        assert!(!am.is_alive(&token).await);
        // And a session of the gateway is one here.
        let (client, cookie) = logged_in(&am.gateway, "bob", Protocol::Http1).await;
        assert_eq!(am.info(&cookie).await["username"], "bob");
        client.get("/doorward/logout").await;
        assert!(!am.is_alive(&cookie).await);
    }
}

/// With the gateway's own cookie name, a login is one at the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_may_be_the_gateways() {
    let config = super::SERVICE.replace("path = ", "cookie_name = \"SMSESSION\"\npath = ");
    let strict = "[session]\nsame_site = \"strict\"";
    let am = Am::of(setup().with(&config).with(strict)).await;
    let answer = am
        .try_login(
            "/openam/json/authenticate",
            "alice",
            harness::gateway::PASSWORD,
        )
        .await;
    // No weaker than the gateway's own.
    let written = answer.set_cookie("SMSESSION").unwrap();
    assert!(written.contains("SameSite=Strict"), "{written}");
    let cookie = answer
        .set_cookie("SMSESSION")
        .unwrap()
        .split(['=', ';'])
        .nth(1)
        .unwrap();
    let client = holding(&am.gateway, cookie, Protocol::Http1);
    assert_eq!(client.get("/app/").await.status, 200);
    let info = am.get("/openam/json/serverinfo/*", &[]).await;
    assert_eq!(info.json::<Value>()["cookieName"], "SMSESSION");
    assert_eq!(info.json::<Value>()["cookieSameSite"], "Strict");
    let whose = "/openam/json/users?_action=idFromSession";
    let in_cookie = format!("SMSESSION={cookie}");
    for sent in [("cookie", in_cookie.as_str()), ("smsession", cookie)] {
        let id = am.post(whose, &[sent], "").await;
        assert_eq!(id.json::<Value>()["id"], "alice", "{sent:?}");
    }
    // The usual name means nothing then, neither as a cookie nor as a header.
    let in_cookie = format!("{TOKEN}={cookie}");
    for sent in [("cookie", in_cookie.as_str()), (TOKEN, cookie)] {
        assert_eq!(am.post(whose, &[sent], "").await.status, 401, "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_do_not_see_the_cookie_and_paths_beside_the_service_are_theirs() {
    let am = Am::start().await;
    let token = am.login("alice").await;
    let cookies = format!("a=1; {TOKEN}={token}; SMSESSION={token}; b=2");
    let answer = am.get("/app/x", &[("cookie", &cookies)]).await;
    assert_eq!(
        answer.json::<SeenRequest>().header("cookie"),
        Some("a=1; b=2")
    );
    for (target, ours) in [
        ("/openam", true),
        ("/openam/json/nothing", true),
        ("/openam/notifications", true),
        ("/openam/UI/Login", true),
        ("/open/am", false),
        ("/open/json/sessions", false),
    ] {
        let answer = am.get(target, &[]).await;
        let expected = if ours { 404 } else { 200 };
        assert_eq!(answer.status.as_u16(), expected, "{target}");
        if ours {
            let json: Value = answer.json();
            assert_eq!(json["reason"], "Not Found");
        }
    }
}

/// Who does not have the token in hand must not make a browser use it.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_changes_nothing_by_the_users_cookie() {
    let am = Am::start().await;
    let token = am.login("alice").await;
    let cookie = format!("{TOKEN}={token}");
    let foreign = ("origin", "https://evil.example.com");
    for action in [
        "logout",
        "refresh",
        "getSessionInfoAndResetIdleTime",
        "updateSessionProperties",
        "setProperty",
        "deleteProperty",
        "isActive&refresh=true",
        "logoutByHandle",
        "logoutByUser",
    ] {
        let target = format!("/openam/json/sessions?_action={action}");
        let answer = am.post(&target, &[("cookie", &cookie), foreign], "").await;
        assert_eq!(answer.status, 403, "{action}");
    }
    assert!(am.is_alive(&token).await);
    let target = "/openam/json/sessions?_action=logout";
    let own = ("origin", "https://app.test");
    let v3 = ("accept-api-version", "resource=3.1");
    let answer = am.post(target, &[("cookie", &cookie), own, v3], "").await;
    assert_eq!(answer.status, 200);
    let forgotten = answer.set_cookie(TOKEN).unwrap();
    assert!(
        forgotten.contains("Max-Age=0") && forgotten.contains("1970"),
        "{forgotten}"
    );
    assert!(!am.is_alive(&token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_neither_a_refusal_nor_a_dead_session() {
    let am = Am::start().await;
    let token = am.login("alice").await;
    am.gateway
        .policy
        .cut(policy_client::PolicyError::NoConnection);
    let list = am
        .get("/openam/json/sessions?_queryId=all", &[(TOKEN, &token)])
        .await;
    assert_eq!(list.status, 503);
    let body = json!({ "tokenId": token });
    for action in [
        "validate",
        "getSessionInfo",
        "refresh",
        "isActive",
        "getSessionProperties",
        "logoutByUser",
        "logout",
    ] {
        let answer = am.act("3.1", action, Some(&token), &body).await;
        let start = r#"{"code":503,"reason":"Service Unavailable","message":""#;
        assert!(
            answer.text().starts_with(start),
            "{action} {}",
            answer.text()
        );
        assert_eq!(answer.status, 503);
    }
    // But what was to be over is over.
    am.gateway.policy.open();
    assert!(!am.is_alive(&token).await);
    refused(
        &holding(&am.gateway, &token, Protocol::Http1)
            .get("/app/")
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_path_is_in_no_record() {
    const NAME: &str = "services_am::elsewhere::a_token_in_the_path_is_in_no_record";
    let Some(told) = crate::support::alone(NAME) else {
        let am = Am::of(setup().with("log.access_log = true")).await;
        let token = am.login("bob").await;
        println!("token {token}");
        for target in [
            format!("/openam/json/sessions/{token}?_action=validate"),
            format!("/openam/json/realms/root/sessions/{token}/more?_action=validate"),
            format!(
                "/openam/json/sessions/%{:02x}{}",
                token.as_bytes()[0],
                &token[1..]
            ),
        ] {
            am.call(Method::POST, &target, &[], "").await;
            // Refused before any service sees it.
            let many = [("x-more", "1"); 600];
            let refused = am.call(Method::POST, &target, &many, "").await;
            assert!(refused.status.is_client_error(), "{}", refused.status);
        }
        let records =
            std::fs::read_to_string(am.gateway.folder.path().join("audit.jsonl")).unwrap();
        assert!(
            records.contains("/openam/json/authenticate"),
            "nothing was recorded"
        );
        assert!(!records.contains(&token));
        am.gateway.drain().await;
        return;
    };
    let token = told
        .lines()
        .find_map(|line| line.strip_prefix("token "))
        .unwrap();
    let others: Vec<&str> = told
        .lines()
        .filter(|line| !line.starts_with("token "))
        .collect();
    assert!(
        others
            .iter()
            .any(|line| line.contains("/openam/json/sessions/-")),
        "{told}"
    );
    assert!(
        others.iter().all(|line| !line.contains(&token[1..])),
        "{told}"
    );
}
