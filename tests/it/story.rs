//! The main job: login, identity, cache, logout, refused replay; in one process and as two, over both
//! protocols.

use harness::gateway::{Deployment, Gateway, PASSWORD};
use harness::policy_watch::Call;
use harness::{Protocol, SeenRequest};
use http::{Method, StatusCode};
use policy_protocol::Reason;

use crate::support::{challenge_reason, path_of, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_opens_the_application_and_a_logout_closes_it() {
    for deployment in Deployment::BOTH {
        let gateway = Gateway::setup().deployment(deployment).start().await;
        for protocol in Protocol::BOTH {
            play(&gateway, protocol).await;
        }
    }
}

async fn play(gateway: &Gateway, protocol: Protocol) {
    let client = gateway.client(protocol);
    let before = gateway.origin.requests().len();

    let challenge = client.get("/app/page?a=1&b=2").await;
    assert_eq!(challenge_reason(&challenge), Some(Reason::NONE));
    assert_eq!(
        gateway.origin.requests().len(),
        before,
        "nothing passes without a session"
    );

    let answer = client
        .submit_login("/app/page?a=1&b=2", "alice", PASSWORD)
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(
        path_of(answer.location()),
        "/app/page?a=1&b=2",
        "back to where the user wanted to go"
    );
    let cookie = answer
        .set_cookie("SMSESSION")
        .expect("a session")
        .to_owned();
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(
            cookie.split("; ").any(|part| part == attribute),
            "{attribute} is missing: {cookie}"
        );
    }
    assert!(!cookie.contains("Domain="), "host-only unless configured");
    assert!(cookie.len() <= 4096);

    let validations = gateway.policy.count(Call::Validate);
    let seen: SeenRequest = client.get("/app/page?a=1&b=2").await.json();
    assert_eq!(seen.target, "/app/page?a=1&b=2");
    assert_eq!(seen.header("SM_USER"), Some("alice"));
    assert_eq!(seen.header("SM_AUTHTYPE"), Some("Form"));
    assert!(
        seen.header("SM_USERDN")
            .is_some_and(|dn| dn.contains("alice"))
    );
    assert!(seen.header("SM_SERVERSESSIONID").is_some());
    assert!(seen.header("SM_TRANSACTIONID").is_some());
    assert_eq!(
        seen.header("cookie"),
        None,
        "the session cookie is not the application's business"
    );
    assert_eq!(
        gateway.policy.count(Call::Validate),
        validations,
        "the login filled the cache"
    );

    let replay = client.cookie("SMSESSION").unwrap();
    let logout = client.get("/doorward/logout").await;
    assert!(
        logout.status.is_success() || logout.status.is_redirection(),
        "{}",
        logout.status
    );
    assert_eq!(client.cookie("SMSESSION").as_deref(), Some("LOGGEDOFF"));
    assert_eq!(
        challenge_reason(&client.get("/app/page").await),
        Some(Reason::NONE)
    );

    client.set_cookie("SMSESSION", &replay);
    let before = gateway.origin.requests().len();
    refused(&client.get("/app/page").await);
    assert_eq!(gateway.origin.requests().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let gateway = Gateway::start().await;
    let mut answers = Vec::new();
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("nobody", "wrong"),
    ] {
        let client = gateway.client(Protocol::Http1);
        let answer = client.submit_login("/app/", user, password).await;
        assert_ne!(answer.status, StatusCode::SEE_OTHER, "{user} is not let in");
        assert_eq!(client.cookie("SMSESSION"), None);
        let mut page = answer.text().replace(user, "");
        for (_, value) in answer.hidden_fields() {
            page = page.replace(&value, "");
        }
        answers.push((answer.status, page));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_a_problem_instead_of_a_redirect() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        for (name, value) in [
            ("accept", "application/json"),
            ("x-requested-with", "XMLHttpRequest"),
            ("sec-fetch-mode", "cors"),
        ] {
            let request = client.request(Method::GET, "/app/data").header(name, value);
            let answer = client
                .send(request.body(harness::client::empty()).unwrap())
                .await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}: {value}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.location(), "");
            let problem: serde_json::Value = answer.json();
            assert_eq!(problem["status"], 401);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_realm_needs_no_session_and_gets_no_identity() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http2);
    let seen: SeenRequest = client.get("/open/x").await.json();
    assert_eq!(seen.header("SM_USER"), None);
    assert_eq!(client.get("/nowhere").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        client.get("/application").await.status,
        StatusCode::NOT_FOUND,
        "/app ends at a segment"
    );
    assert_eq!(gateway.policy.count(Call::Validate), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_session_does_not_survive_the_login() {
    let gateway = Gateway::start().await;
    let attacker = gateway.client(Protocol::Http1);
    let planted = attacker.login("/app/", "bob", PASSWORD).await;
    let victim = gateway.client(Protocol::Http1);
    let page = victim.login_page("/app/").await;
    victim.set_cookie("SMSESSION", &planted);
    victim.fill_login(&page, "alice", PASSWORD).await;
    assert_ne!(
        victim.cookie("SMSESSION").as_deref(),
        Some(planted.as_str())
    );
    let seen: SeenRequest = victim.get("/app/").await.json();
    assert_eq!(seen.header("SM_USER"), Some("alice"));
    refused(&attacker.get("/app/").await); // The login replaced the planted session.
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_its_login_cookie_is_not_accepted() {
    let gateway = Gateway::start().await;
    let shown_to = gateway.client(Protocol::Http1);
    let page = shown_to.login_page("/app/").await;
    let other = gateway.client(Protocol::Http1);
    let answer = other.fill_login(&page, "alice", PASSWORD).await;
    assert_ne!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(other.cookie("SMSESSION"), None);
    assert_eq!(
        gateway.policy.count(Call::Login),
        0,
        "a forged form is not even tried"
    );
}
