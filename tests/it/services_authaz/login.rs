//! Login and blogin.

use harness::gateway::{Deployment, PASSWORD};
use harness::policy_host::WITH_NEWCOMERS;
use harness::policy_watch::Call;
use harness::{Protocol, SeenRequest};
use policy_protocol::Reason;

use super::*;
use crate::second_factor::{App, VAULT};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_answers_with_a_token_and_who_it_is() {
    for deployment in Deployment::BOTH {
        let gateway = setup()
            .deployment(deployment)
            .with("[[realms]]\nname = \"app\"\nmax_timeout = \"1h\"\nresponses = [{ header = \"X-Mail\", attribute = \"mail\" }]")
            .start()
            .await;
        for protocol in Protocol::BOTH {
            let client = gateway.client(protocol);
            let answer = log_in(&client, "/app/x?y=1", "alice", PASSWORD).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), "application/xml");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.set_cookie("SMSESSION"), None);
            assert!(answer.text().starts_with(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><loginResponse><message>Authentication successful</message>\
                 <resultCode>LOGIN_SUCCESS</resultCode><sessionToken>"
            ));
            let token = text_of(&answer, "sessionToken");
            let seen: SeenRequest = holding(&gateway, &token, protocol)
                .get("/app/")
                .await
                .json();
            for name in [
                "SM_USER",
                "SM_USERDN",
                "SM_UNIVERSALID",
                "SM_AUTHDIRNAME",
                "SM_AUTHDIROID",
                "SM_AUTHDIRSERVER",
                "SM_AUTHDIRNAMESPACE",
                "SM_REALM",
                "SM_AUTHTYPE",
                "SM_SERVERSESSIONID",
                "SM_SESSIONDRIFT",
                "SM_TIMETOEXPIRE",
                "SM_USERGROUPS",
            ] {
                let told = attribute(&answer, name);
                let told = told.as_deref().unwrap_or_else(|| panic!("{name} is told"));
                assert_eq!(told, seen.header(name).unwrap_or_default(), "{name}");
            }
            for (name, value) in [
                ("SM_AUTHREASON", "0"),
                ("SMSSOZONE", "SM"),
                ("SM_SESSIONDRIFT", "0"),
                ("SM_TIMETOEXPIRE", "3600"),
                ("x-mail", "alice@example.com"),
            ] {
                assert_eq!(attribute(&answer, name).as_deref(), Some(value), "{name}");
            }
            let transaction = answer.header("x-doorward-transaction-id").to_owned();
            assert_eq!(attribute(&answer, "SM_TRANSACTIONID"), Some(transaction));
            assert_eq!(attribute(&answer, "SM_SERVERSESSIONSPEC"), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_why_a_login_failed() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    let mut answers = Vec::new();
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("erin", PASSWORD),
        ("", PASSWORD),
        ("alice", ""),
        ("a&#10;b", PASSWORD),
    ] {
        let answer = log_in(&client, "/app/x", user, password).await;
        assert_eq!(answer.status, 200, "{user}");
        answers.push(answer.text());
    }
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><loginResponse><message>Authentication Failed</message>\
        <resultCode>LOGIN_FAILED</resultCode><authenticationResponses><response><name>SM_AUTHREASON</name>\
        <value>0</value></response></authenticationResponses></loginResponse>";
    for answer in answers {
        assert_eq!(answer, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_may_be_spelled_as_in_any_version() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    for name in ["userName", "username", "USERNAME"] {
        for root in ["loginRequest", "LoginRequest"] {
            let body =
                format!("<{root}><{name}>alice</{name}><Password>{PASSWORD}</Password></{root}>");
            for content_type in [
                "application/xml",
                "text/xml; charset=utf-8",
                "application/x-www-form-urlencoded",
            ] {
                let answer = post_as(
                    &client,
                    &format!("{REST}/login/app/app/"),
                    content_type,
                    &body,
                )
                .await;
                assert_eq!(
                    code(&answer),
                    "LOGIN_SUCCESS",
                    "{name} {root} {content_type}"
                );
            }
        }
    }
    // The shorter path, and JSON.
    let answer = post(
        &client,
        "/authazws/login/app/app/",
        &login_request("alice", PASSWORD),
    )
    .await;
    assert_eq!(code(&answer), "LOGIN_SUCCESS");
    for name in ["userName", "username"] {
        let body = serde_json::json!({ name: "alice", "password": PASSWORD }).to_string();
        let answer = post_as(
            &client,
            &format!("{REST}/login/app/app/"),
            "application/json",
            &body,
        )
        .await;
        assert_eq!(answer.header("content-type"), "application/json");
        let answer: serde_json::Value = answer.json();
        assert_eq!(answer["resultCode"], "LOGIN_SUCCESS");
        let token = answer["sessionToken"].as_str().expect("a token");
        assert_eq!(
            holding(&gateway, token, Protocol::Http1)
                .get("/app/")
                .await
                .status,
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_meaning_is_a_bad_request() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    let good = login_request("alice", PASSWORD);
    let laughs = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>\
        <loginRequest><userName>&b;</userName></loginRequest>";
    let outside = "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><loginRequest><userName>&a;</userName></loginRequest>";
    let deep = "<a>".repeat(5000);
    for (path, body) in [
        ("/app/app/x", ""),
        ("/app/app/x", "userName=alice"),
        ("/app/app/x", "<logoutRequest/>"),
        (
            "/app/app/x",
            "<loginRequest><userName>a</userName><username>b</username></loginRequest>",
        ),
        ("/app/app/x", laughs),
        ("/app/app/x", outside),
        ("/app/app/x", &deep),
        ("/unknown/app/x", &good),
        ("/app/open/x", &good),
        ("/app/nowhere", &good),
        ("/app", &good),
        ("", &good),
    ] {
        let answer = post(&client, &format!("{REST}/login{path}"), body).await;
        assert_eq!(answer.status, 400, "{path} {body:.60}");
        assert_eq!(
            answer.text(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><loginResponse><message>Bad Request</message>\
             <resultCode>LOGIN_ERROR</resultCode></loginResponse>"
        );
    }
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for body in [
        utf16,
        b"<loginRequest><userName>\xff</userName></loginRequest>".to_vec(),
    ] {
        let request = client
            .request(Method::POST, &format!("{REST}/login/app/app/x"))
            .body(harness::client::full(body))
            .unwrap();
        assert_eq!(client.send(request).await.status, 400);
    }
    let long = format!("<loginRequest x=\"{}\"/>", "x".repeat(100_000));
    let answer = post(&client, &format!("{REST}/login/app/app/x"), &long).await;
    assert_eq!(answer.status, 413);
    assert_eq!(code(&answer), "LOGIN_ERROR");
    assert_eq!(gateway.policy.count(Call::Login), 0);
}

/// A password alone never makes a session of a realm that asks for more.
#[tokio::test(flavor = "multi_thread")]
async fn realms_with_other_schemes_refuse_passwords() {
    let gateway = setup().with(VAULT).start().await;
    App::enrol(&gateway, "alice").await;
    let client = client(&gateway);
    for password in [PASSWORD, "wrong"] {
        let answer = log_in(&client, "/vault/x", "alice", password).await;
        assert_eq!(answer.status, 200);
        assert_eq!(code(&answer), "LOGIN_FAILED");
        assert_eq!(reason(&answer), Some(Reason::UNSUPPORTED_SCHEME));
    }
    assert_eq!(gateway.policy.count(Call::Login), 0);
    let answer = log_in(&client, "/basic/x", "alice", PASSWORD).await;
    assert_eq!(code(&answer), "LOGIN_SUCCESS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_must_be_changed_makes_no_session() {
    let gateway = setup().with_policy(WITH_NEWCOMERS).start().await;
    let client = client(&gateway);
    let answer = log_in(&client, "/app/x", "frank", PASSWORD).await;
    assert_eq!(answer.status, 200);
    assert_eq!(code(&answer), "LOGIN_FAILED");
    assert_eq!(reason(&answer), Some(Reason::PASSWORD_MUST_CHANGE));
    assert_eq!(text_of(&answer, "sessionToken"), "");
    let answer = log_in(&client, "/app/x", "frank", "wrong").await;
    assert_eq!(reason(&answer), Some(Reason::NONE));
}

#[tokio::test(flavor = "multi_thread")]
async fn blogin_answers_yes_or_no_and_leaves_no_session() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    for path in [
        format!("{REST}/blogin/app/stored/"),
        "/authazws/blogin/app/stored/".to_owned(),
    ] {
        let logouts = gateway.policy.count(Call::Logout);
        let answer = post(&client, &path, &login_request("alice", PASSWORD)).await;
        assert_eq!(
            answer.text(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><loginResponse><message>yes</message>\
             <resultCode>LOGIN_SUCCESS</resultCode></loginResponse>"
        );
        assert_eq!(gateway.policy.count(Call::Logout), logouts + 1);
        let answer = post(&client, &path, &login_request("alice", "wrong")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(text_of(&answer, "message"), "no");
        assert_eq!(code(&answer), "LOGIN_FAILED");
    }
}

/// Who may have one session has none after a blogin.
#[tokio::test(flavor = "multi_thread")]
async fn a_blogin_takes_no_place_of_a_quota() {
    let gateway = setup().with_policy("[sessions]\nquota = 1").start().await;
    let client = client(&gateway);
    let path = format!("{REST}/blogin/app/app/x");
    for _ in 0..3 {
        let answer = post(&client, &path, &login_request("alice", PASSWORD)).await;
        assert_eq!(text_of(&answer, "message"), "yes", "{}", answer.text());
    }
    token(&gateway, "/app/x").await;
    let answer = log_in(&client, "/app/x", "alice", PASSWORD).await;
    assert_eq!(code(&answer), "LOGIN_FAILED");
    let excess = Reason::SET_PERSISTENT_SESSION_FAILED;
    assert_eq!(reason(&answer), Some(excess));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_server_there_is_no_answer() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    gateway.policy.cut(policy_client::PolicyError::NoConnection);
    for operation in ["login", "blogin"] {
        for password in [PASSWORD, "wrong"] {
            let path = format!("{REST}/{operation}/app/app/x");
            let answer = post(&client, &path, &login_request("alice", password)).await;
            assert_eq!(answer.status, 500);
            assert_eq!(
                answer.text(),
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><loginResponse><message>System</message>\
                 <resultCode>Server Error</resultCode></loginResponse>"
            );
        }
    }
}
